"""A forecast written down."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from newsletter.forecast.calendar import Cell
from newsletter.forecast.formats import COLUMNS, COUNTED, as_cells, as_counted, as_ics, as_json
from newsletter.forecast.rules import Row

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
SEVEN = datetime(2026, 3, 4, 6, 0, 12, tzinfo=UTC)
ROWS = [
    Row(SEVEN, "alice@example.org", "Hello, dear; reader", "core-series", "hello", "email 1 of Core series"),
    Row(
        SEVEN.replace(second=50),
        "bob@example.org",
        "Hello, dear; reader",
        "core-series",
        "hello",
        "email 1 of Core series",
    ),
    Row(SEVEN, "alice@example.org", "Über " + "sehr " * 20 + "lang", None, None, "broadcast to everybody: 1 person"),
]


def test_json_is_an_array_of_rows() -> None:
    read = json.loads("".join(as_json(ROWS)))
    assert len(read) == 3
    assert read[0] == {
        "at": "2026-03-04T06:00:12+00:00",
        "subscriber": "alice@example.org",
        "subject": "Hello, dear; reader",
        "sequence": "core-series",
        "step": "hello",
        "reason": "email 1 of Core series",
    }
    assert read[2]["sequence"] is None
    assert json.loads("".join(as_json([]))) == []


def test_the_table_tells_the_time_of_the_studio() -> None:
    cells = list(as_cells(ROWS, ZoneInfo("Europe/Berlin")))
    assert cells[0][0] == "Wed 04 Mar 2026 07:00"
    assert all(len(row) == len(COLUMNS) for row in cells)


def test_the_table_of_counts_names_no_reader() -> None:
    cell = Cell(SEVEN.date(), "step:1", 1200, 3, SEVEN, SEVEN.replace(hour=9))
    [row] = as_counted([(cell, "Hello", "Core series, email 1")], ZoneInfo("Europe/Berlin"))
    assert len(row) == len(COUNTED)
    assert row[0] == "Wed 04 Mar 2026"
    assert "7:00" in row[1]
    assert "10:00" in row[1]
    assert row[2:] == ("1,200 (3 from another day)", "Hello", "Core series, email 1")


def test_the_calendar_counts_people_and_names_none() -> None:
    text = "".join(as_ics(ROWS, NOW, "example.org"))
    assert "@example.org" in text, "in the UIDs"
    assert "alice" not in text
    assert text.count("BEGIN:VEVENT") == 2
    assert "SUMMARY:Hello\\, dear\\; reader (2 people)\r\n" in text
    assert "DTSTART:20260304T060000Z\r\n" in text


def test_calendar_lines_are_folded_between_characters() -> None:
    text = "".join(as_ics(ROWS, NOW, "example.org"))
    assert text.endswith("END:VCALENDAR\r\n")
    assert "\n" not in text.replace("\r\n", "")
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))
    assert "Über sehr" in text.replace("\r\n ", "")


def test_the_same_event_keeps_its_uid() -> None:
    again = "".join(as_ics(ROWS, NOW.replace(day=3), "example.org"))
    uids = [line for line in again.split("\r\n") if line.startswith("UID")]
    assert uids == [line for line in "".join(as_ics(ROWS, NOW, "example.org")).split("\r\n") if line.startswith("UID")]
    assert len(set(uids)) == 2
