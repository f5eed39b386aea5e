"""Starting a broadcast: proved first, recipients fixed once, never doubled."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from newsletter import clock
from newsletter.application import create_app
from newsletter.audience import actions as audience
from newsletter.audience.models import Subscriber
from newsletter.audience.rules import Status
from newsletter.broadcasts import jobs, proof, queries, running
from newsletter.broadcasts.letters import batch
from newsletter.broadcasts.rules import Answers, BroadcastState
from newsletter.database.engine import db, transaction
from newsletter.delivery.letters import Letter, Withdrawn
from newsletter.delivery.models import Delivery, Tally
from newsletter.delivery.rules import Lane, State
from newsletter.errors import SuppleError
from tests.broadcasts.stage import answered, broadcast, crowd, person, queued, rows, run
from tests.conftest import environment


def letter_for(broadcast_id: int, subscriber_id: int) -> Letter | Withdrawn | SuppleError:
    db.session.rollback()
    wanted = select(Delivery).where(
        Delivery.reason == f"broadcast:{broadcast_id}", Delivery.subscriber_id == subscriber_id
    )
    row = db.session.scalars(wanted).one()
    return batch(db.session(), [row])[row.id]


def test_2_12_recipients_are_fixed_when_it_starts(app: Flask) -> None:
    alice, bob = person("alice@example.org"), person("bob@example.org")
    person("charlie@example.org", status=Status.PENDING)
    person("dora@example.org", marketing=False)
    person("emil@example.org", status=Status.UNSUBSCRIBED)
    number = queued()
    run()
    assert set(rows(number)) == {alice, bob}
    late = person("late@example.org")
    run()
    assert late not in rows(number)
    assert broadcast(number).state == BroadcastState.SENDING


def test_2_1_and_2_12_a_tag_selects_and_the_row_says_why_when_and_how(app: Flask) -> None:
    alice = person("alice@example.org", "yoga")
    person("bob@example.org", "other")
    number = queued(to="tag:YOGA")
    run()
    row = db.session.scalars(select(Delivery)).one()
    assert (row.subscriber_id, row.reason, row.lane) == (alice, f"broadcast:{number}", Lane.BULK)
    assert queries.reason_words(db.session(), row.reason) == "“Your weekly stretch”, written to everybody tagged yoga"


def test_one_person(app: Flask) -> None:
    person("alice@example.org")
    bob = person("bob@example.org")
    number = queued(to=f"person:{bob}")
    run()
    assert set(rows(number)) == {bob}


def test_2_6_whoever_lost_the_tag_is_withdrawn_at_the_moment_of_sending(app: Flask) -> None:
    bob, dora = (person(f"{name}@example.org", "yoga") for name in ("bob", "dora"))
    number = queued(to="tag:yoga")
    run()
    with transaction() as session:
        audience.remove_tag(session, bob, "yoga", clock.now())
    assert letter_for(number, bob) == Withdrawn("not tagged yoga any more")
    found = letter_for(number, dora)
    assert isinstance(found, Letter)
    assert found.marketing


def test_it_waits_for_its_moment(app: Flask) -> None:
    person("alice@example.org")
    number = queued(minutes=60)
    assert jobs.start_due() == 0
    with clock.standing_at(clock.now() + timedelta(minutes=61)):
        run()
    assert len(rows(number)) == 1


def test_2_5_a_slice_planned_twice_is_not_doubled(app: Flask) -> None:
    person("alice@example.org")
    number = queued()
    with transaction() as session:
        running.begin(session, number, clock.now())
    jobs.start_due()  # the proof
    late = broadcast(number)
    for expected in (1, 0):
        with transaction() as session:
            assert running.plan_slice(session, late, clock.now()) == expected
    run()
    assert len(rows(number)) == 1


def test_2_5_two_workers_at_once_start_it_once(app: Flask, database_url: str, tmp_path: Path) -> None:
    for n in range(30):
        person(f"person{n}@example.org")
    number = queued()
    problems: list[BaseException] = []

    def work(worker: Flask) -> None:
        with worker.app_context():
            try:
                run()
            except BaseException as problem:
                problems.append(problem)
            finally:
                db.session.remove()

    queue = f"sqlite:///{tmp_path}/queue.db"
    others = [create_app(environment(tmp_path, DATABASE_URL=database_url, QUEUE_URL=queue)) for _ in range(2)]
    workers = [threading.Thread(target=work, args=(worker,)) for worker in (app, *others)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for other in others:
        with other.app_context():
            db.engine.dispose()
    assert not problems
    assert len(rows(number)) == 30


def test_2_7_proof_and_plan_go_in_slices_so_that_others_are_sent_in_between(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "PIECE", 2)
    monkeypatch.setattr(jobs, "TURN", 0)
    monkeypatch.setattr(running, "PLANNED_AT_ONCE", 2)
    readers = crowd(3)
    number = queued()
    seen = []
    while jobs.start_due():
        found = broadcast(number)
        seen.append((found.state, found.proved, len(rows(number))))
    assert seen == [
        ("starting", 1, 0),
        ("starting", 2, 0),
        ("starting", 3, 0),  # 2.11: every one is made before the first is planned
        ("starting", 3, 2),
        ("started", 3, 3),
    ]
    assert set(rows(number)) == set(readers)


def test_2_7_few_readers_far_apart_are_found_a_bounded_search_at_a_time(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proof, "AT_ONCE", 2)
    monkeypatch.setattr(running, "PLANNED_AT_ONCE", 3)
    first = person("alice@example.org", "yoga")
    crowd(7)
    last = person("bob@example.org", "yoga")
    number = queued(to="tag:yoga")
    run()
    assert set(rows(number)) == {first, last}
    assert broadcast(number).proved == 2


def test_2_12_who_joins_while_the_slices_go_by_is_not_added(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "PLANNED_AT_ONCE", 1)
    alice, dora = person("alice@example.org", "yoga"), person("dora@example.org", "yoga", status=Status.PENDING)
    emil, bob = person("emil@example.org"), person("bob@example.org", "yoga")
    number = queued(to="tag:yoga")
    assert jobs.start_due() == 1
    with transaction() as session:
        late = session.get_one(Subscriber, dora)
        late.status, late.confirmed_at = Status.CONFIRMED, clock.now()
        audience.add_tag(session, emil, "yoga", clock.now())
        audience.unsubscribe(session, bob, "pressed the link", clock.now())
    newest = person("newest@example.org", "yoga")
    run()
    assert set(rows(number)) == {alice}
    assert newest > broadcast(number).through_id


@pytest.mark.parametrize("committed", [True, False])
def test_2_5_killed_at_any_commit_the_next_worker_goes_on_where_it_stood(
    app: Flask, monkeypatch: pytest.MonkeyPatch, committed: bool
) -> None:
    monkeypatch.setattr(jobs, "PIECE", 2)
    monkeypatch.setattr(jobs, "TURN", 0)
    monkeypatch.setattr(running, "PLANNED_AT_ONCE", 2)
    readers, deaths = crowd(3), 0
    while True:
        number = queued()
        with monkeypatch.context() as killing:
            killing.setattr(jobs, "transaction", _dying_after(deaths, committed))
            try:
                run()
                break
            except KeyboardInterrupt:
                db.session.rollback()
        # A dead prover's lease ends, and nobody waits for it any longer.
        with clock.standing_at(clock.now() + running.LEASE * 2):
            run()
        assert rows(number) == dict.fromkeys(readers, State.PLANNED)
        assert (broadcast(number).state, broadcast(number).proved) == ("started", 3)
        deaths += 1
    assert deaths == 9  # begin, three times take and note a slice of the proof, plan two slices


def _dying_after(commits: int, committed: bool) -> Callable[[], AbstractContextManager[Session]]:
    """Transactions of which one more than `commits` ends the worker: just after its commit, or just before."""
    begun = 0

    @contextmanager
    def dying() -> Iterator[Session]:
        nonlocal begun
        begun += 1
        with transaction() as session:
            yield session
            if begun > commits and not committed:
                raise KeyboardInterrupt
        if begun > commits:
            raise KeyboardInterrupt

    return dying


def test_2_3_one_worker_at_a_time_proves_and_a_dead_one_is_replaced(app: Flask) -> None:
    person("alice@example.org")
    number = queued()
    with transaction() as session:
        running.begin(session, number, clock.now())
        assert running.take_proof(session, number, clock.now())
    assert jobs.start_due() == 0  # another worker is at it
    with clock.standing_at(clock.now() + running.LEASE * 2):
        run()
    assert len(rows(number)) == 1


def test_2_3_a_prover_that_was_only_slow_counts_nothing_twice(app: Flask) -> None:
    person("alice@example.org")
    bob = person("bob@example.org")
    number = queued()
    with transaction() as session:
        running.begin(session, number, clock.now())
    slow = broadcast(number)
    db.session.expunge(slow)
    assert jobs.start_due() == 1
    with transaction() as session:
        assert not running.note_proved(session, slow, bob, 2, {bob: "Too late."})
    run()
    assert broadcast(number).proved == 2
    assert set(rows(number).values()) == {State.PLANNED}


def test_tallies(app: Flask) -> None:
    number = queued(minutes=5)
    answered(number, accepted=1, rejected=2, unknown=3, planned=4, sending=5, deferred=6)
    tally = queries.tallies(db.session(), [number, 999])
    assert (tally[number].total, tally[number].waiting, tally[number].open, tally[number].done) == (21, 9, 18, 3)
    assert tally[number].answers == Answers(1, 2)
    assert tally[999].total == 0


def test_a_broadcast_of_the_first_version_is_counted_by_its_rows(app: Flask) -> None:
    crowd(3)
    number = queued()
    run()
    with transaction() as session:
        session.execute(delete(Tally))
    assert queries.tally_of(db.session(), number).waiting == 3


def test_one_compile_for_all_readers(app: Flask) -> None:
    alice, bob = person("alice@example.org"), person("bob@example.org")
    number = queued()
    run()
    first, second = letter_for(number, alice), letter_for(number, bob)
    assert isinstance(first, Letter)
    assert isinstance(second, Letter)
    assert first.compiled is second.compiled
    assert db.session.get(Subscriber, alice)
