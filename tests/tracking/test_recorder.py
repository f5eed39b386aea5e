"""Clicks wait for the database, not readers for clicks."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import timedelta
from multiprocessing import get_context
from multiprocessing.connection import Connection

import pytest

from newsletter.errors import Busy
from newsletter.tracking import recorder as recorder_module
from newsletter.tracking.recorder import AT_ONCE, Recorder
from newsletter.tracking.rules import Seen
from tests.people import NOW


def seen(number: int) -> Seen:
    return Seen(number, 1, 1, NOW + timedelta(seconds=number), robot=False)


class Book:
    """Takes clicks as the database would; `troubles` are raised first, one for each writing."""

    def __init__(self, *troubles: Exception) -> None:
        self.troubles = list(troubles)
        self.pages: list[list[int]] = []
        self.written = threading.Event()

    def write(self, clicks: Sequence[Seen]) -> None:
        if self.troubles:
            raise self.troubles.pop(0)
        self.pages.append([one.delivery_id for one in clicks])
        self.written.set()


def waiting(recorder: Recorder, *numbers: int) -> Recorder:
    recorder.waiting.extend(seen(number) for number in numbers)
    return recorder


def test_clicks_are_written_by_themselves_a_moment_later() -> None:
    book = Book()
    recorder = Recorder(book.write)
    recorder.note(seen(1))
    assert book.written.wait(10)
    book.written.clear()
    recorder.note(seen(2))
    assert book.written.wait(10)
    assert book.pages == [[1], [2]]


def test_many_are_written_together_in_their_order() -> None:
    book = Book()
    recorder = waiting(Recorder(book.write), *range(AT_ONCE + 3))
    assert recorder.flush()
    assert book.pages == [list(range(AT_ONCE)), list(range(AT_ONCE, AT_ONCE + 3))]
    assert recorder.flush()
    assert len(book.pages) == 2


def test_what_a_busy_database_did_not_take_waits_in_its_order() -> None:
    book = Book(Busy("busy"))
    recorder = waiting(Recorder(book.write), 1, 2, 3)
    assert not recorder.flush()
    waiting(recorder, 4)
    assert recorder.flush()
    assert book.pages == [[1, 2, 3, 4]]


def test_a_busy_database_is_asked_again_without_another_click(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder_module, "BUSY_PAUSE", 0.01)
    book = Book(Busy("busy"), Busy("still busy"))
    Recorder(book.write).note(seen(1))
    assert book.written.wait(10)
    assert book.pages == [[1]]


def test_what_can_never_be_written_does_not_hold_up_the_rest() -> None:
    book = Book(ValueError("no such column"))
    recorder = waiting(Recorder(book.write), 1)
    assert recorder.flush()
    waiting(recorder, 2)
    assert recorder.flush()
    assert book.pages == [[2]]


def test_memory_has_a_bound_and_the_newest_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder_module, "MOST_WAITING", 3)
    recorder = waiting(Recorder(Book(*[Busy("away")] * 9).write), 1, 2, 3, 4)
    assert not recorder.flush()
    waiting(recorder, 5)
    assert [one.delivery_id for one in recorder.waiting] == [3, 4, 5]


def _serve(pipe: Connection) -> None:
    Recorder(lambda clicks: pipe.send([one.delivery_id for one in clicks])).note(seen(7))


def test_what_waits_when_a_web_process_ends_is_written_first() -> None:
    ours, theirs = get_context("fork").Pipe()
    process = get_context("fork").Process(target=_serve, args=(theirs,))
    process.start()
    assert ours.poll(20)
    assert ours.recv() == [7]
    process.join(20)
    assert process.exitcode == 0
