"""The pure decisions of the gifts' room, as tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from newsletter.magnets import rules
from newsletter.magnets.rules import Paper

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("asked", "languages", "paper"),
    [
        ("", "en-US,en;q=0.9", Paper.LETTER),
        ("", "en-CA", Paper.LETTER),
        ("", "es-MX,es;q=0.8", Paper.LETTER),
        ("", "fr-ca;q=0.9", Paper.LETTER),
        ("", "zh-Hant-PH", Paper.LETTER),
        ("", "en-GB,en-US;q=0.7", Paper.A4),
        ("", "en", Paper.A4),
        ("", "us", Paper.A4),
        ("", "", Paper.A4),
        ("", ";;,,--", Paper.A4),
        ("letter", "de-DE", Paper.LETTER),
        ("a4", "en-US", Paper.A4),
        ("upload", "en-US", Paper.LETTER),
        ("../../etc", "de", Paper.A4),
    ],
)
def test_paper_for(asked: str, languages: str, paper: Paper) -> None:
    assert rules.paper_for(asked, languages) is paper


@pytest.mark.parametrize(
    ("zone", "paper"),
    [("America/New_York", Paper.LETTER), ("America/Sao_Paulo", Paper.A4), ("Europe/Berlin", Paper.A4), ("", Paper.A4)],
)
def test_paper_in(zone: str, paper: Paper) -> None:
    assert rules.paper_in(zone) is paper


@pytest.mark.parametrize(
    ("source", "failed_at", "minutes_ago", "due"),
    [("a", "", None, True), ("a", "b", 1, True), ("a", "a", 1, False), ("a", "a", 14.9, False), ("a", "a", 15, True)],
)
def test_is_due(source: str, failed_at: str, minutes_ago: float | None, due: bool) -> None:
    tried = NOW - timedelta(minutes=minutes_ago) if minutes_ago is not None else None
    assert rules.is_due(source, failed_at, tried, NOW) is due


@pytest.mark.parametrize(("before", "reason"), [(0, "magnet:3"), (1, "magnet:3:2"), (9, "magnet:3:10")])
def test_2_1_reason(before: int, reason: str) -> None:
    assert rules.reason(3, before) == reason
    assert rules.magnet_of(reason) == 3


@pytest.mark.parametrize("reason", ["step:3", "magnet:", "magnet:x", ""])
def test_magnet_of_refuses_what_is_not_about_a_gift(reason: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        rules.magnet_of(reason)


@pytest.mark.parametrize(
    ("status", "start", "length", "whole", "counts"),
    [
        (200, 0, 0, 0, True),
        (206, 0, 100, 100, True),
        (206, 0, 99, 100, False),
        (206, 50, 50, 100, False),
        (304, 0, 0, 0, False),
        (416, 0, 0, 0, False),
        (410, 0, 0, 0, False),
    ],
)
def test_counts_as_download(status: int, start: int, length: int, whole: int, counts: bool) -> None:
    assert rules.counts_as_download(status, start, length, whole) is counts
