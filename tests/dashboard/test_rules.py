"""What the overview warns of, its days and its bars."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.dashboard import rules
from newsletter.dashboard.rules import Health

NOW = datetime(2025, 3, 31, 0, 30, tzinfo=UTC)
WELL = Health(now=NOW, smtp=True, local=False, postal_address=True, last_beat=NOW - timedelta(minutes=1))


def test_when_all_is_well_nothing_is_said() -> None:
    assert rules.warnings(WELL) == []


@pytest.mark.parametrize(
    ("changed", "words", "grave"),
    [
        ({"last_beat": None}, "not running", True),
        ({"last_beat": NOW - timedelta(minutes=4)}, "not running", True),
        ({"relays": [("mx.example.org:25", "It refuses our sign-in.")]}, "mx.example.org:25", True),
        ({"relays": [("mx:25", "It refuses.")], "relays_left": True}, "through the other one", False),
        ({"paused": [(12, "Hips", "7% were refused.")]}, "The email “Hips” is paused. 7% were refused.", True),
        ({"local": True}, "BASE_URL", True),
        ({"smtp": False, "local": True}, "SMTP_URL", False),
        ({"postal_address": False}, "postal address", False),
        ({"broken_magnets": [("Stretches", "It does not fit on one page.")]}, "does not fit", True),
        ({"broken_broadcasts": [("Hello", "There is no tag of that name.")]}, "no tag", True),
        ({"uncertain": 1}, "1 email may or may not", False),
        ({"overdue": 1}, "1 email of a series is too late", True),
        ({"series_paused": True}, "All series are paused", False),
        ({"retried": 1200}, "1,200 emails could not", False),
        ({"refused_lately": 2}, "2 emails were refused", False),
        ({"held_comments": 3}, "3 comments wait", False),
    ],
)
def test_each_trouble_is_told_with_what_to_do(changed: dict[str, Any], words: str, grave: bool) -> None:
    (warning,) = rules.warnings(replace(WELL, **changed))
    assert words in f"{warning.happened} {warning.means} {warning.remedy}"
    assert warning.grave is grave
    assert warning.remedy
    assert bool(warning.url) is bool(warning.word)


def test_the_gravest_comes_first() -> None:
    told = rules.warnings(replace(WELL, smtp=False, postal_address=False, last_beat=None))
    assert [warning.grave for warning in told] == [True, False, False]


def test_days_are_the_studios_and_a_clock_change_shortens_one() -> None:
    days = rules.last_days(NOW, ZoneInfo("Europe/Berlin"), 3)
    assert [day.date.isoformat() for day in days] == ["2025-03-29", "2025-03-30", "2025-03-31"]
    assert [day.end - day.start for day in days] == [timedelta(hours=24), timedelta(hours=23), timedelta(hours=24)]
    assert days[-1].start <= NOW < days[-1].end


@given(
    st.integers(946_684_800, 2_208_988_800).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),  # 2000 to 2040
    st.sampled_from(["UTC", "America/Santiago", "Africa/Cairo", "Asia/Kathmandu", "Pacific/Apia"]),
)
def test_days_leave_no_gap_and_end_with_today(now: datetime, zone: str) -> None:
    days = rules.last_days(now, ZoneInfo(zone), 30)
    assert all(one.end == other.start for one, other in pairwise(days))
    assert days[-1].start <= now < days[-1].end


def test_bars_are_percent_of_the_highest_and_a_quiet_month_looks_quiet() -> None:
    days = rules.last_days(NOW, ZoneInfo("UTC"), 2)
    assert [bar.height for bar in rules.bars(days, [(10, 5), (5, 0)])] == [100, 50]
    assert [bar.confirmed_height for bar in rules.bars(days, [(10, 5), (5, 0)])] == [50, 0]
    assert [bar.height for bar in rules.bars(days, [(1, 1), (0, 0)])] == [25, 0]
