"""What may be queued, and what a queued email may still become."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from newsletter import clock
from newsletter.broadcasts import actions, letters, running
from newsletter.broadcasts.models import Broadcast
from newsletter.broadcasts.rules import Text
from newsletter.database.engine import db, transaction
from newsletter.errors import InputError, SourceError
from newsletter.messages import compiling
from tests.broadcasts.stage import WORDS, broadcast, person, queued, rows, run

FILE = "---\nsubject: From a file\npreheader: Short\n---\nHello {{ subscriber.first_name or 'you' }}.\n"


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


def test_2_7_the_text_is_compiled_before_the_writers_lock_is_taken(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    person("alice@example.org")
    compiled: list[bool] = []

    def compile_message(*given: Any, **more: Any) -> compiling.CompiledMessage:
        compiled.append(bool(db.session().info.get("writing")))
        return compiling.compile_message(*given, **more)

    monkeypatch.setattr("newsletter.broadcasts.letters.compile_message", compile_message)
    letters.compiled.cache_clear()
    actions.make_ready(db.session(), actions.source_of_file(FILE))
    with transaction() as session:
        actions.queue_from_file(session, FILE, "all", None, clock.now())
    assert compiled == [False]
