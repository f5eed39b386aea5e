"""The calendar's sheet: days, words, and readers packed small."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.forecast.calendar import (
    AT_ONCE,
    Cell,
    View,
    Who,
    bounds,
    by_hour,
    days_of,
    entries,
    minutes,
    pack,
    people,
    read_day,
    read_view,
    share,
    sheet,
    span,
    stretches,
    title,
    turned,
    unpack,
)

BERLIN, TODAY = ZoneInfo("Europe/Berlin"), date(2026, 3, 4)


def cell(
    day: date = TODAY, item: str = "step:1", number: int = 1, at: str = "08:00", until: str = "", moved: int = 0
) -> Cell:
    first, last = (datetime.fromisoformat(f"{day}T{text}+00:00") for text in (at, until or at))
    return Cell(day, item, number, moved, first, last)


@pytest.mark.parametrize(
    ("view", "on", "first", "last", "number"),
    [
        (View.MONTH, date(2026, 3, 4), date(2026, 2, 23), date(2026, 4, 5), 42),
        (View.MONTH, date(2026, 2, 28), date(2026, 1, 26), date(2026, 3, 1), 35),
        (View.MONTH, date(2027, 2, 1), date(2027, 2, 1), date(2027, 2, 28), 28),
        (View.WEEK, date(2026, 3, 8), date(2026, 3, 2), date(2026, 3, 8), 7),
        (View.DAY, date(2026, 3, 8), date(2026, 3, 8), date(2026, 3, 8), 1),
    ],
)
def test_a_sheet_has_whole_weeks(view: View, on: date, first: date, last: date, number: int) -> None:
    found = days_of(view, on)
    assert (found[0], found[-1], len(found)) == (first, last, number)


@pytest.mark.parametrize(
    ("view", "on", "words"),
    [
        (View.MONTH, date(2026, 3, 4), "March 2026"),
        (View.WEEK, date(2026, 3, 4), "2 to 8 March 2026"),
        (View.WEEK, date(2026, 4, 1), "30 March to 5 April 2026"),
        (View.WEEK, date(2026, 12, 31), "28 December 2026 to 3 January 2027"),
        (View.DAY, date(2026, 3, 4), "Wednesday, 4 March 2026"),
    ],
)
def test_a_sheet_says_which_days_it_shows(view: View, on: date, words: str) -> None:
    assert title(view, on) == words


@given(st.sampled_from(View), st.dates(date(2000, 1, 1), date(2100, 1, 1)))
def test_turning_there_and_back_shows_the_same_days(view: View, on: date) -> None:
    there = turned(view, on, 1)
    assert set(days_of(view, there)) & set(days_of(view, turned(view, there, -1))) <= set(days_of(view, on))
    assert days_of(view, turned(view, there, -1)) == days_of(view, on)
    assert title(view, there) != title(view, on)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-40", "0001-01-01", "9999-12-31"])
def test_a_day_that_is_none_is_today(text: str) -> None:
    assert read_day(text, TODAY) == TODAY
    assert read_view(text) is View.MONTH


def test_a_day_begins_where_the_clocks_begin_it() -> None:
    start, end = bounds(date(2026, 3, 29), BERLIN)
    assert (start, end - start) == (datetime(2026, 3, 28, 23, tzinfo=UTC), timedelta(hours=23))


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", date(2026, 3, 28), 24),
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("Australia/Lord_Howe", date(2026, 4, 5), 25),  # half an hour more, which is a stretch of its own
        ("Asia/Kolkata", date(2026, 3, 28), 24),
    ],
)
def test_the_hours_of_a_day_are_the_whole_day(zone: str, day: date, hours: int) -> None:
    found = stretches([day], ZoneInfo(zone), by_hour=True)
    (whole,) = stretches([day], ZoneInfo(zone))
    assert [one.hour for one in found] == list(range(hours))
    assert (whole.start, whole.end) == bounds(day, ZoneInfo(zone)) == (found[0].start, found[-1].end)
    assert all(one.end == after.start for one, after in pairwise(found))


def test_sent_and_coming_are_one_entry_of_a_day() -> None:
    found = entries([cell(number=3, at="06:00")], [cell(number=4, at="07:00", moved=1), cell(item="broadcast:2")])
    assert [(entry.item, entry.people) for entry in found] == [("step:1", 7), ("broadcast:2", 1)]
    assert (found[0].whole.moved, span(found[0].whole, BERLIN)) == (1, "07:00 to 08:00")


def test_what_nobody_planned_comes_last() -> None:
    found = entries([cell(item=AT_ONCE, at="01:00"), cell(at="09:00")], [])
    assert [entry.item for entry in found] == ["step:1", AT_ONCE]


def test_a_sheet_knows_today_the_past_and_what_is_not_worked_out() -> None:
    days = sheet(View.MONTH, TODAY, TODAY, date(2026, 4, 3), [cell()], [cell(date(2026, 4, 1))])
    by_date = {day.date: day for day in days}
    assert [day.date for day in days if day.today] == [TODAY]
    assert by_date[date(2026, 3, 3)].past
    assert not by_date[TODAY].past
    assert by_date[date(2026, 4, 4)].beyond
    assert by_date[date(2026, 4, 1)].outside
    assert [day.people for day in days if day.entries] == [1, 1]


def test_a_day_is_told_by_the_hour_of_its_zone() -> None:
    hours = by_hour([cell(at="06:10")], [cell(at="07:00", until="07:59"), cell(item="step:2", at="06:59")], BERLIN)
    assert [(hour, [entry.item for entry in found]) for hour, found in hours] == [
        ("07:00", ["step:1", "step:2"]),
        ("08:00", ["step:1"]),
    ]


@given(
    st.lists(
        st.builds(Who, st.integers(0, 60 * 24 * 366), st.booleans(), st.integers(1, 2**31 - 1)), unique_by=lambda w: w
    )
)
def test_readers_come_out_of_their_packing_in_the_order_of_their_minutes(who: list[Who]) -> None:
    found = list(unpack(pack(who)))
    assert sorted(found, key=repr) == sorted(who, key=repr)
    assert [one.minute for one in found] == sorted(one.minute for one in who)


def test_a_hundred_thousand_readers_fit_a_small_row() -> None:
    packed = pack(Who(480 + number % 120, number % 7 == 0, number) for number in range(100_000))
    assert len(packed) < 400_000


@pytest.mark.parametrize(("after", "highest", "percent"), [(0, 0, 99), (0, 10, 0), (5, 10, 50), (10, 10, 99)])
def test_how_far_a_look_is(after: int, highest: int, percent: int) -> None:
    """A hundred is said by what is done, not by a number."""
    assert share(after, highest) == percent


def test_people_in_words() -> None:
    assert [people(1), people(2), people(12_345)] == ["1 person", "2 people", "12,345 people"]


def test_readers_are_counted_as_they_are_packed() -> None:
    who = [Who(5, False, 1), Who(5, True, 2), Who(5, True, 2**31 - 1), Who(9, False, 3)]
    assert sorted(minutes(pack(who))) == [(5, 1, 0), (5, 2, 2), (9, 1, 0)]
    assert sorted(minutes(pack(who), {2, 3})) == [(5, 1, 1), (9, 1, 0)]
    assert list(minutes(pack(who), set())) == []
