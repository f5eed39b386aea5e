"""A step's timing as people write it in front matter, and as they read it in the back office. Pure."""

from __future__ import annotations

import re
from datetime import time

from newsletter.errors import SourceError
from newsletter.sequences import models
from newsletter.sequences.rules import EVERY_DAY, CountsFrom, Timing, Unit, mask, problem_with

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
NAMED = {"daily": EVERY_DAY, "every day": EVERY_DAY, "weekdays": mask(range(5)), "weekend": mask((5, 6))}
LONGEST = {Unit.DAYS: 3650, Unit.HOURS: 87600}  # ten years; more is a slip of the finger

_DELAY = re.compile(r"(\d{1,6})\s*(day|hour)s?", re.IGNORECASE)
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})")
_DASH = re.compile(r"\s*[-–]\s*")


def parse(delay: str, window: str = "", days: str = "", counts_from: str = "") -> Timing:
    """Read `2 days`, `07:00-09:00`, `mon-fri`, `previous`; raises SourceError saying what is wrong with which."""
    found = _DELAY.fullmatch(delay.strip())
    if not found:
        raise SourceError(f"The delay “{delay}” is not understood.", remedy="Write it like “2 days” or “24 hours”.")
    amount, unit = int(found[1]), Unit(found[2].lower() + "s")
    if amount > LONGEST[unit]:
        raise SourceError(f"The delay “{delay}” is longer than ten years.", remedy="Choose a shorter one.")
    origin = counts_from.strip().lower() or CountsFrom.PREVIOUS
    if origin not in set(CountsFrom):
        raise SourceError(f"“{counts_from}” is nothing a delay counts from.", remedy="Write previous or enrollment.")
    return checked(Timing(amount, unit, CountsFrom(origin), parse_window(window), parse_days(days)))


def checked(timing: Timing) -> Timing:
    """`timing`, if a step can be timed like that; raises SourceError (semantics 3.6)."""
    problem = problem_with(timing)
    if problem:
        raise SourceError(problem, remedy="Change the step's window or days.")
    return timing


def parse_window(text: str) -> tuple[time, time] | None:
    """Read `07:00-09:00`; None for no window. Raises SourceError."""
    if not text.strip():
        return None
    ends = [_CLOCK.fullmatch(part) for part in _DASH.split(text.strip())]
    wrong = SourceError(f"The window “{text}” is not understood.", remedy="Write it like 07:00-09:00.")
    if len(ends) != 2 or ends[0] is None or ends[1] is None:
        raise wrong
    try:
        return time(int(ends[0][1]), int(ends[0][2])), time(int(ends[1][1]), int(ends[1][2]))
    except ValueError as problem:
        raise wrong from problem


def parse_days(text: str) -> int:
    """Read `mon-fri`, `mon,wed`, `daily` as a mask; every day when empty. Raises SourceError."""
    words = text.strip().lower()
    if not words:
        return EVERY_DAY
    if words in NAMED:
        return NAMED[words]
    chosen: set[int] = set()
    for part in words.split(","):
        ends = [DAYS.index(day[:3]) if _is_day(day) else -1 for day in _DASH.split(part.strip())]
        if -1 in ends or len(ends) > 2:
            raise SourceError(f"The days “{text}” are not understood.", remedy="Write them like mon-fri or mon,wed.")
        first, last = ends[0], ends[-1]
        chosen.update(day % 7 for day in range(first, last + 1 + (7 if last < first else 0)))
    return mask(chosen)


def _is_day(word: str) -> bool:
    return any(word in {short, name.lower()} for short, name in zip(DAYS, DAY_NAMES, strict=True))


def of_step(row: models.Step) -> Timing:
    """A stored step's timing; its window is kept as two times of day, HH:MM."""
    ends = (time.fromisoformat(row.window_start), time.fromisoformat(row.window_end)) if row.window_start else None
    return Timing(row.delay_amount, Unit(row.delay_unit), CountsFrom(row.delay_from), ends, row.weekdays)


def say(
    timing: Timing, *, first: bool = False, mails: bool = True, zone: str = "in the reader's zone", before: str = ""
) -> str:
    """The timing in words, like “2 days later, weekdays 7:00–9:00, in the reader's zone” (semantics 3.4).

    `first` is the first step of a series, `mails` false for a step that sends nothing; `before` names the step that a
    delay counts from, where that cannot be seen: “2 days after email 1”.
    """
    if timing.amount == 0 and first:
        return "at once"
    if timing.amount == 0 and not mails and timing.window is None and timing.weekdays == EVERY_DAY:
        return "right after that"
    days = "" if timing.weekdays == EVERY_DAY else say_days(timing.weekdays)
    hours = "at the same time of day" if timing.unit == Unit.DAYS and timing.amount else ""
    if timing.window:
        hours = f"{_say_clock(timing.window[0])}–{_say_clock(timing.window[1])}"
    when = f"{days} {hours}".strip()
    delay = _say_delay(timing, first, mails, before)
    return ", ".join([delay, when, zone] if when else [delay])


def _say_delay(timing: Timing, first: bool, mails: bool, before: str) -> str:
    joined = first or timing.counts_from == CountsFrom.ENROLLMENT
    if timing.amount == 0:
        return "on the day of joining" if joined else "as soon as it may go" if mails else "right after that"
    later = f"after {before}" if before else "later"
    return f"{say_amount(timing)} {'after joining' if joined else later}"


def say_amount(timing: Timing) -> str:
    """The delay alone: “1 day”, “24 hours”."""
    return f"{timing.amount} {timing.unit if timing.amount != 1 else timing.unit[:-1]}"


def explain(timing: Timing, *, first: bool = False) -> str:
    """What a delay means, where “1 day” and “24 hours” differ (semantics 3.4); empty when there is no delay."""
    if timing.amount == 0:
        return ""
    joined = first or timing.counts_from == CountsFrom.ENROLLMENT
    if timing.unit == Unit.HOURS:
        start = "joining" if joined else "the email before was sent"
        change = "when the clocks change in between, the clock on the wall shows an hour more or less"
        return f"Elapsed time: {say_amount(timing)} after {start}; {change}."
    start = "who joins on a Monday" if joined else "who got the email before on a Monday"
    return f"Calendar days in the reader's zone: {start}, at any hour, gets this one {_day_after_monday(timing)}."


def _day_after_monday(timing: Timing) -> str:
    day = timing.amount
    while not timing.weekdays >> day % 7 & 1:
        day += 1
    weeks = day // 7
    later = {0: "", 1: " of the next week"}.get(weeks, f", {weeks} weeks later")
    return f"on {DAY_NAMES[day % 7]}{later}"


def say_days(weekdays: int) -> str:
    """A mask in words: “weekdays”, “Monday and Wednesday”."""
    for name, named in NAMED.items():
        if weekdays == named:
            return name
    names = [f"{name}s" for at, name in enumerate(DAY_NAMES) if weekdays >> at & 1]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _say_clock(moment: time) -> str:
    return f"{moment.hour}:{moment.minute:02d}"


def write_window(timing: Timing) -> tuple[str, str]:
    """A window as the database keeps it; two empty words for none."""
    if timing.window is None:
        return "", ""
    return timing.window[0].strftime("%H:%M"), timing.window[1].strftime("%H:%M")
