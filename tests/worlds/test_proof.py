"""The proof itself: it fails when the planner is another one, and holds on PostgreSQL and with every minute lived."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from newsletter import clock
from newsletter.broadcasts import actions as broadcasts
from newsletter.broadcasts.models import Broadcast
from newsletter.broadcasts.rules import BroadcastState
from newsletter.database.engine import transaction
from newsletter.delivery import actions as ledger
from newsletter.delivery.rules import Lane
from newsletter.forecast import simulating
from newsletter.sequences import rules
from tests.worlds.inventing import invent
from tests.worlds.living import MINUTE, live, only_concerned
from tests.worlds.proof import foreseen, prove
from tests.worlds.scenes import a_full_day
from tests.worlds.telling import later
from tests.worlds.working import look_in
from tests.worlds.world import TEXTS, World

SEEDS = (1, 4, 7, 10)


def a_minute_late(*args: Any, **names: Any) -> Any:
    """The planner, broken: every step after an email is due a minute later."""
    place, effects = rules.passed(*args, **names)
    return (replace(place, due_at=place.due_at + MINUTE) if place.due_at else place), effects


def test_3_21_the_proof_fails_when_forecast_and_worker_plan_differently(
    emptied: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulating, "passed", a_minute_late)
    failed = []
    for seed in SEEDS:
        emptied()
        failed += prove(seed).differences
    assert failed


def test_3_21_the_proof_fails_when_the_forecast_forgets_other_emails_of_the_day(
    emptied: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulating.Days, "_verdict", lambda *_: None)
    failed = []
    for seed in SEEDS:
        emptied()
        failed += prove(seed).differences
    assert failed


@pytest.mark.parametrize("lane", [Lane.SEQUENCE, Lane.BULK])
def test_3_20_what_a_jump_of_the_clock_holds_up_is_not_foreseen(emptied: Callable[[], None], lane: Lane) -> None:
    """Not only what waits already: what would be planned in the next thirty days waits as well."""

    def held(world: World) -> None:
        with clock.standing_at(world.now), transaction() as session:
            ledger.hold(session, f"lane:{int(lane)}", "The clock jumped.", clock.now())

    for seed in (0, 1, 7):
        emptied()
        shown = prove(seed, look=held)
        assert not shown.differences, str(shown)
        assert all((row.sequence is None) == (lane == Lane.SEQUENCE) for row in shown.foreseen)


@pytest.mark.parametrize("seed", [6, 12, 16, 17, 19])
def test_3_17_what_is_held_takes_no_day_in_the_forecast_either(emptied: Callable[[], None], seed: int) -> None:
    """Series, emails to many, or single ones of those; these days differed when the forecast kept theirs."""

    def full_and_held(world: World) -> None:
        a_full_day(world, random.Random(seed))
        later(world, hours=20)
        look_in(world)
        later(world, minutes=1)
        with clock.standing_at(world.now), transaction() as session:
            begun = session.scalars(select(Broadcast.id).where(Broadcast.state == BroadcastState.SENDING)).all()
            for what in (["lane:1"], ["lane:2"], [f"broadcast:{one}" for one in begun])[seed % 3]:
                ledger.hold(session, what, "An operator said so.", clock.now())

    emptied()
    shown = prove(seed, look=full_and_held)
    assert not shown.differences, str(shown)


def test_3_16_an_email_to_many_that_is_days_late_is_not_foreseen(emptied: Callable[[], None]) -> None:
    def late(world: World) -> None:
        with clock.standing_at(world.now), transaction() as session:
            moment = clock.now() - timedelta(hours=201)
            broadcasts.queue_from_file(session, TEXTS[0], "all", moment, moment)

    emptied()
    shown = prove(1, look=late)
    assert not shown.differences, str(shown)


@pytest.mark.parametrize("seed", range(200, 206))
def test_3_21_on_both_databases(app: Flask, seed: int) -> None:
    shown = prove(seed)
    assert not shown.differences, str(shown)


def test_3_21_minute_by_minute_is_the_same_as_from_one_due_minute_to_the_next(emptied: Callable[[], None]) -> None:
    """An hour of really every minute, around something that is due."""
    emptied()
    with only_concerned():
        world = invent(18)
        with clock.standing_at(world.now):
            rows = foreseen(world, 30)
        first = live(world.now, 1)
        start = world.now + timedelta(days=1)
        every = live(start, 1 / 24, every_minute=True)
    assert every.turns >= 60
    wanted = [row for row in rows if row.minute <= f"{start + timedelta(hours=1):%Y-%m-%d %H:%M}"]
    assert sorted(first.emails + every.emails, key=str) == wanted
