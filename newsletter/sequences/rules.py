"""The planner of sequences: pure, so that the future can be run.

`enter`, `arrive` and `passed` are all there is: the worker carries their effects out on the database, the forecast on a
copy in memory, and nobody else works out when something is due.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from newsletter.civil import instant, zone_of
from newsletter.sequences.civil import (
    EVERY_DAY,
    CountsFrom,
    Timing,
    Unit,
    Way,
    fit,
    mask,
    minute,
    next_instant,
    problem_with,
)
from newsletter.sequences.conditions import NOTHING_KNOWN, Condition, Facts, holds, leaves, say

__all__ = [
    "ENROLLMENT_WORDS",
    "EVERY_DAY",
    "NOTHING_KNOWN",
    "CaughtUp",
    "CountsFrom",
    "Course",
    "Effect",
    "EnrollmentState",
    "Facts",
    "Finished",
    "Kind",
    "Left",
    "Mail",
    "Moved",
    "Place",
    "Reentry",
    "Round",
    "Step",
    "Tagged",
    "Timing",
    "Unit",
    "Way",
    "arrive",
    "due",
    "enter",
    "fit",
    "instant",
    "left",
    "mask",
    "minute",
    "moved",
    "next_instant",
    "passed",
    "problem_with",
    "why_not_enter",
    "zone_of",
]


class EnrollmentState(StrEnum):
    """Where a reader stands in a sequence; what a person reads is in `ENROLLMENT_WORDS`."""

    ACTIVE = "active"  # waits for next_due_at, or for the planned email to leave
    CAUGHT_UP = "caught_up"  # had all there is of an evergreen one, and waits for new steps (semantics 3.11)
    FINISHED = "finished"  # had the last step
    EXITED = "exited"  # left before the end, with the reason


ENROLLMENT_WORDS = {
    EnrollmentState.ACTIVE: "under way",
    EnrollmentState.CAUGHT_UP: "waiting for new emails",
    EnrollmentState.FINISHED: "finished",
    EnrollmentState.EXITED: "left",
}


class Kind(StrEnum):
    """What a step does when its moment has come."""

    EMAIL = "email"
    WAIT = "wait"  # nothing: it is its delay
    CONDITION = "condition"  # asks about the reader and goes on at one of two later steps
    TAG = "tag"
    MOVE = "move"  # ends this sequence and begins another one
    END = "end"


class Reentry(StrEnum):
    """Whether a person may have a sequence more than once (semantics 3.12)."""

    NEVER = "never"
    COMPLETED = "completed"  # once they have had it to its end
    ALWAYS = "always"  # whenever they are not in it, after the cool-down


# Without it two sequences that move their readers to each other would mail them without end.
SHORTEST_COOLDOWN = timedelta(days=1)
AT_ONCE = Timing()
END = "end"  # where a condition may lead beside a step's key


@dataclass(frozen=True)
class Step:
    """A step as the planner sees it."""

    id: int
    key: str
    position: int
    kind: str = Kind.EMAIL
    timing: Timing = AT_ONCE
    config: Mapping[str, Any] = field(default_factory=dict, hash=False)
    deleted: bool = False


@dataclass(frozen=True)
class Course:
    """A sequence as the planner sees it; `steps` in the order of their positions, deleted ones among them.

    What is later than `overdue_hours` is not moved into the next window but handed over as late as it is (3.16).
    """

    id: int = 0
    slug: str = ""
    steps: tuple[Step, ...] = ()
    min_gap_hours: int = 20
    evergreen: bool = False
    reentry: str = Reentry.NEVER
    cooldown_days: int = 0
    goal: Condition = field(default_factory=dict, hash=False)
    exits: tuple[Condition, ...] = field(default=(), hash=False)
    overdue_hours: int = 48

    @cached_property
    def _by_id(self) -> dict[int, Step]:
        return {step.id: step for step in self.steps}

    @cached_property
    def asks(self) -> bool:
        """Whether its way depends on facts about the reader; if not, nobody need read them."""
        live = any(step.kind == Kind.CONDITION for step in self.steps if not step.deleted)
        return bool(self.goal or self.exits or live)

    def step(self, step_id: int | None) -> Step | None:
        """The step with that id, unless it was deleted."""
        found = self._by_id.get(step_id) if step_id is not None else None
        return None if found is None or found.deleted else found

    def after(self, step_id: int | None, skips: frozenset[int] = frozenset()) -> Step | None:
        """The step that follows the one with that id (which may be deleted) and is not among `skips`.

        The first one after None.
        """
        known = self._by_id.get(step_id) if step_id is not None else None
        passed = known.position if known else -1
        ahead = (step for step in self.steps if step.position > passed)
        return next((step for step in ahead if not step.deleted and step.id not in skips), None)

    def onward(self, step: Step, key: str, skips: frozenset[int] = frozenset()) -> Step | None:
        """Where a condition's branch leads: to the later step of that key, "" the next one, None the end.

        Only ever forward, so that no reader walks in circles; a step that was deleted leads to what follows it.
        """
        if key == END:
            return None
        named = next((other for other in self.steps if key and other.key == key), None)
        if named is None or named.position <= step.position:
            return self.after(step.id, skips)
        return self.after(named.id, skips) if named.deleted or named.id in skips else named


@dataclass(frozen=True, slots=True)
class Place(Way):
    """Where a reader stands: at which step, and when it is due (None while its email is on its way).

    `step_id` None: at the end; `last_id` is the step passed last; `skips` are passed over, as if they were not there:
    a step this reader has had already, which an edit moved ahead of them (semantics 3.1).
    """

    step_id: int | None = None
    due_at: datetime | None = None
    last_id: int | None = None
    skips: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Mail:
    """The step's email is to go; it was due `at`."""

    step: Step
    at: datetime


@dataclass(frozen=True, slots=True)
class Tagged:
    """The reader's tags change."""

    step: Step
    add: tuple[str, ...]
    remove: tuple[str, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class Moved:
    """The reader has finished here and is to enter the sequence `to_slug`."""

    step: Step
    to_slug: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Finished:
    """The reader had everything."""

    at: datetime


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """The reader had everything so far, and waits for new steps (semantics 3.11)."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Left:
    """The reader leaves before the end, and why in words (semantics 3.13)."""

    why: str
    at: datetime


Effect = Mail | Tagged | Moved | Finished | CaughtUp | Left


@dataclass(frozen=True, slots=True)
class Round:
    """A reader's last time in a sequence."""

    state: str
    ended_at: datetime | None


def why_not_enter(course: Course, last: Round | None, now: datetime) -> str:
    """Why a person may not enter (again), in words; empty when they may (semantics 3.12)."""
    if last is None:
        return ""
    if last.state in {EnrollmentState.ACTIVE, EnrollmentState.CAUGHT_UP}:
        return "they are in it already"
    if course.reentry == Reentry.NEVER:
        return "they had it before"
    if course.reentry == Reentry.COMPLETED and last.state != EnrollmentState.FINISHED:
        return "they left it before its end"
    wait = max(timedelta(days=course.cooldown_days), SHORTEST_COOLDOWN)
    return "they had it only lately" if last.ended_at and now < last.ended_at + wait else ""


def due(course: Course, step: Step, way: Way, *, zone: ZoneInfo, now: datetime) -> datetime:
    """When a step of a sequence is due for one reader; only emails keep a distance from each other."""
    if step.kind == Kind.EMAIL:
        return next_instant(step.timing, way, zone=zone, min_gap_hours=course.min_gap_hours, now=now)
    if step.timing == AT_ONCE:
        return max(minute(way.since), now)
    # Without the last email, a step that is none is neither kept back by it nor let through its own window at once.
    bare = Way(way.enrolled_at, way.since, minute(way.since))
    return next_instant(step.timing, bare, zone=zone, min_gap_hours=0, now=now)


def moved(course: Course, step: Step, way: Way, *, zone: ZoneInfo, now: datetime) -> datetime:
    """When a step is due after the zone has changed: not in the past, and on no day that has had its email (3.8)."""
    if way.sent_at is None or step.kind != Kind.EMAIL:
        return due(course, step, way, zone=zone, now=now)
    that_day = way.sent_at.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    return due(course, step, way, zone=zone, now=max(now, instant(that_day + timedelta(days=1), zone)))


def enter(course: Course, *, zone: ZoneInfo, now: datetime) -> Place:
    """Where a reader begins who enters now."""
    start = Place(now, now)
    first = course.after(None)
    if first is None:
        return start
    return replace(start, step_id=first.id, due_at=due(course, first, start, zone=zone, now=now))


def left(course: Course, facts: Facts) -> str:
    """Why a reader leaves, in words: the goal is reached, or an exit is taken; empty when they stay."""
    if course.goal and holds(course.goal, facts):
        return "goal reached"
    return next((say(one) for one in course.exits if leaves(one, facts)), "")


def arrive(course: Course, place: Place, facts: Facts, *, zone: ZoneInfo, now: datetime) -> tuple[Place, list[Effect]]:
    """What happens at `now` to a reader whose step is due: steps are taken until one lies ahead, or an email is due.

    With a `Mail` the place has no `due_at` until the email has `passed`.
    """
    effects: list[Effect] = []
    while place.step_id is not None and (was_due := place.due_at) is not None and was_due <= now:
        why = left(course, facts)
        if why:
            return _ended(place, place.last_id), [*effects, Left(why, now)]
        step = None if place.step_id in place.skips else course.step(place.step_id)
        if step is None:  # deleted while they waited: the wait is over, on to the next (semantics 3.10)
            place, ended = _onward(course, place, _next(course, place), was_due, zone=zone)
            effects += ended
            continue
        # Asked again: the zone or the timing may have changed since, and a late tick must not send outside the window.
        at, late = due(course, step, place, zone=zone, now=now), now - was_due
        if at > now and late <= timedelta(hours=course.overdue_hours):
            return replace(place, due_at=at), effects
        if step.kind == Kind.EMAIL:
            return replace(place, due_at=None), [*effects, Mail(step, was_due)]
        place, done = _taken(course, place, step, facts, was_due, zone=zone)
        effects += done
        facts = _with_tags(facts, done)
    return place, effects


def passed(
    course: Course, place: Place, at: datetime, facts: Facts, *, sent: bool, zone: ZoneInfo
) -> tuple[Place, list[Effect]]:
    """Where a reader goes on whose email was sent `at`, or ended otherwise then: skipped, canceled, given up."""
    if sent:
        place = replace(place, sent_at=max(place.sent_at or at, at))
    why = left(course, facts)
    if why:
        return _ended(place, place.step_id), [Left(why, at)]
    return _onward(course, place, _next(course, place), at, zone=zone)


def _taken(
    course: Course, place: Place, step: Step, facts: Facts, at: datetime, *, zone: ZoneInfo
) -> tuple[Place, list[Effect]]:
    """Beyond a step that is no email."""
    effects: list[Effect] = []
    following = _next(course, place)
    match step.kind:
        case Kind.TAG:
            add, remove = _names(step.config.get("add")), _names(step.config.get("remove"))
            effects.append(Tagged(step, add, remove, at))
        case Kind.CONDITION:
            branch = "then" if holds(step.config.get("if") or {}, facts) else "else"
            key = str(step.config.get(branch) or "")
            following = course.onward(step, key, place.skips)
            if key == END:
                return _ended(place, step.id), [Finished(at)]
        case Kind.MOVE:
            return _ended(place, step.id), [Moved(step, str(step.config.get("to") or ""), at)]
        case Kind.END:
            return _ended(place, step.id), [Finished(at)]
    place, ended = _onward(course, place, following, at, zone=zone)
    return place, effects + ended


def _onward(
    course: Course, place: Place, step: Step | None, at: datetime, *, zone: ZoneInfo
) -> tuple[Place, list[Effect]]:
    place = replace(place, since=max(place.since, minute(at)), last_id=place.step_id)
    if step is None:
        return _ended(place, place.last_id), [CaughtUp(at) if course.evergreen else Finished(at)]
    return replace(place, step_id=step.id, due_at=due(course, step, place, zone=zone, now=at)), []


def _next(course: Course, place: Place) -> Step | None:
    return course.after(place.step_id, place.skips)


def _ended(place: Place, last_id: int | None) -> Place:
    return replace(place, step_id=None, due_at=None, last_id=last_id)


def _names(value: object) -> tuple[str, ...]:
    return tuple(str(name) for name in value) if isinstance(value, list | tuple) else ()


def _with_tags(facts: Facts, effects: list[Effect]) -> Facts:
    for effect in effects:
        if isinstance(effect, Tagged):
            facts = replace(facts, tags=facts.tags.difference(effect.remove).union(effect.add))
    return facts
