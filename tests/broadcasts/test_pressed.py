"""The page of an email that went out tells which of its links were pressed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from newsletter.accounts import actions as accounts
from newsletter.broadcasts import queries
from newsletter.database.engine import db, transaction
from newsletter.delivery.models import Delivery
from newsletter.tracking import actions as tracking
from newsletter.tracking.rules import Seen
from tests.accounts.people import signed_in
from tests.broadcasts.stage import answered, crowd, queued, run
from tests.people import NOW

MOVES, HIPS = "https://example.org/moves?day=3", "https://example.org/hips"


@pytest.fixture
def operator(app: Flask) -> FlaskClient:
    """A signed-in operator's browser."""
    return signed_in(app)


def sent_to(readers: int) -> int:
    """A broadcast that so many people got."""
    crowd(readers)
    broadcast_id = queued()
    run()
    answered(broadcast_id, planned=0, accepted=readers)
    return broadcast_id


def press(broadcast_id: int, *presses: tuple[int, str, bool]) -> None:
    """Presses of the broadcast's first, second … reader on a link, a program's or not."""
    db.session.rollback()
    found = select(Delivery.id, Delivery.subscriber_id).where(Delivery.reason == queries.reason_of(broadcast_id))
    got = db.session.execute(found.order_by(Delivery.subscriber_id)).all()
    with transaction() as session:
        ids = tracking.link_ids(session, [MOVES, HIPS])
        seen = [
            Seen(*got[reader], ids[url], NOW + timedelta(minutes=minute), robot)
            for minute, (reader, url, robot) in enumerate(presses)
        ]
        assert tracking.record_clicks(session, seen) == len(presses)


def test_the_links_of_one_email_with_readers_and_presses(operator: FlaskClient) -> None:
    first, second = sent_to(4), queued()
    run()
    press(first, (0, MOVES, False), (0, MOVES, False), (1, MOVES, False), (1, HIPS, False), (2, HIPS, True))
    press(second, (3, HIPS, False))
    pressed = queries.pressed(db.session(), first)
    assert pressed.readers == 2
    assert [(link.url, link.readers, link.clicks) for link in pressed.links] == [(MOVES, 2, 3), (HIPS, 1, 1)]
    page = " ".join(operator.get(f"/admin/broadcasts/{first}").text.split())
    assert "2 readers pressed at least one link, of 4 who got the email (50%)." in page
    assert f'<a href="{MOVES}" title="{MOVES}" rel="noreferrer">example.org/moves</a>' in page


def test_before_anybody_pressed_and_when_it_is_switched_off(operator: FlaskClient) -> None:
    broadcast_id = sent_to(1)
    assert "None so far." in operator.get(f"/admin/broadcasts/{broadcast_id}").text
    with transaction() as session:
        accounts.change_settings(session, {"track_clicks": False}, by=1, now=NOW)
    assert "Presses are not counted" in operator.get(f"/admin/broadcasts/{broadcast_id}").text


def test_a_draft_has_no_presses(operator: FlaskClient) -> None:
    crowd(1)
    waiting = queued(minutes=60)
    assert "Links that were pressed" not in operator.get(f"/admin/broadcasts/{waiting}").text


def test_more_presses_than_the_ledger_has_counted_yet_give_no_share(operator: FlaskClient) -> None:
    """A reader may be quicker than the tally."""
    broadcast_id = sent_to(2)
    answered(broadcast_id, accepted=0)
    press(broadcast_id, (0, MOVES, False))
    page = " ".join(operator.get(f"/admin/broadcasts/{broadcast_id}").text.split())
    assert "1 reader pressed at least one link. Mail scanners" in page
