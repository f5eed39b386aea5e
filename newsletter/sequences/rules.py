"""The planner of sequences: pure, so that the future can be run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo


class EnrollmentState(StrEnum):
    """Where a reader stands in a sequence; what a person reads is in `ENROLLMENT_WORDS`."""

    ACTIVE = "active"  # waits for next_due_at, or for the planned email to leave
    FINISHED = "finished"  # had the last step
    EXITED = "exited"  # left before the end, with the reason


ENROLLMENT_WORDS = {
    EnrollmentState.ACTIVE: "under way",
    EnrollmentState.FINISHED: "finished",
    EnrollmentState.EXITED: "left",
}


class Unit(StrEnum):
    """What a delay is counted in (semantics 3.4)."""

    DAYS = "days"  # calendar days in the reader's zone: 2 days after Monday is Wednesday
    HOURS = "hours"  # elapsed time, whatever the clocks on the wall do


class CountsFrom(StrEnum):
    """Where a delay begins (semantics 3.3)."""

    PREVIOUS = "previous"  # the previous step's actual send
    ENROLLMENT = "enrollment"


EVERY_DAY = 0b1111111  # Monday = 1, Sunday = 64


@dataclass(frozen=True)
class Timing:
    """When a step goes: a delay, then a window of local time (from, until; until is not inside), then weekdays."""

    amount: int = 0
    unit: str = Unit.DAYS
    counts_from: str = CountsFrom.PREVIOUS
    window: tuple[time, time] | None = None
    weekdays: int = EVERY_DAY


@dataclass(frozen=True)
class Step:
    """A step as the planner sees it."""

    id: int
    position: int
    timing: Timing
    deleted: bool = False


@dataclass(frozen=True)
class Course:
    """A sequence as the planner sees it; `steps` in the order of their positions, deleted ones among them."""

    steps: tuple[Step, ...]
    min_gap_hours: int

    def step(self, step_id: int | None) -> Step | None:
        """The step with that id, unless it was deleted."""
        return next((step for step in self.steps if step.id == step_id and not step.deleted), None)

    def after(self, step_id: int | None) -> Step | None:
        """The step that follows the one with that id (which may be deleted); the first one after None."""
        passed = max((step.position for step in self.steps if step.id == step_id), default=-1)
        return next((step for step in self.steps if step.position > passed and not step.deleted), None)


@dataclass(frozen=True)
class Way:
    """How far a reader has come: enrolled when, from when the next delay counts, and when they last got a step.

    `since` is `sent_at` as a rule, `enrolled_at` before the first step, and the moment of skipping after a skipped one.
    """

    enrolled_at: datetime
    since: datetime
    sent_at: datetime | None = None


def problem_with(timing: Timing) -> str:
    """Why a step cannot be timed like that, in words; empty when it can (semantics 3.6)."""
    if timing.amount < 0:
        return "A delay cannot be negative."
    if timing.window is not None and timing.window[0] == timing.window[1]:
        return "The window begins and ends at the same time, so nothing would ever fit into it."
    if not timing.weekdays & EVERY_DAY:
        return "No day of the week is allowed, so nothing could ever be sent."
    return ""


def zone_of(*names: str) -> ZoneInfo:
    """The first of `names` that is a time zone: the reader's, then the studio's (semantics 3.8); UTC when none is."""
    for name in names:
        try:
            return ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            continue
    return ZoneInfo("UTC")


def instant(local: datetime, zone: ZoneInfo) -> datetime:
    """The UTC moment at which clocks in `zone` show `local` (naive).

    A time that does not exist becomes the first instant after the gap, a time that occurs twice the first of the two
    (semantics 3.5).
    """
    first = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if first.astimezone(zone).replace(tzinfo=None) == local:
        return first
    # Inside a gap the two readings of PEP 495 lie on either side of the change, which is always at a full second.
    before = local.replace(tzinfo=zone, fold=1).astimezone(UTC).replace(microsecond=0)
    after = first.replace(microsecond=0)
    offset = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after


def next_instant(timing: Timing, way: Way, *, zone: ZoneInfo, min_gap_hours: int, now: datetime) -> datetime:
    """The UTC moment at which a step is due; never before `now`.

    The delay says the day (or the hour), and inside it the window's start is chosen. What comes too late for that, or
    too soon after the last email, goes as soon as it may: at once inside the window, else when the window opens next.
    """
    if way.sent_at is None and timing.amount == 0:
        return max(way.since, now)  # the first email may go at once (semantics 3.18)
    start = way.enrolled_at if timing.counts_from == CountsFrom.ENROLLMENT else way.since
    bounds = [start, now]
    if way.sent_at is not None:
        bounds.append(way.sent_at + timedelta(hours=min_gap_hours))
    if timing.unit == Unit.HOURS:
        wanted = _into_window(start + timedelta(hours=timing.amount), timing.window, zone)
        return _fit(max(*bounds, wanted), timing, zone, wanted.astimezone(zone).time())
    local = start.astimezone(zone)
    clock = timing.window[0] if timing.window else local.time()
    day = _allowed(local.date() + timedelta(days=timing.amount), timing.weekdays)
    return _fit(max(*bounds, instant(datetime.combine(day, clock), zone)), timing, zone, clock)


def _fit(moment: datetime, timing: Timing, zone: ZoneInfo, clock: time) -> datetime:
    """The first moment from `moment` on that lies in the window and on an allowed weekday.

    What waits over a day that is not allowed goes at its own time of day, `clock` (semantics 3.7), not at midnight.
    """
    while True:
        moment = _into_window(moment, timing.window, zone)
        local = moment.astimezone(zone)
        day = _allowed(local.date(), timing.weekdays)
        waited = _allowed(local.date() - timedelta(days=1), timing.weekdays) == local.date()
        if day == local.date() and (not waited or local.time() >= clock):
            return moment
        moment = instant(datetime.combine(day, clock), zone)


def _allowed(day: date, weekdays: int) -> date:
    while not weekdays >> day.weekday() & 1:
        day += timedelta(days=1)
    return day


def _into_window(moment: datetime, window: tuple[time, time] | None, zone: ZoneInfo) -> datetime:
    """`moment` inside a window, else the next window's start; a window across midnight began the day before."""
    if window is None:
        return moment
    opens, closes = window
    day = moment.astimezone(zone).date() - timedelta(days=1)
    while True:
        # As instants, not as times of day: on days with a change of the clocks those may lie outside, or come twice.
        start = instant(datetime.combine(day, opens), zone)
        end = instant(datetime.combine(day + timedelta(days=closes < opens), closes), zone)
        if moment <= start:
            return start
        if moment < end:
            return moment
        day += timedelta(days=1)


def due(course: Course, step: Step, way: Way, *, zone: ZoneInfo, now: datetime) -> datetime:
    """When a step of a sequence is due for one reader."""
    return next_instant(step.timing, way, zone=zone, min_gap_hours=course.min_gap_hours, now=now)


def mask(days: Iterable[int]) -> int:
    """Weekdays (Monday = 0) as a mask."""
    return sum(1 << day for day in set(days))
