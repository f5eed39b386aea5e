"""The overview as Alice's browser meets it."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from flask.testing import FlaskClient

from newsletter import clock
from newsletter.addresses import parse
from newsletter.audience import actions
from newsletter.broadcasts.models import Broadcast
from newsletter.broadcasts.rules import BroadcastState
from newsletter.dashboard import queries, rules
from newsletter.database.engine import db, transaction
from newsletter.delivery import actions as delivery_actions
from newsletter.delivery.models import Relay
from newsletter.delivery.relay_rules import Source
from newsletter.delivery.rules import Lane
from newsletter.work import heartbeats
from tests.accounts.people import signed_in


@pytest.fixture
def alice(app: Flask) -> FlaskClient:
    return signed_in(app)


def add_people() -> None:
    """Bob signed up and confirmed today, Charlie two days ago and not yet, and somebody long ago."""
    now = clock.now()
    with transaction() as session:
        for name, days in (("bob", 0), ("charlie", 2), ("early", 400)):
            at = now - timedelta(days=days)
            actions.remember(session, parse(f"{name}@example.org"), source="test", now=at)
        bob = actions.remember(session, parse("bob@example.org"), source="test", now=now)
        bob.status, bob.confirmed_at = "confirmed", now


def test_a_new_installation_shows_first_steps(alice: FlaskClient) -> None:
    page = alice.get("/admin/").text
    assert "First steps" in page
    assert "Add your postal address" in page
    assert "The part that sends emails is not running." in page


def test_figures_of_a_week(app: Flask) -> None:
    add_people()
    session, now = db.session(), clock.now()
    assert queries.week(session, now - timedelta(days=7)) == queries.Week(2, 1, 0, 0)
    assert queries.people(session) == {"confirmed": 1, "pending": 2}
    days = rules.last_days(now, ZoneInfo("UTC"), 30)
    counted = queries.per_day(session, days)
    assert counted[-1] == (1, 1)
    assert counted[-3] == (1, 0)
    assert sum(up for up, _ in counted) == 2


def test_no_sign_ups_at_all_is_thirty_times_nothing(app: Flask) -> None:
    days = rules.last_days(clock.now(), ZoneInfo("UTC"), 30)
    assert queries.per_day(db.session(), days) == [(0, 0)] * 30


def test_what_goes_out_next_in_order(app: Flask) -> None:
    add_people()
    now = clock.now()
    with transaction() as session:
        session.add(
            Broadcast(
                source="---\nsubject: A workout\n---\nHello",
                subject="A workout",
                state=BroadcastState.QUEUED,
                send_at=now + timedelta(hours=2),
                created_at=now,
                started_at=None,
                created_by=None,
            )
        )
        for reason, hours in (("confirm:1", 3), ("confirm:2", 1)):
            delivery_actions.plan(
                session,
                reason=reason,
                subscriber_id=1,
                lane=Lane.TRANSACTIONAL,
                due_at=now + timedelta(hours=hours),
                now=now,
            )
        for person in (1, 2, 3):
            delivery_actions.plan(
                session, reason="broadcast:7", subscriber_id=person, lane=Lane.BULK,
                due_at=now + timedelta(minutes=5), now=now,
            )  # fmt: skip
    assert [(row.what, row.who) for row in queries.coming(db.session())] == [
        ("Email to many, no. 7", "3 more readers"),
        ("Confirmation of a sign-up", "bob@example.org"),
        ("A workout", ""),
        ("Confirmation of a sign-up", "bob@example.org"),
    ]
    with transaction() as session:
        delivery_actions.hold(session, "broadcast:7", "Paused.", now)
    assert "Email to many, no. 7" not in [row.what for row in queries.coming(db.session())]


def test_a_paused_email_to_many_is_told_with_the_way_to_it(alice: FlaskClient) -> None:
    with transaction() as session:
        made = Broadcast(source="---\nsubject: Hips\n---\nHello", subject="Hips", created_at=clock.now())
        made.state, made.paused_why, made.paused_at = BroadcastState.PAUSED, "7% were <refused>.", clock.now()
        session.add(made)
        session.flush()
        number = made.id
    page = alice.get("/admin/").text
    assert "The email “Hips” is paused." in page
    assert "7% were &lt;refused&gt;." in page
    assert f'href="/admin/broadcasts/{number}"' in page


def test_the_overview_tells_all_of_it(alice: FlaskClient) -> None:
    add_people()
    with transaction() as session:
        heartbeats.beat(session, "here", clock.now())
        relay = Relay(name="mx:25", source=Source.OPERATOR, host="mx", port=25, created_at=clock.now())
        relay.problem = "It <refuses> our sign-in."
        session.add(relay)
        delivery_actions.hold(session, "lane:1", "The clock <jumped>.", clock.now())
    page = alice.get("/admin/").text
    assert "not running" not in page
    assert "First steps" not in page
    assert "It &lt;refuses&gt; our sign-in." in page
    assert "The emails of series are on hold." in page
    assert "The clock &lt;jumped&gt;." in page
    assert "2 people signed up in the last 30 days, 1 of them have confirmed" in page


def test_charlie_sees_nothing(sqlite_app: Flask) -> None:
    assert sqlite_app.test_client().get("/admin/").location == "/admin/sign-in?next=/admin/"
