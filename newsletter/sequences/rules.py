"""The planner of sequences: pure, so that the future can be run.

`enter`, `arrive` and `passed` are all there is: the worker carries their effects out on the database, the forecast on a
copy in memory, and nobody else works out when something is due.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
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
from newsletter.sequences.conditions import NOTHING_KNOWN, Facts, holds, leaves, lets_in
from newsletter.sequences.course import AT_ONCE, END, Course, Kind, Place, Reentry, Step
from newsletter.sequences.saying import say_entry, say_exit

__all__ = [
    "ENROLLMENT_WORDS",
    "EVERY_DAY",
    "NOTHING_KNOWN",
    "UNDER_WAY",
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


# In a sequence: who has had all of an evergreen one is still in it.
UNDER_WAY = (EnrollmentState.ACTIVE, EnrollmentState.CAUGHT_UP)
ENROLLMENT_WORDS = {
    EnrollmentState.ACTIVE: "under way",
    EnrollmentState.CAUGHT_UP: "waiting for new emails",
    EnrollmentState.FINISHED: "finished",
    EnrollmentState.EXITED: "left",
}


# Without it two sequences that move their readers to each other would mail them without end.
SHORTEST_COOLDOWN = timedelta(days=1)


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


def why_not_enter(course: Course, last: Round | None, facts: Facts, now: datetime) -> str:
    """Why a person may not enter (again), in words; empty when they may (semantics 3.12).

    The entry is asked of them each time they would begin, and of nobody who is inside.
    """
    why_not = _why_not_again(course, last, now) if last is not None else ""
    if why_not or lets_in(course.entry, facts):
        return why_not
    return say_entry(course.entry)


def _why_not_again(course: Course, last: Round, now: datetime) -> str:
    if last.state in {EnrollmentState.ACTIVE, EnrollmentState.CAUGHT_UP}:
        return "they are in it already"
    if course.reentry == Reentry.NEVER:
        return "they had it before"
    if course.reentry == Reentry.COMPLETED and last.state != EnrollmentState.FINISHED:
        return "they left it before its end"
    wait = max(timedelta(days=course.cooldown_days), SHORTEST_COOLDOWN)
    return "they had it only lately" if last.ended_at and now < last.ended_at + wait else ""


def due(course: Course, step: Step, way: Way, *, zone: ZoneInfo, now: datetime) -> datetime:
    """When a step of a sequence is due for one reader: a whole minute, the one of `now` at the earliest.

    Only emails keep a distance from each other.
    """
    now = minute(now)
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
    if not course.exits:
        return ""
    return next((say_exit(one) for one in course.exits if leaves(one, facts)), "")


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
            return _at(place, place.step_id, at, place.last_id), effects
        if step.kind == Kind.EMAIL:
            return _at(place, place.step_id, None, place.last_id), [*effects, Mail(step, was_due)]
        place, done = _taken(course, place, step, facts, was_due, zone=zone)
        effects += done
        for effect in done:
            facts = with_tags(facts, effect)
    return place, effects


def passed(
    course: Course, place: Place, at: datetime, facts: Facts, *, sent: bool, zone: ZoneInfo
) -> tuple[Place, list[Effect]]:
    """Where a reader goes on whose email was sent `at`, or ended otherwise then: skipped, canceled, given up."""
    if sent:
        latest = max(place.sent_at or at, at)
        place = Place(place.enrolled_at, place.since, latest, place.step_id, place.due_at, place.last_id, place.skips)
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
    since, passed_id = max(place.since, minute(at)), place.step_id
    if step is None:
        ended = replace(place, since=since, step_id=None, due_at=None, last_id=passed_id)
        return ended, [CaughtUp(at) if course.evergreen else Finished(at)]
    when = due(course, step, Way(place.enrolled_at, since, place.sent_at), zone=zone, now=at)
    return Place(place.enrolled_at, since, place.sent_at, step.id, when, passed_id, place.skips), []


def _next(course: Course, place: Place) -> Step | None:
    return course.after(place.step_id, place.skips)


def _ended(place: Place, last_id: int | None) -> Place:
    return _at(place, None, None, last_id)


def _at(place: Place, step_id: int | None, due_at: datetime | None, last_id: int | None) -> Place:
    # Written out: `replace` takes three times as long, and a forecast of 100,000 readers does this a million times.
    return Place(place.enrolled_at, place.since, place.sent_at, step_id, due_at, last_id, place.skips)


def _names(value: object) -> tuple[str, ...]:
    return tuple(str(name) for name in value) if isinstance(value, list | tuple) else ()


def with_tags(facts: Facts, effect: Effect) -> Facts:
    """A reader's facts after an effect of a step."""
    if not isinstance(effect, Tagged):
        return facts
    return replace(facts, tags=facts.tags.difference(effect.remove).union(effect.add))


def ending(*, evergreen: bool) -> EnrollmentState:
    """Where a reader stands who had the last step (semantics 3.11)."""
    return EnrollmentState.CAUGHT_UP if evergreen else EnrollmentState.FINISHED
