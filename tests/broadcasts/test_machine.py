"""The arrows of a broadcast: each one by the program's own doing, and no other."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask

from newsletter import clock
from newsletter.broadcasts import actions, jobs, rules, running
from newsletter.broadcasts.rules import BroadcastState, Text
from newsletter.database.engine import transaction
from newsletter.errors import SuppleError
from tests.broadcasts.stage import answered, broadcast, crowd, pause, person, queued, resume, run

DRAFT, QUEUED, STARTING, SENDING, PAUSED, DONE, CANCELED = BroadcastState

BROKEN = Text("Hello", "", "How is {{ fields.city }}?")
Deed = Callable[[int], object]


def a_draft() -> int:
    person("alice@example.org")
    number = queued(minutes=5)
    act(actions.take_back)(number)
    return number


def waiting() -> int:
    person("alice@example.org")
    return queued(minutes=5)


def starting() -> int:
    crowd(3)
    number = queued()
    begin(number)
    return number


def half_planned() -> int:
    number = starting()
    jobs.start_due()
    jobs.start_due()
    assert (broadcast(number).state, broadcast(number).planned_to) == (STARTING, 1)
    return number


def sending() -> int:
    crowd(3)
    number = queued()
    run()
    return number


def paused_half_planned() -> int:
    number = half_planned()
    pause(number)
    return number


def paused() -> int:
    number = sending()
    pause(number)
    return number


def act(deed: Callable[..., object]) -> Deed:
    """Do that now, in a transaction of its own."""

    def doing(number: int) -> object:
        with transaction() as session:
            return deed(session, number, clock.now())

    return doing


def begin(number: int) -> None:
    act(running.begin)(number)


def due(number: int) -> None:
    with clock.standing_at(clock.now() + timedelta(minutes=6)):
        jobs.start_due()


def proved_broken(number: int) -> None:
    with transaction() as session:
        running.refuse(session, broadcast(number), "It cannot be made for anybody.")


def refused_too_often(number: int) -> None:
    answered(number, accepted=90, rejected=10)
    jobs.watch_over()


def all_answered(number: int) -> None:
    answered(number, accepted=3, planned=0)
    jobs.watch_over()


def plan_on(number: int) -> None:
    del number
    run()


def queue_it(number: int) -> None:
    act(actions.queue)(number)


ARROWS: list[tuple[Callable[[], int], Deed, BroadcastState, BroadcastState]] = [
    (a_draft, queue_it, DRAFT, QUEUED),
    (waiting, act(actions.take_back), QUEUED, DRAFT),
    (waiting, due, QUEUED, STARTING),
    (waiting, act(running.cancel), QUEUED, CANCELED),
    (starting, act(actions.take_back), STARTING, DRAFT),
    (starting, proved_broken, STARTING, DRAFT),
    (starting, plan_on, STARTING, SENDING),
    (starting, pause, STARTING, PAUSED),
    (half_planned, refused_too_often, STARTING, PAUSED),
    (half_planned, act(running.cancel), STARTING, CANCELED),
    (sending, pause, SENDING, PAUSED),
    (sending, refused_too_often, SENDING, PAUSED),
    (sending, all_answered, SENDING, DONE),
    (sending, act(running.cancel), SENDING, CANCELED),
    (paused_half_planned, resume, PAUSED, STARTING),
    (paused, resume, PAUSED, SENDING),
    (paused, all_answered, PAUSED, DONE),
    (paused, act(running.cancel), PAUSED, CANCELED),
]


@pytest.mark.parametrize(
    ("stage", "deed", "source", "to"),
    ARROWS,
    ids=[f"{source}-{to}-{number}" for number, (_, _, source, to) in enumerate(ARROWS)],
)
def test_2_10_each_arrow(
    app: Flask,
    monkeypatch: pytest.MonkeyPatch,
    stage: Callable[[], int],
    deed: Deed,
    source: BroadcastState,
    to: BroadcastState,
) -> None:
    monkeypatch.setattr(running, "PLANNED_AT_ONCE", 1)
    number = stage()
    assert broadcast(number).state == source
    deed(number)
    assert broadcast(number).state == to


def test_the_tests_know_every_arrow() -> None:
    assert {(source, to) for _, _, source, to in ARROWS} == {
        (source, to) for source, found in rules.ARROWS.items() for to in found
    }


WRONG: list[tuple[Callable[[], int], Deed]] = [
    (a_draft, resume),
    (a_draft, act(actions.take_back)),
    (a_draft, act(running.cancel)),
    (waiting, queue_it),
    (waiting, resume),
    (half_planned, act(actions.take_back)),
    (sending, act(actions.take_back)),
    (sending, queue_it),
    (sending, resume),
]


@pytest.mark.parametrize(("stage", "deed"), WRONG)
def test_2_10_no_other_arrow(app: Flask, monkeypatch: pytest.MonkeyPatch, stage: Callable[[], int], deed: Deed) -> None:
    monkeypatch.setattr(running, "PLANNED_AT_ONCE", 1)
    number = stage()
    before = broadcast(number).state
    with pytest.raises(SuppleError):
        deed(number)
    assert broadcast(number).state == before


@pytest.mark.parametrize("end", [all_answered, act(running.cancel)], ids=["done", "canceled"])
def test_2_10_an_end_is_an_end(app: Flask, end: Deed) -> None:
    number = sending()
    end(number)
    before = broadcast(number).state
    for deed in (queue_it, resume, act(running.cancel), act(actions.take_back)):
        with pytest.raises(SuppleError):
            deed(number)
    with transaction() as session:
        assert not running.pause(session, number, "Too late.", clock.now())
        assert not running.begin(session, number, clock.now())
    assert broadcast(number).state == before
