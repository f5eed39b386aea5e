"""Civil time: from a delay, a window and weekdays on a reader's own clock to one instant. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from newsletter.civil import instant


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

    @property
    def is_free(self) -> bool:
        """Whether any moment will do, after the delay."""
        return self.window is None and self.weekdays == EVERY_DAY


def problem_with(timing: Timing) -> str:
    """Why a step cannot be timed like that, in words; empty when it can (semantics 3.6)."""
    if timing.amount < 0:
        return "A delay cannot be negative."
    if timing.window is not None and timing.window[0] == timing.window[1]:
        return "The window begins and ends at the same time, so nothing would ever fit into it."
    if not timing.weekdays & EVERY_DAY:
        return "No day of the week is allowed, so nothing could ever be sent."
    return ""


def minute(moment: datetime) -> datetime:
    """The minute a moment lies in; the planner counts in whole ones, so that a worker's seconds never add up."""
    return moment.replace(second=0, microsecond=0) if moment.second or moment.microsecond else moment


@dataclass(frozen=True, slots=True)
class Way:
    """How far a reader has come: enrolled when, from when the next delay counts, and when they last got an email.

    `since` is `sent_at` as a rule, `enrolled_at` before the first step, and the moment of passing after other steps.
    """

    enrolled_at: datetime
    since: datetime
    sent_at: datetime | None = None


def next_instant(timing: Timing, way: Way, *, zone: ZoneInfo, min_gap_hours: int, now: datetime) -> datetime:
    """The UTC moment at which a step is due, a whole minute unless it is `now`; never before `now`.

    The delay says the day (or the hour), and inside it the window's start is chosen. What comes too late for that, or
    too soon after the last email, goes as soon as it may: at once inside the window, else when the window opens next.
    """
    if way.sent_at is None and timing.amount == 0 and way.since == way.enrolled_at:
        return max(minute(way.since), now)  # the first email may go at once (semantics 3.18)
    start = minute(way.enrolled_at if timing.counts_from == CountsFrom.ENROLLMENT else way.since)
    bounds = [start, now]
    if way.sent_at is not None:
        bounds.append(minute(way.sent_at) + timedelta(hours=min_gap_hours))
    if timing.unit == Unit.HOURS:
        wanted = _into_window(start + timedelta(hours=timing.amount), timing.window, zone)
        return fit(timing, max(*bounds, wanted), zone, like=wanted)
    local = start.astimezone(zone)
    clock = timing.window[0] if timing.window else local.time()
    day = _allowed(local.date() + timedelta(days=timing.amount), timing.weekdays)
    return _fit(max(*bounds, instant(datetime.combine(day, clock), zone)), timing, zone, clock)


def fit(timing: Timing, moment: datetime, zone: ZoneInfo, *, like: datetime | None = None) -> datetime:
    """The first moment from `moment` on that a step's window and weekdays allow, at its (or `like`'s) time of day."""
    if timing.is_free:
        return moment
    return _fit(moment, timing, zone, (like or moment).astimezone(zone).time())


def _fit(moment: datetime, timing: Timing, zone: ZoneInfo, clock: time) -> datetime:
    """The first moment from `moment` on that lies in the window and on an allowed weekday.

    What waits over a day that is not allowed goes at its own time of day, `clock` (semantics 3.7), not at midnight; at
    the window's start where the window does not hold that time, which would be too late on each allowed day for ever.
    """
    clock = _held(clock, timing.window)
    while not timing.is_free:  # most steps are: a forecast asks a million times
        moment = _into_window(moment, timing.window, zone)
        local = moment.astimezone(zone)
        day = _allowed(local.date(), timing.weekdays)
        waited = _allowed(local.date() - timedelta(days=1), timing.weekdays) == local.date()
        if day == local.date() and (not waited or local.time() >= clock):
            return moment
        moment = instant(datetime.combine(day, clock), zone)
    return moment


def _held(clock: time, window: tuple[time, time] | None) -> time:
    if window is None:
        return clock
    opens, closes = window
    within = opens <= clock < closes if opens < closes else clock >= opens or clock < closes
    return clock if within else opens


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


def mask(days: Iterable[int]) -> int:
    """Weekdays (Monday = 0) as a mask."""
    return sum(1 << day for day in set(days))
