"""The next days of everybody: first how many, and by name where it is asked."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from newsletter.audience import queries as audience
from newsletter.audience.queries import Reader
from newsletter.forecast import reading, records
from newsletter.forecast.calendar import Cell
from newsletter.forecast.crowds import Crowd
from newsletter.forecast.lives import Happening, Life
from newsletter.forecast.reading import Known
from newsletter.forecast.records import Heading
from newsletter.forecast.rules import EVERYTHING, Bare, Count, Only, Row
from newsletter.forecast.simulating import ahead
from newsletter.forecast.subjects import subject
from newsletter.forecast.wording import Wordings

SLICE = 1000  # people read at a time; memory holds only what comes of them
Told = Callable[[int], None]


def forecast(
    session: Session, now: datetime, days: int, *, told: Told | None = None, only: Only = EVERYTHING
) -> Iterator[Row]:
    """Every email of the next `days` days, in the order they leave; `told` hears how many people were looked at.

    Given no new events, running those days sends exactly these rows at these minutes (semantics 3.21).
    """
    until = now + timedelta(days=days)
    known = reading.known(session, now, until)
    words = Wordings(session, known)
    rows = []
    for found in _slices(session, known, now, until, only, told):
        readers = audience.readers(session, [life.subscriber_id for life in found])
        for life in found:
            for one in ahead(life, known.house, now=now, until=until):
                if _is_wanted(one, known, only):
                    rows.append(_row(session, one, life, readers[life.subscriber_id], words))
    yield from sorted(rows, key=lambda row: (row.at, row.subscriber, row.subject))


def _row(session: Session, one: Happening, life: Life, reader: Reader, words: Wordings) -> Row:
    wording = words.of(one)
    reason = wording.reason
    if one.moved_from is not None:
        reason += f", {words.moved(one, life.zone)}"
    return Row(
        one.at,
        reader.email,
        subject(session, wording.source, reader),
        wording.sequence,
        wording.step,
        reason,
        reader.id,
        one.broadcast_id,
        one.moved_from,
    )


def _slices(
    session: Session, known: Known, now: datetime, until: datetime, only: Only, told: Told | None
) -> Iterator[list[Life]]:
    after, seen = 0, 0
    ids = sorted(only.subscribers or ())
    while True:
        if only.subscribers is None:
            slice_ids = reading.next_readers(session, known, until, after, SLICE)
        else:
            slice_ids, ids = ids[:SLICE], ids[SLICE:]
        if not slice_ids:
            return
        yield _read(session, known, slice_ids, now, until)
        after, seen = slice_ids[-1], seen + len(slice_ids)
        if told:
            told(seen)


def _read(session: Session, known: Known, ids: list[int], now: datetime, until: datetime) -> list[Life]:
    """A slice, read without the collector of garbage: it would look through all these new values again and again."""
    collects = gc.isenabled()
    gc.disable()
    try:
        return reading.lives(session, known, ids, now, until)
    finally:
        if collects:
            gc.enable()


def _is_wanted(one: Happening, known: Known, only: Only) -> bool:
    if one.broadcast_id:
        return only.broadcasts
    return only.sequences is None or known.house.courses[one.course_id].slug in only.sequences


def stretch(session: Session, now: datetime, until: datetime, after: int, limit: int) -> tuple[list[Bare], int | None]:
    """What the next `limit` readers behind the id `after` get by `until`, and the last id looked at (None: no more).

    Readers do not touch each other, so that slices worked out one by one are the whole.
    """
    known = reading.known(session, now, until)
    crowd = Crowd(known.house, now=now, until=until)
    ids = reading.next_readers(session, known, until, after, limit)
    found = [
        Bare(one.at, life.subscriber_id, one.step_id, one.broadcast_id, one.moved_from)
        for life in _read(session, known, ids, now, until)
        for one in crowd.ahead(life)
    ]
    return found, ids[-1] if len(ids) == limit else None


def counts(
    session: Session, now: datetime, days: int, *, told: Told | None = None, only: Only = EVERYTHING
) -> list[Count]:
    """How many people get what in which minute, without a name and with no subject made."""
    until = now + timedelta(days=days)
    known = reading.known(session, now, until)
    crowd = Crowd(known.house, now=now, until=until)
    tally = _Tally(known, only)
    for found in _slices(session, known, now, until, only, told):
        for life in found:
            for one in crowd.count(life):
                tally.add(one, 1)
        if crowd.is_full:
            tally.add_all(crowd)
    tally.add_all(crowd)
    return tally.counts()


def by_day(
    session: Session, now: datetime, days: int, zone: ZoneInfo, *, told: Told | None = None
) -> list[tuple[Cell, Heading]]:
    """How many people get which email on which day of `zone`, and what it is called, in the order of the days."""
    cells: dict[tuple[date, str], Cell] = {}
    for one in counts(session, now, days, told=told):
        item = f"step:{one.step_id}" if one.step_id else f"broadcast:{one.broadcast_id}"
        cell = Cell(one.at.astimezone(zone).date(), item, one.people, one.moved, one.at, one.at)
        key = (cell.day, item)
        cells[key] = cells[key] + cell if key in cells else cell
    headings = records.headings(session, {item for _, item in cells})
    return [(cell, headings[cell.item]) for cell in sorted(cells.values(), key=lambda one: (one.first_at, one.item))]


class _Tally:
    """How many people get what."""

    def __init__(self, known: Known, only: Only) -> None:
        self.known, self.only = known, only
        self.people: dict[tuple[datetime, int, int], list[int]] = {}

    def add(self, one: Happening, people: int) -> None:
        """Count so many people's email."""
        if _is_wanted(one, self.known, self.only):
            count = self.people.setdefault((one.at, one.step_id, one.broadcast_id), [0, 0])
            count[0] += people
            count[1] += people if one.moved_from is not None else 0

    def add_all(self, crowd: Crowd) -> None:
        """Count what the crowd counted."""
        for one, people in crowd.counted():
            self.add(one, people)

    def counts(self) -> list[Count]:
        """What was counted, in the order of the minutes."""
        return [Count(*key, *self.people[key]) for key in sorted(self.people)]
