"""Starting a broadcast: proved first, recipients fixed once, never doubled."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from newsletter import addresses, clock
from newsletter.application import create_app
from newsletter.audience import actions as audience
from newsletter.audience.models import Subscriber
from newsletter.audience.rules import Status
from newsletter.broadcasts import actions, jobs, queries, rules
from newsletter.broadcasts.letters import letter
from newsletter.broadcasts.models import Broadcast
from newsletter.broadcasts.rules import BroadcastState, Text
from newsletter.database.engine import db, transaction
from newsletter.delivery.letters import Letter, Withdrawn
from newsletter.delivery.models import Delivery
from newsletter.delivery.rules import Lane, State
from newsletter.errors import InputError, SourceError
from tests.conftest import environment

WORDS = Text("Your weekly stretch", "Ten calm minutes", "# Hello {{ subscriber.first_name or 'there' }}\n\nBreathe.")
FILE = "---\nsubject: From a file\npreheader: Short\n---\nHello {{ subscriber.first_name or 'you' }}.\n"


def person(email: str, *tags: str, **fields: object) -> int:
    with transaction() as session:
        found = audience.remember(session, addresses.parse(email), source="test", now=clock.now())
        found.status, found.marketing = Status.CONFIRMED, True
        for name, value in fields.items():
            setattr(found, name, value)
        session.flush()
        for tag in tags:
            audience.add_tag(session, found.id, tag, clock.now())
        return found.id


def queued(text: Text = WORDS, to: str = "all", minutes: int = 0) -> int:
    with transaction() as session:
        draft = actions.write(session, text, by=None, now=clock.now())
        at = clock.now() + timedelta(minutes=minutes) if minutes else None
        actions.aim(session, draft.id, rules.audience(to), at)
        actions.queue(session, draft.id, clock.now())
        return draft.id


def run() -> None:
    while jobs.start_due():
        pass


def rows(broadcast_id: int) -> dict[int, str]:
    db.session.rollback()
    wanted = select(Delivery).where(Delivery.reason == f"broadcast:{broadcast_id}")
    return {
        row.subscriber_id: row.state for row in db.session.scalars(wanted.execution_options(populate_existing=True))
    }


def broadcast(broadcast_id: int) -> Broadcast:
    db.session.rollback()
    return queries.find(db.session(), broadcast_id)


def letter_for(broadcast_id: int, subscriber_id: int) -> Letter | Withdrawn:
    db.session.rollback()
    wanted = select(Delivery).where(
        Delivery.reason == f"broadcast:{broadcast_id}", Delivery.subscriber_id == subscriber_id
    )
    return letter(db.session(), db.session.scalars(wanted).one())


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
    assert broadcast(number).state == BroadcastState.STARTED


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


def test_2_6_whoever_left_is_withdrawn_at_the_moment_of_sending(app: Flask) -> None:
    alice, bob, dora = (person(f"{name}@example.org", "yoga") for name in ("alice", "bob", "dora"))
    number = queued(to="tag:yoga")
    run()
    with transaction() as session:
        audience.unsubscribe(session, alice, "pressed the link", clock.now())
        audience.remove_tag(session, bob, "yoga", clock.now())
    assert letter_for(number, alice) == Withdrawn("unsubscribed")
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


def test_2_5_started_twice_it_is_not_doubled(app: Flask) -> None:
    person("alice@example.org")
    number = queued()
    with transaction() as session:
        proved = queries.find(session, number)
        session.expunge(proved)
    for expected in (1, 0):
        with transaction() as session:
            assert actions.start(session, proved, {}, "", clock.now()) == expected
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


def test_2_11_the_proof_goes_in_slices_so_that_others_are_sent_in_between(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "SLICE", 4)
    for n in range(10):
        person(f"person{n}@example.org")
    number = queued()
    assert jobs.start_due() == 1
    assert rows(number) == {}
    steps = 1
    while jobs.start_due():
        steps += 1
    assert steps == 3
    assert len(rows(number)) == 10


def test_2_11_one_reader_who_breaks_the_template_is_listed_and_the_others_get_it(app: Flask) -> None:
    alice = person("alice@example.org", fields={"city": "Cologne"})
    bob = person("bob@example.org")
    number = queued(Text("Hello", "", "Line one\n\nHow is {{ fields.city }}?"))
    run()
    assert rows(number) == {alice: State.PLANNED, bob: State.CANCELED}
    found = broadcast(number)
    assert found.state == BroadcastState.STARTED
    assert "For 1 of 2 readers" in found.problem
    assert "line 3" in found.problem
    assert "bob@" not in found.problem
    row = db.session.scalars(select(Delivery).where(Delivery.subscriber_id == bob)).one()
    assert "city" in row.state_why


def test_2_11_a_template_broken_for_all_does_not_start(app: Flask) -> None:
    person("alice@example.org")
    number = queued(Text("Hello", "", "How is {{ fields.city }}?"))
    run()
    found = broadcast(number)
    assert rows(number) == {}
    assert found.state == BroadcastState.DRAFT
    assert found.send_at is None
    assert "cannot be made for any" in found.problem


def test_2_11_taken_back_and_changed_during_the_proof_it_does_not_start_unproved(app: Flask) -> None:
    person("alice@example.org")
    number = queued()
    with transaction() as session:
        proved = queries.find(session, number)
        session.expunge(proved)
    with transaction() as session:
        actions.take_back(session, number, clock.now())
        actions.rewrite(session, number, Text("Other", "", "Other {{ fields.nothing }}"))
        actions.queue(session, number, clock.now())
    with transaction() as session:
        assert actions.start(session, proved, {}, "", clock.now()) == 0
    assert broadcast(number).state == BroadcastState.QUEUED


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


def test_cancel_and_take_back_only_while_queued(app: Flask) -> None:
    person("alice@example.org")
    first, second, third = queued(minutes=5), queued(minutes=5), queued()
    with transaction() as session:
        actions.cancel(session, first)
        actions.take_back(session, second, clock.now())
    run()
    assert states([first, second, third]) == ["canceled", "draft", "started"]
    for number in (first, third):
        with pytest.raises(InputError, match="not queued any more"), transaction() as session:
            actions.cancel(session, number)
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
    alice, bob = person("alice@example.org"), person("bob@example.org")
    number = queued()
    run()
    with transaction() as session:
        for subscriber_id, state in ((alice, State.ACCEPTED), (bob, State.REJECTED)):
            row = session.scalars(select(Delivery).where(Delivery.subscriber_id == subscriber_id)).one()
            row.state = state
    tally = queries.tallies(db.session(), [number, 999])
    assert (tally[number].total, tally[number].accepted, tally[number].rejected, tally[number].done) == (2, 1, 1, 2)
    assert tally[999].total == 0


def test_one_compile_for_all_readers(app: Flask) -> None:
    alice, bob = person("alice@example.org"), person("bob@example.org")
    number = queued()
    run()
    first, second = letter_for(number, alice), letter_for(number, bob)
    assert isinstance(first, Letter)
    assert isinstance(second, Letter)
    assert first.compiled is second.compiled
    assert db.session.get(Subscriber, alice)
