"""A broadcast while it runs: paused, resumed, called off, stopped by itself, finished."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from newsletter import clock
from newsletter.broadcasts import jobs, queries, running
from newsletter.broadcasts.letters import batch
from newsletter.broadcasts.rules import BroadcastState
from newsletter.database.engine import db, transaction
from newsletter.delivery import queries as ledger
from newsletter.delivery.letters import Letter, Withdrawn
from newsletter.delivery.models import Delivery
from newsletter.delivery.rules import State
from newsletter.worker import take_turn
from tests.broadcasts.stage import answered, broadcast, crowd, pause, person, queued, resume, rows, run
from tests.statements import questions


def started(readers: int = 3) -> int:
    crowd(readers)
    number = queued()
    run()
    return number


def cancel(number: int) -> None:
    with transaction() as session:
        running.cancel(session, number, clock.now())


def held() -> list[str]:
    db.session.rollback()
    return [hold.what for hold in ledger.holds(db.session())]


def test_2_10_paused_nothing_leaves_and_resumed_everything_does(app: Flask) -> None:
    number = started()
    pause(number)
    assert held() == [f"broadcast:{number}"]
    take_turn()
    assert set(rows(number).values()) == {State.PLANNED}
    assert broadcast(number).paused_why == "Lunch."
    resume(number)
    take_turn()
    assert set(rows(number).values()) == {State.ACCEPTED}
    assert broadcast(number).state == BroadcastState.DONE
    assert held() == []


def test_2_10_paused_while_it_is_planned_the_planning_stops_and_goes_on(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "PLANNED_AT_ONCE", 2)
    readers = crowd(5)
    number = queued()
    jobs.start_due()
    jobs.start_due()
    pause(number)
    assert run() == 0
    assert len(rows(number)) == 2
    late = person("late@example.org")
    resume(number)
    run()
    assert set(rows(number)) == set(readers)
    assert late not in rows(number)


def test_2_10_called_off_nobody_else_gets_it(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "SWEPT_AT_ONCE", 2)
    number = started(5)
    cancel(number)
    assert held() == [f"broadcast:{number}"]
    assert [jobs.watch_over() for _ in range(4)] == [2, 2, 1, 0]
    assert set(rows(number).values()) == {State.CANCELED}
    found, tally = broadcast(number), queries.tally_of(db.session(), number)
    assert (tally.total, tally.canceled, tally.open) == (5, 5, 0)
    assert found.finished_at is not None
    assert held() == []
    take_turn()
    assert set(rows(number).values()) == {State.CANCELED}


def test_2_10_called_off_while_paused_what_was_put_aside_is_canceled_too(app: Flask) -> None:
    number = started()
    pause(number)
    take_turn()  # parks what it claims
    cancel(number)
    take_turn()
    assert set(rows(number).values()) == {State.CANCELED}


def test_2_10_called_off_while_it_is_planned_nobody_more_is_planned(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "PLANNED_AT_ONCE", 2)
    crowd(5)
    number = queued()
    jobs.start_due()
    jobs.start_due()
    cancel(number)
    take_turn()
    assert list(rows(number).values()) == [State.CANCELED] * 2


def test_2_10_called_off_while_it_is_proved_nobody_gets_anything(app: Flask) -> None:
    person("alice@example.org")
    number = queued()
    with transaction() as session:
        running.begin(session, number, clock.now())
    cancel(number)
    take_turn()
    assert (rows(number), held()) == ({}, [])
    assert broadcast(number).finished_at is not None


def test_2_6_one_that_is_claimed_after_it_was_called_off_is_withdrawn(app: Flask) -> None:
    number = started()
    cancel(number)
    found = db.session.scalars(select(Delivery)).all()
    assert set(batch(db.session(), found).values()) == {Withdrawn("the email to everybody was called off")}


def test_2_10_it_pauses_itself_and_says_why(app: Flask) -> None:
    number = started()
    answered(number, accepted=94, rejected=5, planned=900)
    assert jobs.watch_over() == 0
    answered(number, accepted=128, rejected=12, planned=860)
    assert jobs.watch_over() == 1
    found = broadcast(number)
    assert (found.state, found.paused_why.split(".")[0]) == (
        "paused",
        "12 of 140 were refused by the readers’ mail servers",
    )
    assert held() == [f"broadcast:{number}"]
    assert [row.id for row in queries.paused(db.session())] == [number]
    assert jobs.watch_over() == 0


def test_2_10_resumed_it_does_not_stop_again_at_once(app: Flask) -> None:
    number = started()
    answered(number, accepted=128, rejected=12, planned=860)
    jobs.watch_over()
    resume(number)
    assert jobs.watch_over() == 0
    answered(number, accepted=222, rejected=17, planned=761)  # 5 of 99 since
    assert jobs.watch_over() == 0
    answered(number, accepted=222, rejected=18, planned=760)  # 6 of 100 since
    assert jobs.watch_over() == 1
    assert broadcast(number).paused_why.startswith("6 of 100")


def test_2_10_the_job_asks_the_tally_and_never_counts_rows(app: Flask) -> None:
    number = started()
    with questions() as asked:
        jobs.watch_over()
    assert asked
    assert not [statement for statement, _ in asked if "FROM deliveries" in statement]
    assert broadcast(number).rate_at is not None


OPEN = ("planned", "claimed", "sending", "deferred", "unknown")


@pytest.mark.parametrize("left", OPEN)
def test_2_4_it_is_not_finished_while_something_is_open(app: Flask, left: str) -> None:
    number = started()
    answered(number, **({"accepted": 2, "planned": 0} | {left: 1}))
    assert jobs.watch_over() == 0
    assert broadcast(number).state == BroadcastState.SENDING
    answered(number, **{left: 0, "rejected": 1})
    assert jobs.watch_over() == 1
    assert broadcast(number).state == BroadcastState.DONE


def test_2_10_the_pace_is_measured_while_it_runs(app: Flask) -> None:
    number, began = started(), clock.now()
    for second, done in ((0, 0), (1, 300), (3, 900), (6, 1500)):
        answered(number, accepted=done, planned=5000 - done)
        with clock.standing_at(began + timedelta(seconds=second)):
            jobs.watch_over()
    found = broadcast(number)
    assert found.rate == pytest.approx((18000 + 12000) / 2)
    assert found.rate_done == 1500
    pause(number)
    assert broadcast(number).rate == 0


def test_2_6_a_batch_of_a_tag_asks_once_for_all(app: Flask) -> None:
    for name in ("alice", "bob", "dora"):
        person(f"{name}@example.org", "yoga")
    number = queued(to="tag:yoga")
    run()
    found = db.session.scalars(select(Delivery)).all()
    db.session.expire_all()
    with questions() as asked:
        letters = batch(db.session(), found)
    assert all(isinstance(one, Letter) for one in letters.values())
    assert len([statement for statement, _ in asked if "tags" in statement]) == 1
    assert broadcast(number)
