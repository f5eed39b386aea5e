"""The outbox in the back office."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from newsletter import addresses, clock
from newsletter.accounts import actions as accounts
from newsletter.audience import actions as audience
from newsletter.audience.rules import Status
from newsletter.database.engine import db, transaction
from newsletter.delivery import actions, ledger
from newsletter.delivery.models import Delivery
from newsletter.delivery.rules import Lane, Reply, State

PASSWORD = "long enough to be hard to guess"
POSTS = ("cancel", "send-now", "send-again", "count-as-sent")


@pytest.fixture
def operator(app: Flask, client: FlaskClient) -> FlaskClient:
    """A signed-in operator's browser."""
    with transaction() as session:
        accounts.create_operator(session, "coach@example.org", PASSWORD, clock.now())
    answer = client.post("/admin/sign-in", data={"email": "coach@example.org", "password": PASSWORD})
    assert answer.status_code == 302
    return client


def plan(email: str = "alice@example.org", reason: str = "broadcast:1", lane: Lane = Lane.BULK, hours: int = 24) -> int:
    with transaction() as session:
        person = audience.remember(session, addresses.parse(email), source="test", now=clock.now())
        person.status, person.marketing = Status.CONFIRMED, True
        due = clock.now() + timedelta(hours=hours)
        actions.plan(session, reason=reason, subscriber_id=person.id, lane=lane, due_at=due, now=clock.now())
        session.flush()
        return session.query(Delivery.id).filter_by(reason=reason, subscriber_id=person.id).scalar()


def state(delivery_id: int) -> str:
    db.session.rollback()
    return db.session.get_one(Delivery, delivery_id, populate_existing=True).state


def make_unknown(delivery_id: int) -> None:
    with transaction() as session:
        actions.claim_due(session, "worker", clock.now() + timedelta(days=2), 10)
        actions.begin_sending(session, [delivery_id], "worker", clock.now())
        actions.record(session, delivery_id, Reply(0, text="lost"), relay="mx:25", subject="Hello", now=clock.now())


def test_charlie_is_refused(client: FlaskClient) -> None:
    number = plan()
    assert client.get("/admin/ledger").location.startswith("/admin/sign-in")
    assert client.get(f"/admin/ledger/{number}").status_code == 302
    for verb in POSTS:
        assert client.post(f"/admin/ledger/{number}/{verb}").status_code == 403
    assert state(number) == State.PLANNED


def test_lists_filters_and_searches(operator: FlaskClient) -> None:
    plan("alice@example.org", "confirm:7", Lane.TRANSACTIONAL, hours=0)
    plan("bob@example.org", "broadcast:1")
    everything = operator.get("/admin/ledger").text
    assert "alice@example.org" in everything
    assert "Confirmation of a sign-up" in everything
    for query, seen, unseen in (
        ("q=ALICE", "alice@", "bob@"),
        ("kind=broadcast", "bob@", "alice@"),
        ("lane=0", "alice@", "bob@"),
        ("state=planned&q=bob", "bob@", "alice@"),
        ("reason=confirm:7", "alice@", "bob@"),
    ):
        page = operator.get(f"/admin/ledger?{query}").text
        assert seen in page, query
        assert unseen not in page, query
    assert "Nothing matches" in operator.get("/admin/ledger?state=unknown").text
    assert operator.get("/admin/ledger?state=nonsense&lane=x&kind=y").status_code == 200


def test_cancel_and_send_now(operator: FlaskClient) -> None:
    first, second = plan(), plan("bob@example.org")
    assert "Goes out" in operator.get(f"/admin/ledger/{first}").text
    operator.post(f"/admin/ledger/{first}/cancel")
    assert state(first) == State.CANCELED
    assert operator.post(f"/admin/ledger/{first}/cancel").status_code == 400
    assert operator.post(f"/admin/ledger/{first}/send-now").status_code == 400
    operator.post(f"/admin/ledger/{second}/send-now")
    assert db.session.get_one(Delivery, second, populate_existing=True).due_at <= clock.now()
    assert operator.post("/admin/ledger/9999/cancel").status_code == 404


def test_2_4_an_uncertain_email_waits_for_the_operator(operator: FlaskClient) -> None:
    first, second = plan(), plan("bob@example.org")
    make_unknown(first)
    page = operator.get(f"/admin/ledger/{first}").text
    assert "Did it arrive?" in page
    assert "mx:25: lost" in page
    operator.post(f"/admin/ledger/{first}/send-again")
    assert state(first) == State.PLANNED
    assert operator.post(f"/admin/ledger/{second}/send-again").status_code == 400
    make_unknown(first)
    operator.post(f"/admin/ledger/{first}/count-as-sent")
    assert state(first) == State.ACCEPTED


def test_the_room_of_an_email_gives_its_words(operator: FlaskClient, app: Flask) -> None:
    number = plan(reason="other:5")
    app.extensions["reason_words"] = {"other": lambda _session, reason: f"Words for {reason} <b>"}
    assert "Words for other:5 &lt;b&gt;" in operator.get(f"/admin/ledger/{number}").text


@pytest.mark.parametrize(
    ("enhanced", "meaning"),
    [("5.1.1", "This mailbox does not exist there."), ("4.2.2", "The mailbox is full."), ("", ""), ("5.9.9", "")],
)
def test_a_status_code_in_words(enhanced: str, meaning: str) -> None:
    assert ledger.meaning(enhanced) == meaning


def test_a_stopped_relay_is_told_on_top(operator: FlaskClient) -> None:
    plan()
    with transaction() as session:
        actions.relay_stopped(session, "mx.example.org:25", "It refuses our sign-in.", clock.now())
    page = operator.get("/admin/ledger").text
    assert "It refuses our sign-in." in page
