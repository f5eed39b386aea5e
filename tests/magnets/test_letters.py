"""The delivery email of a gift."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from newsletter import clock
from newsletter.audience.models import Subscriber
from newsletter.audience.rules import Status
from newsletter.database.engine import db, transaction
from newsletter.delivery.letters import Letter, Withdrawn
from newsletter.delivery.models import Delivery
from newsletter.delivery.rules import Lane
from newsletter.magnets import actions
from newsletter.magnets.letters import letter
from newsletter.magnets.models import Magnet
from newsletter.magnets.rules import Paper
from tests.magnets.conftest import NOW, Give, Given, Pages
from tests.magnets.test_stamp import text_of


@pytest.fixture(autouse=True)
def _today(app: Flask) -> object:
    with clock.standing_at(NOW):
        yield


def planned(given: Given, at_minutes: int = 0) -> bool:
    with transaction() as session:
        return actions.deliver(session, given.magnet_id, given.subscriber_id, NOW + timedelta(minutes=at_minutes))


def written(given: Given) -> Letter | Withdrawn:
    db.session.rollback()
    newest = select(Delivery).where(Delivery.subscriber_id == given.subscriber_id).order_by(Delivery.id.desc())
    return letter(db.session(), db.session.scalars(newest.limit(1)).one())


def test_1_3_the_email_brings_the_link(give: Give) -> None:
    given = give("Alice")
    assert planned(given)
    found = written(given)
    assert isinstance(found, Letter)
    assert found.marketing is False
    assert found.attachments == ()
    assert found.context["links"] == {"download": given.url}
    row = db.session.scalars(select(Delivery)).one()
    assert (row.reason, row.lane) == (f"magnet:{given.magnet_id}", Lane.TRANSACTIONAL)


def test_1_2_again_after_the_cool_down_at_most_three_a_day(give: Give) -> None:
    given = give("Alice")
    answers = {minutes: planned(given, minutes) for minutes in (0, 9, 10, 20, 30, 24 * 60, 24 * 60 + 5)}
    assert answers == {0: True, 9: False, 10: True, 20: True, 30: False, 24 * 60: True, 24 * 60 + 5: False}


@pytest.mark.parametrize("status", [Status.UNSUBSCRIBED, Status.BOUNCED, Status.COMPLAINED, Status.ERASED])
def test_2_6_whoever_left_since_gets_no_email(give: Give, status: Status) -> None:
    given = give("Bob")
    planned(given)
    with transaction() as session:
        session.get_one(Subscriber, given.subscriber_id).status = status
    found = written(given)
    assert isinstance(found, Withdrawn)
    assert found.why


def test_2_6_a_gift_that_was_taken_away_is_not_mailed(give: Give) -> None:
    given = give("Charlie")
    planned(given)
    with transaction() as session:
        actions.forget(session, given.subscriber_id)
    assert isinstance(written(given), Withdrawn)


@pytest.mark.parametrize(("zone", "paper"), [("", Paper.A4), ("America/Chicago", Paper.LETTER)])
def test_1_6_the_switch_attaches_the_stamped_file(give: Give, pages: Pages, zone: str, paper: Paper) -> None:
    given = give("Zoë")
    planned(given)
    with transaction() as session:
        actions.switch(session, given.magnet_id, attach=True, stamp=True, now=NOW)
        session.get_one(Subscriber, given.subscriber_id).timezone = zone
    found = written(given)
    assert isinstance(found, Letter)
    [(name, kind, content)] = found.attachments
    assert name.endswith(".pdf")
    assert kind == "application/pdf"
    assert "For Zoë" in text_of(content)
    assert abs(len(content) - len(pages[paper].pdf)) < 60_000


def test_1_6_above_two_megabytes_nothing_is_attached(give: Give) -> None:
    given = give("Alice")
    planned(given)
    heavy = b"%PDF-1.7" + b"\0" * (2 * 1024 * 1024)
    with transaction() as session:
        actions.replace(session, given.magnet_id, heavy, 1, None, now=NOW)
        session.get_one(Magnet, given.magnet_id).attach = True
    found = written(given)
    assert isinstance(found, Letter)
    assert found.attachments == ()
