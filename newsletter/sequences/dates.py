"""Dates of people that let them join a series: a birthday every year, a start date once. Pure."""

from __future__ import annotations

import re
from calendar import isleap
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from newsletter.civil import instant
from newsletter.sequences.civil import minute

FARTHEST = 366  # days before or after the date
LEAP_YEAR = 2000  # for a birthday without its year
_FORMS = (
    re.compile(r"(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})(?:[T ].*)?"),  # ISO 8601, with or without a time
    re.compile(r"(?P<day>\d{1,2})\.\s?(?P<month>\d{1,2})\.(?:\s?(?P<year>\d{4}))?"),
    re.compile(r"(?:--)?(?P<month>\d{1,2})-(?P<day>\d{1,2})"),  # RFC 6350, section 4.3.1, writes --MM-DD
)


@dataclass(frozen=True)
class DateRule:
    """`days` after the date (before it when negative) at `at` on the reader's clock; `yearly` or once."""

    yearly: bool = True
    days: int = 0
    at: time = time(9)

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> DateRule:
        """The rule that a trigger's config holds."""
        hour, minute = str(config.get("at", "09:00")).split(":")
        return cls(bool(config.get("yearly", True)), int(config.get("days", 0)), time(int(hour), int(minute)))


def read(value: str) -> tuple[int | None, int, int] | None:
    """Year (where it says one), month and day of a date as people keep it; None when it is none.

    1990-05-17, 17.05.1990, 17.05. and 05-17 are read. 5/7/1990 is not: half the world means July by it.
    """
    for form in _FORMS:
        found = form.fullmatch(value.strip())
        if found:
            parts = found.groupdict()
            year = int(parts["year"]) if parts.get("year") else None
            month, day = int(parts["month"]), int(parts["day"])
            return (year, month, day) if _exists(LEAP_YEAR if year is None else year, month, day) else None
    return None


def _exists(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def in_year(year: int, month: int, day: int) -> date:
    """That day of that year; 29 February is 28 February where there is none.

    Not 1 March: who was born in February keeps their birthday there.
    """
    return date(year, 2, 28) if (month, day) == (2, 29) and not isleap(year) else date(year, month, day)


def next_date(
    rule: DateRule, value: str, *, zone: ZoneInfo, now: datetime, after: date | None = None
) -> tuple[datetime, date] | None:
    """The next moment at which this date lets its person join, and the local day of it; None when there is none.

    `after` is the day on which it last did: nobody joins twice for one day, whatever happens to their zone or to the
    rule. A date that becomes known on its very day counts: they join at once when the time of day has passed.
    """
    found = read(value)
    if found is None or (found[0] is None and not rule.yearly):
        return None
    today, (year, month, day) = now.astimezone(zone).date(), found
    latest = max(today, after or today).year
    years = range(today.year - 2, latest + 3) if rule.yearly else [year or today.year]
    for one in years:
        # A date that is still to come is not celebrated in the years before it.
        if rule.yearly and year is not None and one < year:
            continue
        meant = _shifted(in_year(one, month, day), rule.days)
        if meant is not None and meant >= today and (after is None or meant > after):
            return max(instant(datetime.combine(meant, rule.at), zone), minute(now)), meant
    return None


def _shifted(day: date, days: int) -> date | None:
    try:
        return day + timedelta(days=days)
    except OverflowError:  # the year 9999 is a date that people type
        return None


def problem_with(rule: DateRule) -> str:
    """Why a date cannot be used like that, in words; empty when it can."""
    if abs(rule.days) > FARTHEST:
        return f"At most {FARTHEST} days before or after the date."
    return ""


def say(field: str, rule: DateRule) -> str:
    """The rule in words: “2 days before birthday, every year, at 9:00 on their clock”."""
    days = abs(rule.days)
    many = f"{days} day{'' if days == 1 else 's'}"
    when = f"on the day of {field}" if not days else f"{many} {'after' if rule.days > 0 else 'before'} {field}"
    return f"{when}, {'every year' if rule.yearly else 'once'}, at {rule.at.hour}:{rule.at.minute:02} on their clock"
