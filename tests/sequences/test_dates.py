"""Dates that let people join: how they are read, and when they come."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.sequences.dates import DateRule, in_year, next_date, problem_with, read, say

BERLIN, TOKYO, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Tokyo"), ZoneInfo("America/New_York")
ONCE = DateRule(yearly=False)
NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("typed", "means"),
    [
        ("1990-05-17", (1990, 5, 17)),
        (" 1990-5-7 ", (1990, 5, 7)),
        ("1990-05-17T00:00:00Z", (1990, 5, 17)),
        ("17.05.1990", (1990, 5, 17)),
        ("7. 5. 1990", (1990, 5, 7)),
        ("17.05.", (None, 5, 17)),
        ("05-17", (None, 5, 17)),
        ("--05-17", (None, 5, 17)),
        ("29.02.", (None, 2, 29)),
        ("2024-02-29", (2024, 2, 29)),
        ("2023-02-29", None),
        ("5/7/1990", None),  # July for half of the world
        ("31.04.", None),
        ("0000-01-01", None),
        ("soon", None),
        ("", None),
    ],
)
def test_dates_as_people_keep_them(typed: str, means: tuple[int | None, int, int] | None) -> None:
    assert read(typed) == means


def when(rule: DateRule, value: str, now: datetime = NOON, zone: ZoneInfo = BERLIN, after: date | None = None) -> str:
    found = next_date(rule, value, zone=zone, now=now, after=after)
    return f"{found[0]:%Y-%m-%d %H:%M}" if found else ""


@pytest.mark.parametrize(
    ("rule", "value", "comes"),
    [
        (DateRule(), "1990-05-17", "2026-05-17 07:00"),  # 9:00 in Berlin, summer
        (DateRule(), "1990-03-01", "2027-03-01 08:00"),  # over for this year
        (DateRule(days=-3), "1990-03-07", "2026-03-04 12:00"),  # today, the time has passed: at once
        (DateRule(at=time(20)), "1990-03-04", "2026-03-04 19:00"),  # today, later
        (DateRule(days=-3), "1990-01-01", "2026-12-29 08:00"),  # before the turn of the year
        (DateRule(days=10), "1990-12-30", "2027-01-09 08:00"),
        (DateRule(days=366), "1990-03-05", "2026-03-06 08:00"),
        (DateRule(days=-366), "1990-03-04", "2027-03-04 08:00"),  # 366 days before 4 March 2028, a leap year
        (DateRule(), "2031-05-17", ""),  # a birthday of the future is not celebrated before it comes
        (DateRule(), "17.05.", "2026-05-17 07:00"),
        (ONCE, "2026-05-17", "2026-05-17 07:00"),
        (DateRule(yearly=False, days=-7), "2026-05-17", "2026-05-10 07:00"),
        (ONCE, "2026-03-03", ""),  # over
        (ONCE, "17.05.", ""),  # once, but in which year?
        (ONCE, "9999-12-31", "9999-12-31 08:00"),
        (DateRule(yearly=False, days=5), "9999-12-31", ""),
        (DateRule(), "nonsense", ""),
    ],
)
def test_when_a_date_comes(rule: DateRule, value: str, comes: str) -> None:
    assert when(rule, value) == comes


@pytest.mark.parametrize(
    ("value", "now", "comes"),
    [
        ("2000-02-29", datetime(2027, 1, 1, tzinfo=UTC), "2027-02-28 08:00"),  # no such day: 28 February, not 1 March
        ("2000-02-29", datetime(2028, 1, 1, tzinfo=UTC), "2028-02-29 08:00"),
        ("29.02.", datetime(2027, 3, 1, tzinfo=UTC), "2028-02-29 08:00"),
    ],
)
def test_29_february_is_28_february_where_there_is_none(value: str, now: datetime, comes: str) -> None:
    assert when(DateRule(), value, now) == comes


def test_29_february_with_an_offset_counts_from_the_day_that_it_is_that_year() -> None:
    assert when(DateRule(days=1), "2000-02-29", datetime(2027, 1, 1, tzinfo=UTC)) == "2027-03-01 08:00"
    assert when(DateRule(days=-1), "2000-02-29", datetime(2028, 1, 1, tzinfo=UTC)) == "2028-02-28 08:00"


def test_3_8_a_date_comes_on_the_readers_own_clock() -> None:
    assert when(DateRule(), "1990-05-17", zone=TOKYO) == "2026-05-17 00:00"
    assert when(DateRule(), "1990-05-17", zone=NEW_YORK) == "2026-05-17 13:00"


def test_3_5_a_date_in_the_gap_of_the_clocks_comes_right_after_it() -> None:
    assert when(DateRule(at=time(2, 30)), "1990-03-29") == "2026-03-29 01:00"  # 2:30 does not exist in Berlin that day


def test_nobody_joins_twice_for_one_day_however_their_zone_changes() -> None:
    joined = next_date(DateRule(), "1990-03-04", zone=TOKYO, now=NOON - timedelta(hours=24))
    assert joined is not None
    # It is still 4 March in New York.
    assert when(DateRule(), "1990-03-04", zone=NEW_YORK, after=joined[1]) == "2027-03-04 14:00"
    assert when(ONCE, "2026-03-04", zone=NEW_YORK, after=date(2026, 3, 4)) == ""


@given(
    born=st.dates(date(1900, 1, 1), date(2025, 12, 31)),
    days=st.integers(-366, 366),
    at=st.times().map(lambda moment: moment.replace(second=0, microsecond=0)),
    zone=st.sampled_from([BERLIN, TOKYO, NEW_YORK, ZoneInfo("Pacific/Apia"), ZoneInfo("UTC")]),
    now=st.datetimes(datetime(2026, 1, 1), datetime(2036, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC)),  # noqa: DTZ001
)
def test_a_birthday_comes_every_year_never_in_the_past_and_in_order(
    born: date, days: int, at: time, zone: ZoneInfo, now: datetime
) -> None:
    rule, after, seen = DateRule(days=days, at=at), None, []
    for _ in range(3):
        found = next_date(rule, born.isoformat(), zone=zone, now=now, after=after)
        assert found is not None
        moment, after = found
        assert moment >= now.replace(second=0, microsecond=0)
        assert after - timedelta(days=days) == in_year((after - timedelta(days=days)).year, born.month, born.day)
        seen.append(after)
    assert [(later - earlier).days in {365, 366} for earlier, later in pairwise(seen)] == [True] * 2


def test_a_rule_in_words_and_its_limits() -> None:
    assert say("“birthday”", DateRule(days=-2)) == "2 days before “birthday”, every year, at 9:00 on their clock"
    assert say("“start”", DateRule(yearly=False, days=1, at=time(7, 5))) == (
        "1 day after “start”, once, at 7:05 on their clock"
    )
    assert say("“start”", ONCE).startswith("on the day of “start”, once")
    assert problem_with(DateRule(days=366)) == ""
    assert "366" in problem_with(DateRule(days=-367))
    assert DateRule.of({"yearly": False, "days": -3, "at": "7:30"}) == DateRule(yearly=False, days=-3, at=time(7, 30))
