"""The machine keeps its tallies whatever happens, and what is held is put aside and comes back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from newsletter.database.engine import db, transaction
from newsletter.delivery import actions, handover, machine, queries, rules
from newsletter.delivery.models import Attempt, Delivery, Event, Hold, Tally
from newsletter.delivery.rules import Lane, Reply, State
from tests.people import ALICE, BOB, CHARLIE, NOW, person, planned
from tests.threads import at_once

LATER = NOW + timedelta(hours=1)


def do(action: Callable[..., object], *given: object, **more: object) -> object:
    with transaction() as session:
        return action(session, *given, **more)


def tallies() -> dict[tuple[str, str], int]:
    db.session.rollback()
    kept = db.session.execute(select(Tally.batch, Tally.state, Tally.count).where(Tally.count != 0)).all()
    return {(batch, state): count for batch, state, count in kept if not batch.startswith("relay:")}


def counted() -> dict[tuple[str, str], int]:
    db.session.rollback()
    rows = db.session.execute(select(Delivery.reason, Delivery.lane, Delivery.state)).all()
    return dict(Counter((rules.batch_of(reason, lane), state) for reason, lane, state in rows))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_the_tallies_say_what_counting_every_row_says(sqlite_app: Flask, data: st.DataObject) -> None:
    """Whatever happens to the emails, in whatever order."""
    with transaction() as session:
        for model in (Attempt, Event, Delivery, Tally, Hold):
            session.execute(delete(model))
        for number in range(4):
            reader = person(session, f"reader{number}@example.org")
            lane = data.draw(st.sampled_from(list(Lane)))
            planned(session, reader, lane=lane, reason="broadcast:1" if lane is Lane.BULK else "note:1")
    now = NOW
    for _ in range(data.draw(st.integers(1, 12))):
        now += timedelta(minutes=data.draw(st.sampled_from([0, 1, 6, 60 * 80])))
        ids = list(db.session.scalars(select(Delivery.id)))
        chosen = data.draw(st.sampled_from(ids))
        code = data.draw(st.sampled_from([0, 250, 450, 550]))
        steps: list[Callable[[Session], object]] = [
            lambda s: [handover.claim_due(s, "me", now, 2, lane) for lane in Lane],  # noqa: B023 - run at once
            lambda s: handover.begin_sending(s, ids, "me"),  # noqa: B023
            lambda s: handover.record(s, [(chosen, Reply(code))], relay="mx", subjects={}, now=now),  # noqa: B023
            lambda s: handover.recover(s, now),  # noqa: B023
            lambda s: handover.give_back(s, ids, "me", "stopped", now),  # noqa: B023
            lambda s: actions.cancel(s, chosen, "by hand", now),  # noqa: B023
            lambda s: actions.hold(s, "broadcast:1", "paused", now),  # noqa: B023
            lambda s: actions.let_go(s, "broadcast:1"),
            lambda s: actions.unpark(s, now, limit=1),  # noqa: B023
            lambda s: actions.decide_unknown(s, ids, again=code == 250, by="Alice", now=now),  # noqa: B023
        ]
        do(data.draw(st.sampled_from(steps)))
        assert tallies() == counted()


def test_the_tallies_of_many_workers_at_once_add_up(app: Flask) -> None:
    with transaction() as session:
        for number in range(30):
            planned(session, person(session, f"r{number}@example.org"), lane=Lane.BULK, reason="broadcast:1")

    def work(number: int) -> None:
        for _ in range(5):
            with transaction() as session:
                ids = [one.id for one in handover.claim_due(session, f"w{number}", NOW, 2, Lane.BULK)]
                handover.begin_sending(session, ids, f"w{number}")
                handover.record(session, [(one, Reply(250)) for one in ids], relay="mx", subjects={}, now=NOW)

    at_once(app, 3, work)
    assert tallies() == counted() == {("broadcast:1", "accepted"): 30}


def test_2_10_a_held_broadcast_is_put_aside_and_comes_back(app: Flask) -> None:
    with transaction() as session:
        for address in (ALICE, BOB, CHARLIE):
            reader = person(session, address)
            planned(session, reader, lane=Lane.BULK, reason="broadcast:1")
        planned(session, reader, lane=Lane.BULK, reason="broadcast:2")
        actions.hold(session, "broadcast:1", "Paused by Alice.", NOW)
    assert [one.reason for one in do(handover.claim_due, "me", NOW, 10, Lane.BULK)] == ["broadcast:2"]  # type: ignore[attr-defined]
    assert do(handover.claim_due, "me", NOW + timedelta(days=400), 10, Lane.BULK) == []
    aside = db.session.execute(select(Delivery.state, Delivery.state_why).where(Delivery.due_at == rules.PARKED)).all()
    assert aside == [(State.PLANNED, "Paused by Alice.")] * 3
    assert [held.what for held in queries.holds(db.session())] == ["broadcast:1"]
    do(actions.let_go, "broadcast:1")
    assert list(queries.holds(db.session())) == []
    assert [do(actions.unpark, LATER, limit=2) for _ in range(4)] == [2, 1, 1, 0]
    assert len(do(handover.claim_due, "me", LATER, 10, Lane.BULK)) == 3  # type: ignore[arg-type]


def test_2_10_a_held_lane_waits_and_the_others_go(app: Flask) -> None:
    with transaction() as session:
        alice = person(session)
        for lane in Lane:
            planned(session, alice, lane=lane, reason=f"note:{lane}")
        actions.hold(session, "lane:1", "The clock jumped.", NOW)
    assert [len(do(handover.claim_due, "me", NOW, 10, lane)) for lane in Lane] == [1, 0, 1]  # type: ignore[arg-type]
    do(actions.let_go, "lane:1")
    assert len(do(handover.claim_due, "me", NOW, 10, Lane.SEQUENCE)) == 1  # type: ignore[arg-type]


def test_2_10_a_canceled_broadcast_is_canceled_in_slices(app: Flask) -> None:
    with transaction() as session:
        for address in (ALICE, BOB, CHARLIE):
            planned(session, person(session, address), lane=Lane.BULK, reason="broadcast:1")
        planned(session, person(session), lane=Lane.BULK, reason="broadcast:2")
        assert actions.cancel_many(session, "broadcast:1", {1: "No name."}, NOW) == 1
    done = [do(actions.cancel_batch, "broadcast:1", "Called off.", NOW, limit=1) for _ in range(3)]
    assert done == [1, 1, 0]
    found = select(Delivery.reason, Delivery.state, Delivery.state_why).order_by(Delivery.id)
    assert db.session.execute(found).all() == [
        ("broadcast:1", State.CANCELED, "No name."),
        ("broadcast:1", State.CANCELED, "Called off."),
        ("broadcast:1", State.CANCELED, "Called off."),
        ("broadcast:2", State.PLANNED, ""),
    ]


def test_an_arrow_that_does_not_exist_is_refused(app: Flask) -> None:
    with pytest.raises(ValueError, match="no arrow"), transaction() as session:
        machine.move(session, State.ACCEPTED, State.PLANNED, NOW)
