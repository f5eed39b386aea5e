"""What a forecast could forget, one thing at a time: a hundred worlds that do not notice each of them prove nothing.

A broken forecast is run beside the true one on the same world. Where the two differ, so would the broken one and what
then really happens, because the true one is compared with that in the same world.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import Any
from unittest.mock import patch
from zoneinfo import ZoneInfo

from newsletter import clock
from newsletter.database.engine import db
from newsletter.delivery import days
from newsletter.forecast import reading, simulating
from newsletter.forecast.lives import House, Life, Waiting, Walk
from newsletter.forecast.reading import Known
from newsletter.sequences import civil, dates, rules
from newsletter.sequences.course import AT_ONCE, Course, Kind, Reentry, Step
from newsletter.sequences.rules import EVERY_DAY, CountsFrom, Tagged, Unit
from newsletter.sequences.triggers import Kind as Trigger
from tests.worlds.world import World

Patch = tuple[Any, str, Any]
UTC_ALWAYS = ZoneInfo("UTC")


@dataclass(frozen=True)
class Forgets:
    """A forecast without one thing, as the house, a reader or the code would be without it."""

    house: Callable[[House], House] = lambda house: house
    life: Callable[[Life, House, datetime], Life] = lambda life, *_: life
    code: tuple[Patch, ...] = ()


def _course(change: Callable[[Course], Course]) -> Forgets:
    return Forgets(house=lambda house: replace(house, courses={n: change(one) for n, one in house.courses.items()}))


def _step(change: Callable[[Step], Step]) -> Forgets:
    return _course(lambda course: replace(course, steps=tuple(map(change, course.steps))))


def _timing(**values: Any) -> Forgets:
    return _step(lambda step: replace(step, timing=replace(step.timing, **values)))


def _house(**values: Any) -> Forgets:
    return Forgets(house=lambda house: replace(house, **values))


def _life(**values: Any) -> Forgets:
    return Forgets(life=lambda life, *_: replace(life, **values))


def _walks(change: Callable[[Walk, House, datetime], Walk]) -> Forgets:
    return Forgets(
        life=lambda life, house, now: replace(life, walks=tuple(change(one, house, now) for one in life.walks))
    )


def _waiting(change: Callable[[Waiting], Waiting]) -> Forgets:
    return Forgets(life=lambda life, *_: replace(life, waiting=tuple(map(change, life.waiting))))


def _code(*patches: Patch) -> Forgets:
    return Forgets(code=patches)


def _openings(kind: str) -> Forgets:
    return Forgets(
        house=lambda house: replace(house, openings=tuple(one for one in house.openings if one.kind != kind))
    )


def _place(**values: Any) -> Forgets:
    return _walks(lambda walk, *_: replace(walk, place=replace(walk.place, **values)))


def _at_once(walk: Walk, now: datetime) -> Walk:
    due = walk.place.due_at
    return replace(walk, place=replace(walk.place, due_at=min(due, now))) if due else walk


def _deleted_at_once(walk: Walk, house: House, now: datetime) -> Walk:
    gone = house.courses[walk.course_id].step(walk.place.step_id) is None
    return _at_once(walk, now) if gone else walk


def _crowd_at_once(walk: Walk, house: House, now: datetime) -> Walk:
    if walk.place.enrolled_at <= now:
        return walk
    return replace(walk, place=replace(walk.place, enrolled_at=now, since=now, due_at=now))


def _in_hours(step: Step) -> Step:
    timing = step.timing
    if timing.unit == Unit.HOURS:
        return step
    return replace(step, timing=replace(timing, amount=timing.amount * 24, unit=Unit.HOURS))


def _in_days(step: Step) -> Step:
    timing = step.timing
    if timing.unit == Unit.DAYS:
        return step
    return replace(step, timing=replace(timing, amount=timing.amount // 24, unit=Unit.DAYS))


def _one_way(step: Step) -> Step:
    config = {**step.config, "then": "", "else": ""}
    return replace(step, config=config) if step.kind == Kind.CONDITION else step


def _no_wait(step: Step) -> Step:
    return replace(step, timing=AT_ONCE) if step.kind == Kind.WAIT else step


def _goes_nowhere(step: Step) -> Step:
    return replace(step, config={"to": ""}) if step.kind == Kind.MOVE else step


def _without(name: str) -> Callable[[Step], Step]:
    return lambda step: replace(step, config={**step.config, name: []}) if step.kind == Kind.TAG else step


def _no_first(*args: Any, **names: Any) -> datetime:
    timing, way = args
    return civil.next_instant(timing, replace(way, enrolled_at=way.enrolled_at - timedelta(seconds=1)), **names)


def _instant(wrong: Callable[[datetime, Any], datetime]) -> Forgets:
    return _code(*((module, "instant", wrong) for module in (civil, days, dates, rules)))


def _second_time(local: datetime, zone: Any) -> datetime:
    """Of a time that occurs twice the second one (semantics 3.5 wants the first)."""
    right = days_instant(local, zone)
    later = local.replace(tzinfo=zone, fold=1).astimezone(UTC_ALWAYS)
    return later if later > right else right


def _in_gap(local: datetime, zone: Any) -> datetime:
    """A time that does not exist, as Python reads it: as long after the gap as it lies in it."""
    return local.replace(tzinfo=zone, fold=0).astimezone(UTC_ALWAYS)


days_instant = days.instant


def _still_clock(life: Life, house: House, now: datetime) -> Life:
    return replace(life, zone=timezone(now.astimezone(life.zone).utcoffset() or timedelta()))  # type: ignore[arg-type]


def _tagged_in_turn(self: simulating.Days, effect: Tagged, now: datetime) -> None:
    self.tags = self.tags.union(effect.add).difference(effect.remove)


FORGETTING: dict[str, Forgets] = {
    # Joining
    "tags that let people join": _openings(Trigger.TAG),
    "tag triggers that rest": Forgets(
        house=lambda house: replace(house, openings=tuple(replace(one, enabled=True) for one in house.openings))
    ),
    "dates that let people join": _life(dates=()),
    "what has just happened": _life(told=()),
    "moves to another series": _step(_goes_nowhere),
    "that people had a series before": _life(rounds={}),
    "that people may have a series again": _course(lambda course: replace(course, reentry=Reentry.NEVER)),
    "that some may only once they had all": _course(
        lambda course: replace(course, reentry=Reentry.ALWAYS) if course.reentry == Reentry.COMPLETED else course
    ),
    "the cool-down": _course(lambda course: replace(course, cooldown_days=0)),
    "the shortest cool-down": _code((rules, "SHORTEST_COOLDOWN", timedelta())),
    "who may join": _course(lambda course: replace(course, entry={})),
    "evergreen": _course(lambda course: replace(course, evergreen=False)),
    "that a crowd joins one by one": _walks(_crowd_at_once),
    # Leaving
    "goals": _course(lambda course: replace(course, goal={})),
    "exits": _course(lambda course: replace(course, exits=())),
    "goals and exits at once": _code((simulating.Days, "_reconsider", lambda *_: None)),
    "who must get nothing": _code((reading.sequences, "barred", lambda *_: {})),
    # What is known of readers
    "tags": _life(tags=frozenset()),
    "tags that steps give": _step(_without("add")),
    "tags that steps take": _step(_without("remove")),
    "downloads": _life(downloaded=frozenset()),
    "clicks": _walks(lambda walk, *_: replace(walk, clicked=frozenset())),
    "fields": _life(fields={}),
    "zones": _life(zone=UTC_ALWAYS),
    # Steps
    "waits": _step(_no_wait),
    "questions' ways": _step(_one_way),
    "windows": _timing(window=None),
    "weekdays": _timing(weekdays=EVERY_DAY),
    "delays": _timing(amount=0),
    "that delays may count from joining": _timing(counts_from=CountsFrom.PREVIOUS),
    "that days are calendar days": _step(_in_hours),
    "that hours are elapsed time": _step(_in_days),
    "the distance between two": _course(lambda course: replace(course, min_gap_hours=0)),
    "that the first goes at once": _code((rules, "next_instant", _no_first)),
    "steps to pass over": _place(skips=frozenset()),
    "the wait for a deleted step": _walks(_deleted_at_once),
    "days that pauses moved": _code(
        (
            reading.sequences,
            "place",
            lambda row: replace(_true_place(row), enrolled_at=row.enrolled_at),
        )
    ),
    # Clocks
    "that clocks change": Forgets(life=_still_clock),
    "that some times come twice": _instant(_second_time),
    "that some times never come": _instant(_in_gap),
    # Pauses
    "who stands still": _walks(lambda walk, *_: replace(walk, still=False)),
    "paused people": _life(paused=False),
    "paused series": _house(stopped=frozenset()),
    "lanes of which nothing leaves": _house(held=frozenset()),
    "emails that stand still": _waiting(lambda one: replace(one, still=False)),
    # Emails to many
    "emails to many": _house(sendouts=()),
    "to whom they go": Forgets(
        house=lambda house: replace(house, sendouts=tuple(replace(one, tag="") for one in house.sendouts))
    ),
    "to the one person": Forgets(
        house=lambda house: replace(house, sendouts=tuple(replace(one, person=0) for one in house.sendouts))
    ),
    # The ledger
    "emails that wait": _life(waiting=()),
    "emails that have ended": _life(ended=()),
    "that an email was called off": Forgets(
        life=lambda life, *_: replace(life, ended=tuple(replace(one, sent=True) for one in life.ended))
    ),
    "one a day": _house(one_a_day=False),
    "what was sent today": _life(sent=()),
    "what comes later today": _code((simulating.Days, "_coming", lambda *_: ())),
    "who is first: the series": _house(first=days.BROADCAST),
    "who is first: the email to many": _house(first=days.SERIES),
    "the order of one moment": _code((simulating.Days, "_rank", lambda _, one: one.order)),
    "when a moved email was due": _waiting(lambda one: replace(one, moved_from=None)),
    "that moved emails keep their windows": _code((simulating.Days, "_fit_of", lambda *_: None)),
    "hurried emails": _waiting(lambda one: replace(one, insisted=False)),
    "what is overdue": _house(overdue_hours=100_000),
    "what a late worker still hands over": _course(lambda course: replace(course, overdue_hours=100_000)),
}


_true_place = reading.sequences.place


@dataclass
class Watch:
    """Which world was the first to notice what a forecast forgets."""

    noticed: dict[str, int] = field(default_factory=dict)
    worlds: int = 0

    def look(self, world: World, days: int = 30) -> None:
        """Run every forecast that nobody has noticed yet on a world that was just made."""
        self.worlds += 1
        now, until = world.now, world.now + timedelta(days=days)
        with clock.standing_at(now):
            known, lives = _read(world, now, until)
            true = _ahead(known, lives, now, until, Forgets())
            for name in self.unnoticed:
                forgets = FORGETTING[name]
                with ExitStack() as changed:
                    for patched in forgets.code:
                        changed.enter_context(patch.object(*patched))
                    reads = any(where is reading.sequences for where, *_ in forgets.code)
                    found = _read(world, now, until) if reads else (known, lives)
                    if _ahead(*found, now, until, forgets) != true:
                        self.noticed[name] = world.seed

    @property
    def unnoticed(self) -> list[str]:
        """What no world noticed."""
        return [name for name in FORGETTING if name not in self.noticed]


def _read(world: World, now: datetime, until: datetime) -> tuple[Known, list[Life]]:
    db.session.rollback()
    known = reading.known(db.session(), now, until)
    lives = reading.lives(db.session(), known, world.readers, now, until)
    db.session.rollback()
    return known, lives


def _ahead(known: Known, lives: list[Life], now: datetime, until: datetime, forgets: Forgets) -> list[str]:
    house = forgets.house(known.house)
    return [
        str((life.subscriber_id, replace(one, moved_from=None, because="")))
        for life in lives
        for one in simulating.ahead(forgets.life(life, house, now), house, now=now, until=until)
    ]
