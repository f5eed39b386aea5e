"""Moments in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from newsletter.accounts import moments

NOW = datetime(2025, 3, 10, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("away", "words"),
    [
        (timedelta(0), "just now"),
        (timedelta(seconds=-59), "just now"),
        (timedelta(seconds=30), "in a moment"),
        (timedelta(minutes=-1), "1 minute ago"),
        (timedelta(minutes=-59, seconds=-59), "59 minutes ago"),
        (timedelta(hours=-1), "1 hour ago"),
        (timedelta(hours=5), "in 5 hours"),
        (timedelta(days=-1), "1 day ago"),
        (timedelta(days=3), "in 3 days"),
        (timedelta(days=-59), "59 days ago"),
        (timedelta(days=-60), "9 January 2025"),
    ],
)
def test_how_long_ago(away: timedelta, words: str) -> None:
    assert moments.relative(NOW + away, NOW) == words


def test_exactly_is_in_the_studios_zone() -> None:
    assert moments.absolute(NOW, ZoneInfo("Pacific/Auckland")) == "11 March 2025, 01:00"
