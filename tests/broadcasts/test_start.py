"""Starting a broadcast: proved first, recipients fixed once, never doubled."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
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
from newsletter.broadcasts import actions, jobs, queries, rules, running
from newsletter.broadcasts.letters import batch
from newsletter.broadcasts.models import Broadcast, Unmakeable
from newsletter.broadcasts.rules import Answers, BroadcastState, Text
from newsletter.database.engine import db, transaction
from newsletter.delivery.letters import Letter, Withdrawn
from newsletter.delivery.models import Delivery, Tally
from newsletter.delivery.rules import Lane, State
from newsletter.errors import InputError, SourceError, SuppleError
from tests.broadcasts.stage import WORDS, answered, broadcast, crowd, person, queued, rows, run
from tests.conftest import environment

FILE = "---\nsubject: From a file\npreheader: Short\n---\nHello {{ subscriber.first_name or 'you' }}.\n"


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
    monkeypatch.setattr(jobs, "PIECE", 4)
    monkeypatch.setattr(jobs, "TURN", 0)
    monkeypatch.setattr(running, "PLANNED_AT_ONCE", 5)
    readers = crowd(10)
    number = queued()
    seen = []
    while jobs.start_due():
        found = broadcast(number)
        seen.append((found.state, found.proved, len(rows(number))))
    assert seen == [
        ("starting", 4, 0),
        ("starting", 8, 0),
        ("starting", 10, 0),  # 2.11: every one is made before the first is planned
        ("starting", 10, 5),
        ("started", 10, 10),
    ]
    assert set(rows(number)) == set(readers)


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
    assert deaths == 7  # begin, twice take and note a slice of the proof, plan two slices


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


def test_2_11_one_reader_who_breaks_the_template_is_listed_and_the_others_get_it(app: Flask) -> None:
    alice = person("alice@example.org", fields={"city": "Cologne"})
    bob = person("bob@example.org")
    number = queued(Text("Hello", "", "Line one\n\nHow is {{ fields.city }}?"))
    run()
    assert rows(number) == {alice: State.PLANNED, bob: State.CANCELED}
    found = broadcast(number)
    assert found.state == BroadcastState.SENDING
    assert db.session.scalar(select(Unmakeable)) is None
    assert "For 1 of 2 readers" in found.problem
    assert "line 3" in found.problem
    assert "bob@" not in found.problem
    row = db.session.scalars(select(Delivery).where(Delivery.subscriber_id == bob)).one()
    assert "city" in row.state_why


def test_2_11_many_who_break_it_are_canceled_in_the_slice_that_plans_them(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "CANCELED_AT_ONCE", 2)
    good = person("alice@example.org", fields={"city": "Cologne"})
    broken = crowd(5)
    number = queued(Text("Hello", "", "How is {{ fields.city }}?"))
    run()
    assert rows(number) == {good: State.PLANNED} | dict.fromkeys(broken, State.CANCELED)


def test_2_11_a_template_broken_for_all_does_not_start(app: Flask) -> None:
    person("alice@example.org")
    number = queued(Text("Hello", "", "How is {{ fields.city }}?"))
    run()
    found = broadcast(number)
    assert rows(number) == {}
    assert found.state == BroadcastState.DRAFT
    assert (found.send_at, found.started_at) == (None, None)
    assert "cannot be made for any" in found.problem
    assert db.session.scalar(select(Unmakeable)) is None


def test_2_11_a_template_broken_for_the_first_thousand_is_not_tried_on_a_million(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "HOPELESS", 4)
    monkeypatch.setattr(jobs, "PIECE", 2)
    monkeypatch.setattr(jobs, "TURN", 0)
    crowd(7)
    person("alice@example.org", fields={"city": "Cologne"})
    number = queued(Text("Hello", "", "How is {{ fields.city }}?"))
    run()
    found = broadcast(number)
    assert (found.state, found.proved) == (BroadcastState.DRAFT, 4)


def test_2_11_tags_are_read_when_the_text_asks_for_them(app: Flask) -> None:
    alice, bob = person("alice@example.org", "yoga"), person("bob@example.org")
    number = queued(Text("Hello", "", "You like {{ subscriber.tags[0] }}."))
    run()
    assert rows(number) == {alice: State.PLANNED, bob: State.CANCELED}


def test_2_11_taken_back_and_changed_during_the_proof_the_old_proof_is_worth_nothing(app: Flask) -> None:
    person("alice@example.org")
    number = queued()
    with transaction() as session:
        running.begin(session, number, clock.now())
    proved = broadcast(number)
    db.session.expunge(proved)
    with transaction() as session:
        actions.take_back(session, number, clock.now())
        actions.rewrite(session, number, Text("Other", "", "Other {{ fields.nothing }}"))
        actions.queue(session, number, clock.now())
        running.begin(session, number, clock.now())
    with transaction() as session:
        assert not running.note_proved(session, proved, proved.through_id, 1, {})
        assert not running.refuse(session, proved, "The old words are broken.")
    run()
    assert (broadcast(number).state, rows(number)) == (BroadcastState.DRAFT, {})


def test_2_12_nobody_left_when_it_starts_is_told(app: Flask) -> None:
    number = queued(to="tag:yoga", minutes=5)
    with clock.standing_at(clock.now() + timedelta(minutes=6)):
        run()
        jobs.watch_over()
    found = broadcast(number)
    assert (found.state, found.problem) == (BroadcastState.DONE, "Nobody was in this audience when it started.")


def test_a_broken_text_is_not_queued(app: Flask) -> None:
    person("alice@example.org")
    with pytest.raises(SourceError, match="The text, line 3"):
        queued(Text("Hello", "", "one\n\n{% if subscriber.first_name %} two"))
    with pytest.raises(SourceError, match="The subject is empty"):
        queued(Text(" ", "", "one"))
    with pytest.raises(SourceError, match="The subject, line 1"):
        queued(Text("Hello {{ subscriber", "", "{% if x %}"))


def test_nobody_there_is_told_before_queueing(app: Flask) -> None:
    with pytest.raises(InputError, match="no confirmed subscribers tagged yoga"):
        queued(to="tag:yoga")
    assert queued(to="tag:yoga", minutes=5)  # they may come until then


def states(numbers: Iterable[int]) -> list[str]:
    return [broadcast(number).state for number in numbers]


def test_what_was_called_off_or_sent_stays_as_it_is(app: Flask) -> None:
    person("alice@example.org")
    first, second, third = queued(minutes=5), queued(minutes=5), queued()
    with transaction() as session:
        running.cancel(session, first, clock.now())
        actions.take_back(session, second, clock.now())
    run()
    assert states([first, second, third]) == ["canceled", "draft", "started"]
    for number in (first, third):
        with pytest.raises(InputError, match="not waiting any more"), transaction() as session:
            actions.take_back(session, number, clock.now())
        with pytest.raises(InputError, match="its words stand"), transaction() as session:
            actions.rewrite(session, number, WORDS)
        with pytest.raises(InputError, match="Only drafts"), transaction() as session:
            actions.delete_draft(session, number)


def test_a_file_is_queued(app: Flask) -> None:
    alice = person("alice@example.org", "yoga")
    at = clock.now() + timedelta(hours=1)
    with transaction() as session:
        number = actions.queue_from_file(session, FILE, "tag:yoga", at, clock.now()).id
    found = broadcast(number)
    assert (found.state, found.audience, found.send_at, found.subject) == ("queued", "tag:yoga", at, "From a file")
    with clock.standing_at(at):
        run()
    assert set(rows(number)) == {alice}


@pytest.mark.parametrize(
    ("text", "to", "hours", "words"),
    [
        ("no front matter", "all", None, "front matter is missing"),
        (FILE, "segment:x", None, "Segments cannot be written to yet"),
        (FILE, "all", -1, "This moment is over"),
        (FILE + "{{ subscriber.", "all", None, "line 2"),
    ],
)
def test_a_file_that_cannot_be_queued_says_why(app: Flask, text: str, to: str, hours: int | None, words: str) -> None:
    person("alice@example.org")
    at = None if hours is None else clock.now() + timedelta(hours=hours)
    with pytest.raises(Exception, match=words), transaction() as session:
        actions.queue_from_file(session, text, to, at, clock.now())
    assert db.session.scalar(select(Broadcast.id)) is None


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
