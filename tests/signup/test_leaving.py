"""Unsubscribing, preferences, one's own data, being erased."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import inspect, select, text

from newsletter import clock, tokens
from newsletter.audience.models import Suppression
from newsletter.database.engine import db, transaction
from newsletter.delivery import actions as delivery
from newsletter.delivery.models import Delivery
from newsletter.delivery.rules import Lane
from newsletter.sequences.models import Enrollment, Sequence
from newsletter.settings import current
from newsletter.tokens import Purpose
from tests.signup.conftest import Visitor, person

ALICE, BOB = "alice@example.org", "bob@example.org"


@pytest.fixture
def alice_id(visitor: Visitor) -> int:
    """Alice, confirmed and in the series."""
    visitor.confirm(ALICE)
    found = person(ALICE)
    assert found is not None
    return found.id


def leave_link(person_id: int, scope: int = 0) -> str:
    token = tokens.sign(current().secret_key, Purpose.UNSUBSCRIBE, person_id, scope, at=clock.now())
    return f"/unsubscribe/{token}"


def preferences_token(person_id: int) -> str:
    return tokens.sign(current().secret_key, Purpose.PREFERENCES, person_id, at=clock.now())


def preferences_link(person_id: int) -> str:
    return f"/preferences/{preferences_token(person_id)}"


def series_id() -> int:
    return db.session.scalars(select(Sequence.id)).one()


def enrollment_state() -> str:
    db.session.rollback()
    return db.session.scalars(select(Enrollment.state)).one()


def test_2_13_one_click_needs_no_cookie_and_no_redirect(visitor: Visitor, alice_id: int, app: Flask) -> None:
    app.config["WTF_CSRF_ENABLED"] = True
    provider = app.test_client(use_cookies=False)
    answer = provider.post(leave_link(alice_id), data={"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200
    assert person(ALICE).status == "unsubscribed"  # type: ignore[union-attr]
    assert enrollment_state() == "exited"


def test_2_13_get_shows_a_page_and_changes_nothing(visitor: Visitor, alice_id: int) -> None:
    page = visitor.client.get(leave_link(alice_id, series_id()))
    assert page.status_code == 200
    assert "<button" in page.text
    assert person(ALICE).status == "confirmed"  # type: ignore[union-attr]


def test_3_14_one_click_ends_what_the_email_belongs_to(visitor: Visitor, alice_id: int) -> None:
    answer = visitor.client.post(leave_link(alice_id, series_id()), data={"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200
    assert enrollment_state() == "exited"
    alice = person(ALICE)
    assert alice is not None
    assert (alice.status, alice.marketing) == ("confirmed", True)


def test_3_14_all_marketing_can_be_left_from_a_series_email(visitor: Visitor, alice_id: int) -> None:
    visitor.client.post(leave_link(alice_id, series_id()), data={"scope": "all"})
    assert person(ALICE).status == "unsubscribed"  # type: ignore[union-attr]


def test_2_6_leaving_cancels_what_was_planned(visitor: Visitor, alice_id: int) -> None:
    tomorrow = clock.now() + timedelta(days=1)
    with transaction() as session:
        delivery.plan(
            session, reason="broadcast:9", subscriber_id=alice_id, lane=Lane.BULK, due_at=tomorrow, now=clock.now()
        )
    visitor.client.post(leave_link(alice_id))
    db.session.rollback()
    row = db.session.scalars(select(Delivery).where(Delivery.reason == "broadcast:9")).one()
    assert (row.state, row.state_why) == ("canceled", "unsubscribed")


def test_leaving_twice_shows_the_same_page(visitor: Visitor, alice_id: int) -> None:
    first, second = (visitor.client.post(leave_link(alice_id)) for _ in range(2))
    assert first.status_code == second.status_code == 200


def test_preferences_show_the_series_and_let_go_of_it(visitor: Visitor, alice_id: int) -> None:
    link = preferences_link(alice_id)
    page = visitor.client.get(link)
    assert f'value="leave:{series_id()}"' in page.text
    assert visitor.client.post(link, data={"wish": f"leave:{series_id()}"}).status_code == 303
    assert enrollment_state() == "exited"
    assert person(ALICE).marketing  # type: ignore[union-attr]


def test_preferences_leave_all(visitor: Visitor, alice_id: int) -> None:
    visitor.client.post(preferences_link(alice_id), data={"wish": "leave-all"})
    assert person(ALICE).status == "unsubscribed"  # type: ignore[union-attr]


def test_preferences_refuse_nonsense(visitor: Visitor, alice_id: int) -> None:
    assert visitor.client.post(preferences_link(alice_id), data={"wish": "leave:x"}).status_code == 400


def test_4_everything_held_as_json_and_as_a_page(visitor: Visitor, alice_id: int) -> None:
    token = preferences_token(alice_id)
    held = visitor.client.get(f"/preferences/{token}/data?format=json").json
    assert held is not None
    assert held["person"]["email"] == ALICE
    assert held["consents"][0]["wording"].startswith("You get")
    assert {"emails", "person", "consents"} <= set(held)
    page = visitor.client.get(f"/preferences/{token}/data")
    assert page.status_code == 200
    assert ALICE in page.text


def test_4_erasing_needs_the_box(visitor: Visitor, alice_id: int) -> None:
    assert visitor.client.post(preferences_link(alice_id), data={"wish": "erase"}).status_code == 400
    assert person(ALICE) is not None


def test_4_erasing_leaves_a_keyed_hash_and_the_address_nowhere(visitor: Visitor, alice_id: int) -> None:
    visitor.emails()
    link = preferences_link(alice_id)
    assert visitor.client.post(link, data={"wish": "erase", "sure": "yes"}).status_code == 200
    db.session.rollback()
    assert len(db.session.scalars(select(Suppression)).all()) == 1
    for table in inspect(db.engine).get_table_names():
        if table in {"mailbox_messages", "alembic_version"} or table.startswith("huey_"):
            continue  # the mailbox stands in for the reader's own inbox
        for row in db.session.execute(text(f"SELECT * FROM {table}")):  # noqa: S608 - names come from the database
            assert "alice" not in str(tuple(row)).lower(), table
    assert visitor.client.get(link).status_code == 200, "the old link shows that all is gone"
    assert visitor.client.post(leave_link(alice_id)).status_code == 200


def test_no_copy_of_a_readers_page_stays_behind(visitor: Visitor, alice_id: int) -> None:
    confirm = tokens.sign(current().secret_key, Purpose.CONFIRM, alice_id, at=clock.now())
    visitor.sign_up(BOB)
    waiting = visitor.link(visitor.emails(BOB)[-1], "confirm")
    pages = ["/signup/thanks", waiting, f"/confirmed/{confirm}", leave_link(alice_id)]
    onward = visitor.client.get(f"/confirm/{confirm}")  # confirmed already: it leads on to the gift
    assert (onward.status_code, onward.headers["Cache-Control"]) == (303, "no-store")
    for path in [*pages, preferences_link(alice_id), f"{preferences_link(alice_id)}/data"]:
        answer = visitor.client.get(path)
        assert (path, answer.status_code, answer.headers["Cache-Control"]) == (path, 200, "no-store")
