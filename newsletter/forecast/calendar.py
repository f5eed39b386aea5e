"""The calendar's sheet: which days it shows, what stands on them, and readers packed small. Pure."""

from __future__ import annotations

import zlib
from array import array
from calendar import monthrange
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import cast
from zoneinfo import ZoneInfo

AHEAD = 31  # days that are worked out: to the end of any month begun
AT_ONCE = "other"  # confirmations and gifts: nobody plans them, so they are only in the past
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


class View(StrEnum):
    """How many days a sheet shows."""

    MONTH = "month"
    WEEK = "week"
    DAY = "day"


VIEW_WORDS = {View.MONTH: "Month", View.WEEK: "Week", View.DAY: "Day"}


@dataclass(frozen=True)
class Who:
    """One reader who gets one email: the minute counted from when the outlook begins."""

    minute: int
    moved: bool
    subscriber_id: int


@dataclass(frozen=True)
class Cell:
    """One email on one day: to how many, from when to when (UTC); `item` is `step:45`, `broadcast:12` or AT_ONCE."""

    day: date
    item: str
    people: int
    moved: int
    first_at: datetime
    last_at: datetime

    def __add__(self, other: Cell) -> Cell:
        return replace(
            self,
            people=self.people + other.people,
            moved=self.moved + other.moved,
            first_at=min(self.first_at, other.first_at),
            last_at=max(self.last_at, other.last_at),
        )


@dataclass(frozen=True)
class Stretch:
    """A day, or one of its hours counted from 0, whose emails are counted by themselves (UTC)."""

    day: date
    start: datetime
    end: datetime
    hour: int | None = None


@dataclass(frozen=True)
class Entry:
    """What the sheet says of one email on one day: what was sent of it, and what is still to come."""

    day: date
    item: str
    sent: Cell | None = None
    coming: Cell | None = None

    @property
    def whole(self) -> Cell:
        """Sent and coming together."""
        if self.sent is None or self.coming is None:
            return cast(Cell, self.sent or self.coming)
        return self.sent + self.coming

    @property
    def people(self) -> int:
        """How many emails in all."""
        return self.whole.people


@dataclass(frozen=True)
class Day:
    """One day of the sheet; `outside` the month that is shown, `beyond` what is worked out."""

    date: date
    entries: tuple[Entry, ...]
    today: bool
    past: bool
    outside: bool
    beyond: bool

    @property
    def people(self) -> int:
        """How many emails of series and to many."""
        return sum(entry.people for entry in self.entries if entry.item != AT_ONCE)


def read_view(text: str) -> View:
    """The view of that name; the month for nonsense."""
    return View(text) if text in set(View) else View.MONTH


def read_day(text: str, today: date) -> date:
    """A day written as 2026-03-04; today for nonsense, and for a year that no calendar program shows."""
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return today
    return found if today.year - 50 <= found.year <= today.year + 50 else today


def days_of(view: View, on: date) -> list[date]:
    """The days that a sheet shows: of a month whole weeks, from Monday."""
    if view is View.DAY:
        return [on]
    first = on.replace(day=1) if view is View.MONTH else on
    last = on.replace(day=monthrange(on.year, on.month)[1]) if view is View.MONTH else on
    monday, sunday = first - timedelta(days=first.weekday()), last + timedelta(days=6 - last.weekday())
    return [monday + timedelta(days=number) for number in range((sunday - monday).days + 1)]


def turned(view: View, on: date, way: int) -> date:
    """The day that the next sheet (`way` 1) or the one before (-1) is about."""
    if view is not View.MONTH:
        return on + timedelta(days=7 if view is View.WEEK else 1) * way
    middle = on.replace(day=15) + timedelta(days=30) * way
    return middle.replace(day=1)


def title(view: View, on: date) -> str:
    """What stands over the sheet: November 2026; 23 to 29 November 2026; Tuesday, 24 November 2026."""
    if view is View.MONTH:
        return f"{on:%B %Y}"
    if view is View.DAY:
        return day_words(on)
    first, *_, last = days_of(view, on)
    same = first.month == last.month
    start = f"{first.day}" if same else f"{first.day} {first:%B}" + (f" {first:%Y}" if first.year != last.year else "")
    return f"{start} to {last.day} {last:%B %Y}"


def day_words(day: date) -> str:
    """A day with its weekday: Tuesday, 24 November 2026."""
    return f"{day:%A}, {day.day} {day:%B %Y}"


def bounds(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """When a day begins and ends in a zone (UTC)."""
    start, end = (datetime.combine(at, time(), zone).astimezone(UTC) for at in (day, day + timedelta(days=1)))
    return start, end


def stretches(days: Iterable[date], zone: ZoneInfo, *, by_hour: bool = False) -> list[Stretch]:
    """What is counted of these days: each as a whole, or hour by hour; a day has 23 to 25 of them."""
    whole = [Stretch(day, *bounds(day, zone)) for day in days]
    if not by_hour:
        return whole
    return [
        Stretch(one.day, one.start + number * HOUR, min(one.start + (number + 1) * HOUR, one.end), number)
        for one in whole
        for number in range(-((one.start - one.end) // HOUR))
    ]


def sheet(view: View, on: date, today: date, last: date, sent: Iterable[Cell], coming: Iterable[Cell]) -> list[Day]:
    """The days of a sheet; `last` is the last one that is worked out."""
    by_day: dict[date, list[Entry]] = {}
    for entry in entries(sent, coming):
        by_day.setdefault(entry.day, []).append(entry)
    return [_day(day, by_day.get(day, []), view, on, today, last) for day in days_of(view, on)]


def entries(sent: Iterable[Cell], coming: Iterable[Cell]) -> list[Entry]:
    """What was sent and what is to come, together for each day and email."""
    found: dict[tuple[date, str], Entry] = {}
    for cell in sent:
        known = found.setdefault((cell.day, cell.item), Entry(cell.day, cell.item))
        found[cell.day, cell.item] = replace(known, sent=known.sent + cell if known.sent else cell)
    for cell in coming:
        known = found.setdefault((cell.day, cell.item), Entry(cell.day, cell.item))
        found[cell.day, cell.item] = replace(known, coming=known.coming + cell if known.coming else cell)
    # What nobody planned comes last, whenever it was.
    return sorted(found.values(), key=lambda entry: (entry.item == AT_ONCE, entry.whole.first_at, entry.item))


def _day(day: date, found: list[Entry], view: View, on: date, today: date, last: date) -> Day:
    outside = view is View.MONTH and day.month != on.month
    return Day(day, tuple(found), day == today, day < today, outside, day > last)


def by_hour(sent: Iterable[Cell], coming: Iterable[Cell], zone: ZoneInfo) -> list[tuple[str, list[Entry]]]:
    """A day by the hour, as `07:00`; every cell lies within one hour."""
    hours: dict[str, tuple[list[Cell], list[Cell]]] = {}
    for number, cells in enumerate((sent, coming)):
        for cell in cells:
            hours.setdefault(f"{cell.first_at.astimezone(zone):%H:00}", ([], []))[number].append(cell)
    return [(hour, entries(*cells)) for hour, cells in sorted(hours.items())]


def span(cell: Cell, zone: ZoneInfo) -> str:
    """The time of day of a cell in words: "09:00", or "07:00 to 09:30" where its readers get it at different times."""
    first, last = cell.first_at.astimezone(zone), cell.last_at.astimezone(zone)
    start, end = f"{first:%H:%M}", f"{last:%H:%M}"
    return start if start == end else f"{start} to {end}"


def people(count: int) -> str:
    """A number of readers in words."""
    return "1 person" if count == 1 else f"{count:,} people"


def share(after: int, highest: int) -> int:
    """How much is looked at, in percent of the readers' ids: counting the readers first would be work of its own."""
    return min(99, 100 * after // highest) if highest else 99


# Ids of rows have 31 bits; what is left is more minutes than anybody looks ahead.
_ID_BITS, _MOVED = 31, 1 << 31


def pack(who: Iterable[Who]) -> bytes:
    """Readers in the order of their minutes, some two bytes each: a million of them are still a small row."""
    mixed = sorted(found.minute << (_ID_BITS + 1) | found.moved << _ID_BITS | found.subscriber_id for found in who)
    return zlib.compress(array("Q", mixed).tobytes(), 1)


def _mixed(packed: bytes) -> array[int]:
    mixed = array("Q")
    mixed.frombytes(zlib.decompress(packed))
    return mixed


def minutes(packed: bytes, only: Collection[int] | None = None) -> Iterator[tuple[int, int, int]]:
    """How many get it in which minute, and how many of them were moved; `only` these readers.

    Counted as they are packed: a `Who` for each of 300,000 takes seconds.
    """
    mixed = iter(_mixed(packed))
    wanted = mixed if only is None else (number for number in mixed if number & (_MOVED - 1) in only)
    for minute_moved, people in Counter(number >> _ID_BITS for number in wanted).items():
        yield minute_moved >> 1, people, people if minute_moved & 1 else 0


def unpack(packed: bytes) -> Iterator[Who]:
    """What `pack` took."""
    for number in _mixed(packed):
        yield Who(number >> (_ID_BITS + 1), bool(number & _MOVED), number & (_MOVED - 1))
