"""The ledger: one row per reason and person, every arrow and no other, leases, and what is picked up after a crash."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from newsletter.audience import queries as audience
from newsletter.audience.models import Subscriber
from newsletter.audience.rules import Status
from newsletter.database.engine import db, transaction
from newsletter.delivery import actions, handover, queries, rules
from newsletter.delivery.models import Attempt, Delivery, Event, Tally
from newsletter.delivery.rules import ARROWS, ENDED, EventKind, Lane, Reply, State
from newsletter.errors import InputError
from tests.people import ALICE, BOB, CHARLIE, NOW, person, planned
from tests.threads import at_once

LATER = NOW + timedelta(hours=1)


def put(state: State, *, lane: Lane = Lane.SEQUENCE, **values: object) -> int:
    """An email to Alice in that state, as a worker called `me` would have left it."""
    with transaction() as session:
        planned(session, person(session), lane=lane)
        held = {"claimed_by": "me", "lease_until": NOW + rules.LEASE} if state in {State.CLAIMED, State.SENDING} else {}
        session.execute(update(Delivery).values(state=state, **held, **values))
        return session.scalars(select(Delivery.id)).one()


def row() -> Delivery:
    db.session.rollback()
    return db.session.scalars(select(Delivery).execution_options(populate_existing=True)).one()


def do(action: Callable[..., object], *given: object, **more: object) -> object:
    with transaction() as session:
        return action(session, *given, **more)


def record(code: int, enhanced: str = "", text: str = "", about: str = "recipient") -> Callable[[Session, int], object]:
    def doing(session: Session, delivery_id: int) -> object:
        reply = Reply(code, enhanced, text, about)
        return handover.record(session, [(delivery_id, reply)], relay="relay", subjects={delivery_id: "S"}, now=NOW)

    return doing


# What follows each arrow: asked of every state, it must move exactly from those the plan names.
MOVERS: dict[str, tuple[Callable[[Session, int], object], State, set[State]]] = {
    "claim": (
        lambda session, _id: handover.claim_due(session, "me", NOW, 10, Lane.SEQUENCE),
        State.CLAIMED,
        {State.PLANNED, State.DEFERRED},
    ),
    "begin": (lambda session, id_: handover.begin_sending(session, [id_], "me"), State.SENDING, {State.CLAIMED}),
    "yes": (record(250), State.ACCEPTED, {State.SENDING, State.UNKNOWN}),
    "later": (record(450), State.DEFERRED, {State.SENDING, State.CLAIMED}),
    "never": (record(550), State.REJECTED, {State.SENDING}),
    "lost": (record(0), State.UNKNOWN, {State.SENDING}),
    "no template": (
        lambda session, id_: handover.fail_template(session, id_, "broken", NOW),
        State.DEFERRED,
        {State.CLAIMED, State.SENDING},
    ),
    "give back": (
        lambda session, id_: handover.give_back(session, [id_], "me", "the relay rests", NOW),
        State.PLANNED,
        {State.CLAIMED, State.SENDING},
    ),
    "cancel": (
        lambda session, id_: actions.cancel(session, id_, "by hand", NOW),
        State.CANCELED,
        {State.PLANNED, State.DEFERRED, State.CLAIMED},
    ),
    "lease over": (
        lambda session, _id: handover.recover(session, NOW + rules.LEASE + timedelta(seconds=1)),
        State.PLANNED,
        {State.CLAIMED},
    ),
    "crashed": (
        lambda session, _id: handover.recover(session, NOW + rules.LEASE + timedelta(seconds=1)),
        State.UNKNOWN,
        {State.SENDING},
    ),
    "again": (
        lambda session, id_: actions.decide_unknown(session, [id_], again=True, by="Alice", now=NOW),
        State.PLANNED,
        {State.UNKNOWN},
    ),
    "counted": (
        lambda session, id_: actions.decide_unknown(session, [id_], again=False, by="Alice", now=NOW),
        State.ACCEPTED,
        {State.UNKNOWN},
    ),
    "too late": (
        lambda session, _id: handover.recover(session, NOW + timedelta(hours=73)),
        State.EXPIRED,
        {State.DEFERRED},
    ),
}


@pytest.mark.parametrize("mover", MOVERS)
def test_2_2_every_arrow_and_no_other(sqlite_app: Flask, mover: str) -> None:
    for start in State:
        with transaction() as session:
            session.execute(delete(Delivery))
        follow(mover, start)


def follow(mover: str, start: State) -> None:
    move, end, sources = MOVERS[mover]
    delivery_id = put(start, first_tried_at=NOW)
    try:
        do(move, delivery_id)
    except InputError:
        assert start not in sources
    ended = State(row().state)
    if start in sources:
        assert ended is end
    else:
        assert ended is start or (ended in ARROWS[start] and _by_another_way(mover, start, ended))
    assert (row().ended_at is not None) == (ended in ENDED and start not in ENDED)


def _by_another_way(mover: str, start: State, ended: State) -> bool:
    """recover() does three things at once; each has a line of its own in the table."""
    return any(
        MOVERS[other][1] is ended and start in MOVERS[other][2]
        for other in ("lease over", "crashed", "too late")
        if mover in {"lease over", "crashed", "too late"}
    )


def test_2_2_the_table_above_walks_every_arrow_of_the_plan() -> None:
    walked = {(start, end) for _, end, sources in MOVERS.values() for start in sources}
    assert walked == {(start, end) for start in State for end in ARROWS[start]}


def test_2_1_one_row_per_reason_and_person(app: Flask) -> None:
    with transaction() as session:
        alice, bob = person(session), person(session, BOB)
        assert planned(session, alice)
        assert not planned(session, alice, due_at=LATER)
        assert planned(session, alice, reason="note:2")
        assert planned(session, bob)
    found = db.session.execute(select(Delivery.reason, Delivery.subscriber_id).order_by(Delivery.id)).all()
    assert found == [("note:1", 1), ("note:2", 1), ("note:1", 2)]


def test_2_1_planned_by_many_at_once_it_is_one_row(app: Flask) -> None:
    with transaction() as session:
        person(session)

    def plan(_number: int) -> bool:
        with transaction() as session:
            new = planned(session, audience.fresh(session, 1))
            time.sleep(0.02)
            return new

    assert sorted(at_once(app, 4, plan)) == [False, False, False, True]
    assert db.session.scalar(select(func.count()).select_from(Delivery)) == 1


def test_2_12_planning_for_many_is_one_statement_and_counts_the_new_ones(app: Flask) -> None:
    with transaction() as session:
        for address in (ALICE, BOB):
            person(session, address)
        person(session, CHARLIE, status=Status.UNSUBSCRIBED, marketing=False)
        planned(session, audience.fresh(session, 1), reason="broadcast:1")
        new = actions.plan_many(
            session, reason="broadcast:1", subscribers=audience.reachable(), lane=Lane.BULK, due_at=LATER, now=NOW
        )
    assert new == 1
    rows = db.session.scalars(select(Delivery).order_by(Delivery.id)).all()
    assert [(row.subscriber_id, row.state, row.attempts, row.due_at) for row in rows] == [
        (1, State.PLANNED, 0, NOW),
        (2, State.PLANNED, 0, LATER),
    ]
    assert len({row.message_id for row in rows}) == 2


def test_2_4_the_message_id_is_made_of_reason_and_person_and_tells_neither_address(app: Flask) -> None:
    with transaction() as session:
        planned(session, person(session))
    first = row().message_id
    with transaction() as session:
        session.delete(session.get_one(Delivery, 1))
        session.flush()
        planned(session, audience.fresh(session, 1))
    assert row().message_id == first
    assert first.startswith("<")
    assert first.endswith("@example.org>")
    assert "alice" not in first


def test_2_7_the_urgent_lane_first_then_the_longest_due(app: Flask) -> None:
    wanted = []
    with transaction() as session:
        alice = person(session)
        for number, (lane, minutes) in enumerate(
            [(Lane.BULK, 50), (Lane.SEQUENCE, 5), (Lane.TRANSACTIONAL, 1), (Lane.SEQUENCE, 9), (Lane.TRANSACTIONAL, 2)]
        ):
            planned(session, alice, reason=f"note:{number}", lane=lane, due_at=NOW - timedelta(minutes=minutes))
        planned(session, alice, reason="note:not yet", lane=Lane.TRANSACTIONAL, due_at=LATER)
        wanted = ["note:4", "note:2", "note:3", "note:1", "note:0"]
    with transaction() as session:
        claimed = [one for lane in Lane for one in handover.claim_due(session, "me", NOW, 10, lane)]
        assert [one.reason for one in claimed] == wanted


def test_2_3_two_workers_never_claim_the_same_email(app: Flask) -> None:
    with transaction() as session:
        alice = person(session)
        for number in range(40):
            planned(session, alice, reason=f"note:{number}")

    def work(number: int) -> list[int]:
        mine: list[int] = []
        while True:
            with transaction() as session:
                got = handover.claim_due(session, f"worker {number}", NOW, 6, Lane.SEQUENCE)
            if not got:
                return mine
            mine += [one.id for one in got]

    assert sorted(one for mine in at_once(app, 3, work) for one in mine) == list(range(1, 41))


def test_2_3_a_worker_that_lost_its_lease_does_not_begin(app: Flask) -> None:
    delivery_id = put(State.CLAIMED)
    assert do(handover.begin_sending, [delivery_id], "another") == set()
    do(handover.recover, NOW + rules.LEASE + timedelta(seconds=1))
    assert do(handover.begin_sending, [delivery_id], "me") == set()
    assert row().state == State.PLANNED


def test_2_3_a_lease_that_is_not_over_is_left_alone(app: Flask) -> None:
    put(State.SENDING)
    assert do(handover.recover, NOW + rules.LEASE) == 0
    assert row().state == State.SENDING


def test_2_3_while_a_window_is_sent_its_lease_is_kept(app: Flask) -> None:
    put(State.SENDING)
    soon = NOW + timedelta(minutes=4)
    assert do(handover.keep, "me", soon) == 1
    assert do(handover.recover, NOW + timedelta(minutes=6)) == 0
    assert do(handover.recover, soon + rules.LEASE + timedelta(seconds=1)) == 1
    assert do(handover.keep, "me", soon) == 0


def test_2_4_an_urgent_email_of_a_dead_worker_goes_again_twice_and_then_waits_for_the_operator(app: Flask) -> None:
    put(State.SENDING, lane=Lane.TRANSACTIONAL)
    now = NOW + rules.LEASE + timedelta(seconds=1)
    do(handover.recover, now)
    assert (row().state, row().due_at, row().attempts) == (State.PLANNED, now, 1)
    message_id = row().message_id
    for attempts in (2, 3):
        with transaction() as session:
            session.execute(update(Delivery).values(state=State.SENDING, lease_until=now))
        now += timedelta(seconds=1)
        do(handover.recover, now)
        assert row().attempts == attempts
        if attempts == 2:
            assert row().state == State.PLANNED
            assert row().due_at >= now + timedelta(minutes=5)
    assert row().state == State.UNKNOWN
    assert row().message_id == message_id


def test_2_4_a_series_email_of_a_dead_worker_waits_for_the_operator(app: Flask) -> None:
    delivery_id = put(State.SENDING)
    do(handover.recover, NOW + timedelta(hours=1))
    assert row().state == State.UNKNOWN
    assert row().ended_at is None
    assert do(actions.decide_unknown, [delivery_id], again=False, by="Alice", now=LATER) == 1
    assert (row().state, row().accepted_at, row().ended_at) == (State.ACCEPTED, LATER, LATER)
    assert do(actions.decide_unknown, [delivery_id], again=True, by="Alice", now=LATER) == 0
    events = db.session.execute(select(Event.delivery_id, Event.kind, Event.detail, Event.at)).all()
    assert events == [(delivery_id, EventKind.COUNTED, "Alice", LATER)]


def test_2_8_a_deferred_email_waits_and_counts_its_tries(app: Flask) -> None:
    delivery_id = put(State.SENDING)
    do(record(450, "4.7.1", "greylisted"), delivery_id)
    assert NOW + timedelta(minutes=5) <= row().due_at < NOW + timedelta(minutes=7.5)
    assert (row().attempts, row().first_tried_at, row().state_why) == (1, NOW, "greylisted")
    assert do(handover.claim_due, "me", NOW + timedelta(minutes=4), 5, Lane.SEQUENCE) == []
    attempt = db.session.scalars(select(Attempt)).one()
    assert (attempt.code, attempt.enhanced, attempt.text, attempt.outcome) == (450, "4.7.1", "greylisted", "deferred")


def test_2_2_after_72_hours_of_trying_it_is_given_up(app: Flask) -> None:
    put(State.DEFERRED, first_tried_at=NOW)
    assert do(handover.recover, NOW + timedelta(hours=72)) == 0
    assert do(handover.recover, NOW + timedelta(hours=72, seconds=1)) == 1
    assert (row().state, row().state_why) == (State.EXPIRED, "Not accepted within 72 hours.")


def test_2_8_a_rejected_recipient_counts_as_bounced_and_loses_marketing(app: Flask) -> None:
    do(record(550, "5.1.1", "no such user here"), put(State.SENDING))
    alice = db.session.get_one(Subscriber, 1, populate_existing=True)
    assert (alice.status, alice.marketing) == (Status.BOUNCED, False)
    assert "no such user" in audience.history(db.session(), 1)[-1].text


@pytest.mark.parametrize(("code", "enhanced", "about"), [(550, "5.7.1", "recipient"), (535, "", "session")])
def test_2_8_what_is_wrong_with_us_is_not_the_recipients_fault(
    app: Flask, code: int, enhanced: str, about: str
) -> None:
    do(record(code, enhanced, "policy", about), put(State.SENDING))
    assert row().state == State.DEFERRED
    assert db.session.get_one(Subscriber, 1).status == Status.CONFIRMED


def test_1_14_canceling_all_that_waits_leaves_what_somebody_waits_for(app: Flask) -> None:
    with transaction() as session:
        alice = person(session)
        planned(session, alice, reason="note:1", lane=Lane.TRANSACTIONAL)
        planned(session, alice, reason="note:2", lane=Lane.SEQUENCE)
        planned(session, alice, reason="note:3", lane=Lane.BULK)
        planned(session, person(session, BOB), reason="note:3", lane=Lane.BULK)
        actions.cancel_all(session, 1, "unsubscribed", NOW, but=Lane.TRANSACTIONAL)
    found = select(Delivery.reason, Delivery.subscriber_id, Delivery.state).order_by(Delivery.id)
    assert db.session.execute(found).all() == [
        ("note:1", 1, State.PLANNED),
        ("note:2", 1, State.CANCELED),
        ("note:3", 1, State.CANCELED),
        ("note:3", 2, State.PLANNED),
    ]


@pytest.mark.parametrize(("start", "may"), [(state, state in {State.PLANNED, State.DEFERRED}) for state in State])
def test_send_now_only_hurries_what_waits(sqlite_app: Flask, start: State, may: bool) -> None:
    delivery_id = put(start, due_at=LATER)
    assert do(actions.send_now, delivery_id, NOW) is may
    assert (row().due_at == NOW) is may


def test_an_answer_for_a_row_that_is_gone_is_no_error(app: Flask) -> None:
    assert do(record(250), 99) == {State.ACCEPTED: 1}
    assert db.session.scalars(select(Attempt)).all() == []


def test_2_3_an_answer_that_comes_after_the_lease_is_still_the_answer(app: Flask) -> None:
    """Its worker was only slow: taken for lost, then the relay's yes arrives."""
    delivery_id = put(State.SENDING)
    do(handover.recover, NOW + rules.LEASE + timedelta(seconds=1))
    assert row().state == State.UNKNOWN
    do(record(250), delivery_id)
    assert (row().state, row().accepted_at) == (State.ACCEPTED, NOW)


def test_2_8_one_window_of_mixed_answers(app: Flask) -> None:
    with transaction() as session:
        for address in (ALICE, BOB, CHARLIE):
            planned(session, person(session, address), lane=Lane.BULK, reason="broadcast:1")
        claimed = [one.id for one in handover.claim_due(session, "me", NOW, 10, Lane.BULK)]
        assert handover.begin_sending(session, claimed, "me") == set(claimed)
    replies = [Reply(250, "2.0.0", "ok"), Reply(450, "4.2.0", "later"), Reply(550, "5.1.1", "no such user")]
    told, subjects = list(zip(claimed, replies, strict=True)), dict.fromkeys(claimed, "Hello")
    outcomes = do(handover.record, told, relay="mx:25", subjects=subjects, now=NOW)
    assert outcomes == {State.ACCEPTED: 1, State.DEFERRED: 1, State.REJECTED: 1}
    rows = db.session.scalars(select(Delivery).order_by(Delivery.id)).all()
    assert [(row.state, row.subject, row.attempts) for row in rows] == [
        (State.ACCEPTED, "Hello", 1),
        (State.DEFERRED, "Hello", 1),
        (State.REJECTED, "Hello", 1),
    ]
    attempts = db.session.execute(select(Attempt.code, Attempt.outcome).order_by(Attempt.id)).all()
    assert attempts == [(250, "accepted"), (450, "deferred"), (550, "rejected")]
    answers = dict(db.session.execute(select(Tally.state, Tally.count).where(Tally.batch == "relay:mx:25")).all())
    assert answers == {"accepted": 1, "deferred": 1, "rejected": 1}


def test_1_2_when_emails_of_a_reason_were_planned(app: Flask) -> None:
    with transaction() as session:
        alice = person(session)
        for reason, at in (("confirm:2", LATER), ("confirm:1", NOW), ("confirmation:9", NOW), ("confirm", NOW)):
            planned(session, alice, reason=reason, now=at)
    assert queries.times_planned(db.session(), 1, "confirm") == [NOW, NOW, LATER]
    assert queries.counts(db.session()) == {State.PLANNED: 4}
    assert queries.counts(db.session(), "confirm:1") == {State.PLANNED: 1}
