"""Writing a forecast down: JSON for programs, a table for a terminal, iCalendar (RFC 5545) for a calendar. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter
from zoneinfo import ZoneInfo

from newsletter.forecast.calendar import Cell, span
from newsletter.forecast.rules import Row

COLUMNS = ("when", "subscriber", "subject", "sequence", "step", "reason")
COUNTED = ("day", "time", "people", "subject", "from")
LONGEST_LINE = 75  # octets, RFC 5545 section 3.1
EVENT = timedelta(minutes=15)  # an email takes no time; shorter blocks cannot be read in a calendar


def as_json(rows: Iterable[Row]) -> Iterator[str]:
    """A JSON array in pieces, one row a line; `at` is ISO 8601 in UTC."""
    yield "["
    for number, row in enumerate(rows):
        fields = {
            "at": row.at.isoformat(timespec="seconds"),
            "subscriber": row.subscriber,
            "subject": row.subject,
            "sequence": row.sequence,
            "step": row.step,
            "reason": row.reason,
        }
        yield ("," if number else "") + "\n" + json.dumps(fields, ensure_ascii=False)
    yield "\n]\n"


def as_cells(rows: Iterable[Row], zone: ZoneInfo) -> Iterator[tuple[str, ...]]:
    """The rows of a table under COLUMNS, with the time in `zone`."""
    for row in rows:
        when = row.at.astimezone(zone).strftime("%a %d %b %Y %H:%M")
        yield when, row.subscriber, row.subject, row.sequence or "", row.step or "", row.reason


def as_counted(rows: Iterable[tuple[Cell, str, str]], zone: ZoneInfo) -> Iterator[tuple[str, ...]]:
    """The rows of a table under COUNTED, which names no reader: what goes out, its subject, where it comes from."""
    for cell, subject, origin in rows:
        moved = f" ({cell.moved:,} from another day)" if cell.moved else ""
        yield f"{cell.day:%a %d %b %Y}", span(cell, zone), f"{cell.people:,}{moved}", subject, origin


def as_ics(rows: Iterable[Row], now: datetime, host: str) -> Iterator[str]:
    """A calendar in pieces: one event for everything of one kind in one minute, with how many people get it.

    It names no reader, because calendars are shared. `rows` come in the order of their moments; `host` is for the UIDs.
    """
    yield from lines("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Supple//Forecast//EN", "CALSCALE:GREGORIAN")
    for minute, together in groupby(rows, key=lambda row: row.at.replace(second=0, microsecond=0)):
        kinds = sorted(together, key=attrgetter("reason", "subject"))
        for (reason, subject), same in groupby(kinds, key=attrgetter("reason", "subject")):
            yield from _event(minute, reason, subject, len(list(same)), now, host)
    yield from lines("END:VCALENDAR")


def _event(minute: datetime, reason: str, subject: str, people: int, now: datetime, host: str) -> Iterator[str]:
    mark = hashlib.sha256(f"{minute.isoformat()}\0{reason}\0{subject}".encode()).hexdigest()[:24]
    count = "1 person" if people == 1 else f"{people:,} people"
    yield from lines(
        "BEGIN:VEVENT",
        f"UID:{mark}@{host}",
        f"DTSTAMP:{now:%Y%m%dT%H%M%SZ}",
        f"DTSTART:{minute:%Y%m%dT%H%M%SZ}",
        f"DTEND:{minute + EVENT:%Y%m%dT%H%M%SZ}",
        f"SUMMARY:{text(f'{subject} ({count})')}",
        f"DESCRIPTION:{text(reason)}",
        "TRANSP:TRANSPARENT",
        "END:VEVENT",
    )


def text(words: str) -> str:
    """A TEXT value (RFC 5545, section 3.3.11)."""
    for sign, escaped in (("\\", "\\\\"), (";", "\\;"), (",", "\\,"), ("\n", "\\n")):
        words = words.replace(sign, escaped)
    return words


def lines(*content: str) -> Iterator[str]:
    """Content lines, folded."""
    for line in content:
        yield _folded(line)


def _folded(line: str) -> str:
    """A content line, broken between characters where it grows too long (RFC 5545, section 3.1)."""
    pieces, length = [""], 0
    for sign in line:
        size = len(sign.encode())
        if length + size > LONGEST_LINE:
            pieces.append(" ")
            length = 1
        pieces[-1] += sign
        length += size
    return "\r\n".join(pieces) + "\r\n"
