"""Several relays under the engine: lanes, failover, caps, rates and slow-downs, over real SMTP (semantics 2.8, 2.9)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from newsletter import clock
from newsletter.database.engine import db, transaction
from newsletter.delivery import actions, jobs, queries, relay_rows, routing
from newsletter.delivery.models import Attempt, Delivery, MailboxMessage, Relay, RelayDay
from newsletter.delivery.relay_rules import Source
from newsletter.delivery.rules import Lane, Reply, State
from tests.delivery.peer import Peer, free_port, serving
from tests.people import note_writer, person, planned, register


@pytest.fixture
def first() -> Iterator[Peer]:
    with serving(Peer()) as made:
        yield made


@pytest.fixture
def second() -> Iterator[Peer]:
    with serving(Peer()) as made:
        yield made


@pytest.fixture
def mailing(sqlite_app: Flask) -> Iterator[Flask]:
    """The application with a room that writes notes; budgets are tested on both databases elsewhere."""
    register(sqlite_app, {"note": note_writer()})
    yield sqlite_app
    for line in sqlite_app.extensions.get("lines", {}).values():
        line.close()


def relay(peer: Peer | int, **more: object) -> int:
    """A relay of the back office that leads to that peer, or to that port."""
    port = peer.port if isinstance(peer, Peer) else peer
    row = Relay(name=f"relay {port}", source=Source.OPERATOR, host="127.0.0.1", port=port, security="never")
    row.created_at = clock.now()
    for name, value in more.items():
        setattr(row, name, value)
    with transaction() as session:
        session.add(row)
        session.flush()
        return row.id


def plan(count: int, *, lane: Lane = Lane.BULK, domain: str = "example.org", who: str = "reader") -> None:
    now = clock.now()
    with transaction() as session:
        for number in range(count):
            reader = person(session, f"{who}{number}@{domain}", now=now)
            planned(session, reader, reason=f"note:{int(lane)}", lane=lane, due_at=now, now=now)


def states() -> dict[str, int]:
    db.session.rollback()
    found = db.session.scalars(select(Delivery.state)).all()
    return {state: found.count(state) for state in set(found)}


def send() -> None:
    while jobs.send_due():
        pass


def test_2_9_each_lane_goes_through_the_relay_that_takes_it(mailing: Flask, first: Peer, second: Peer) -> None:
    relay(first, series=False, to_many=False)
    relay(second, at_once=False)
    plan(3, lane=Lane.TRANSACTIONAL, who="urgent")
    plan(5, lane=Lane.BULK)
    send()
    assert states() == {State.ACCEPTED: 8}
    assert {to[:6] for to in first.to} == {"urgent"}
    assert len(second.taken) == 5
    assert db.session.query(MailboxMessage).count() == 0


def test_2_8_a_sender_that_is_refused_stops_the_relay_and_no_reader_is_blamed(
    mailing: Flask, first: Peer, second: Peer
) -> None:
    first.sender = "550 5.7.1 Your domain is not allowed here"
    broken = relay(first, priority=1)
    relay(second, priority=2)
    plan(12)
    for _ in range(3):
        send()
        with transaction() as session:
            session.execute(Delivery.__table__.update().where(Delivery.state == "deferred").values(due_at=clock.now()))
            session.execute(Delivery.__table__.update().where(Delivery.state == "planned").values(due_at=clock.now()))
    assert states() == {State.ACCEPTED: 12}
    assert len(second.taken) == 12
    [told] = queries.relay_problems(db.session())
    assert told.id == broken
    assert "Your domain is not allowed here" in told.problem


def test_2_8_a_relay_that_is_not_there_is_passed_over(mailing: Flask, second: Peer) -> None:
    relay(free_port(), priority=1)
    relay(second, priority=2)
    plan(7)
    send()
    assert states() in ({State.ACCEPTED: 7}, {State.PLANNED: 7})
    with transaction() as session:
        session.execute(Delivery.__table__.update().where(Delivery.state == "planned").values(due_at=clock.now()))
    send()
    assert states() == {State.ACCEPTED: 7}
    assert len(second.taken) == 7


def test_2_9_what_a_day_does_not_allow_goes_through_the_next_relay(mailing: Flask, first: Peer, second: Peer) -> None:
    capped = relay(first, priority=1, daily_cap=5)
    relay(second, priority=2)
    plan(20)
    send()
    assert states() == {State.ACCEPTED: 20}
    assert len(first.taken) == 5
    day = db.session.get_one(RelayDay, (capped, relay_rows.today(clock.now())))
    assert (day.drawn, day.accepted) == (5, 5)


def test_2_9_a_slow_rate_is_kept_and_the_worker_stays_awake_for_it(mailing: Flask, first: Peer) -> None:
    """One turn sends all: it does not sleep until the next minute after each burst."""
    relay(first, rate=6.0)
    plan(15)
    began = time.monotonic()
    send()
    took = time.monotonic() - began
    assert states() == {State.ACCEPTED: 15}
    assert took >= (15 - 6) / 6
    assert first.sessions < 15 - 6, "the connections stay open meanwhile, one is not opened for each"


def test_2_9_one_domain_gets_its_share_and_the_others_do_not_wait(mailing: Flask, first: Peer) -> None:
    number = relay(first, rate=100.0, share=4, daily_cap=1000)
    plan(12, domain="big.example")
    plan(6, domain="small.example", who="other")
    began = time.monotonic()
    jobs.send_due()
    assert {"small.example"} == {to.partition("@")[2] for to in first.to} - {"big.example"}
    assert [to.partition("@")[2] for to in first.to].count("small.example") >= 4
    send()
    assert time.monotonic() - began >= (12 - 4) / 4
    assert states() == {State.ACCEPTED: 18}
    assert not db.session.scalars(select(Attempt.outcome).where(Attempt.outcome != State.ACCEPTED)).all()
    day = db.session.get_one(RelayDay, (number, relay_rows.today(clock.now())))
    assert day.drawn == 18, "what was put off did not use up the day"


def test_2_7_a_confirmation_does_not_wait_for_its_domains_share(mailing: Flask, first: Peer) -> None:
    number = relay(first)
    with transaction() as session:
        for later in range(0, 300, 60):
            at = clock.now() - timedelta(seconds=300 - later)
            routing.slow_down(session, number, "big.example", Reply(451, "4.7.0", "Too many"), at)
    plan(30, domain="big.example")
    jobs.send_due()
    plan(1, lane=Lane.TRANSACTIONAL, domain="big.example", who="urgent")
    jobs.send_due()
    assert "urgent0@big.example" in first.to
    assert len(first.to) < 31


def test_2_8_an_answer_that_asks_for_less_slows_the_domain(mailing: Flask, first: Peer) -> None:
    first.recipients = {f"reader{number}@big.example": "451 4.7.0 Too many messages" for number in range(3)}
    relay(first)
    plan(3, domain="big.example")
    jobs.send_due()
    with transaction() as session:
        assert [way.paced for way in routing.ways(session, clock.now())] == [True]


def test_2_14_a_test_email_takes_the_way_that_emails_to_many_take(mailing: Flask, first: Peer, second: Peer) -> None:
    relay(first, to_many=False)
    number = relay(second, priority=2)
    letter = {"message_id": "<trial@example.org>", "content": b"Subject: A trial\r\n\r\nHello"}
    with transaction() as session:
        actions.plan_trial(session, recipient="coach@example.org", now=clock.now(), **letter)
    jobs.send_trials()
    assert (len(first.taken), second.to) == (0, ["coach@example.org"])
    with transaction() as session:
        for row in session.query(Relay):
            routing.failed(session, row.id, "it is down", clock.now())
        actions.plan_trial(session, recipient="coach@example.org", now=clock.now(), **letter)
    jobs.send_trials()
    assert "it is down" in queries.trial_problem(db.session(), "coach@example.org")
    assert db.session.get_one(Relay, number).problem


def test_with_a_standing_clock_a_limit_ends_the_turn(mailing: Flask, first: Peer) -> None:
    """`flask worker --once --as-of` must come to an end: its moment never passes."""
    relay(first, rate=2.0)
    plan(5)
    with clock.standing_at(clock.now() + timedelta(seconds=1)):
        send()
    assert states() == {State.ACCEPTED: 2, State.PLANNED: 3}
