"""Timing as people write and read it."""

from __future__ import annotations

from datetime import time

import pytest

from newsletter.errors import SourceError
from newsletter.sequences import timing
from newsletter.sequences.rules import EVERY_DAY, CountsFrom, Timing, Unit, mask


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (("2 days", "07:00-09:00"), Timing(2, Unit.DAYS, window=(time(7), time(9)))),
        (("1 day",), Timing(1)),
        (("24 hours", "", "mon-fri"), Timing(24, Unit.HOURS, weekdays=mask(range(5)))),
        (("0 days", "22:00–6:00", "Sat, sunday"), Timing(0, window=(time(22), time(6)), weekdays=mask([5, 6]))),
        (
            ("3 days", "", "fri-mon", "enrollment"),
            Timing(3, Unit.DAYS, CountsFrom.ENROLLMENT, None, mask([4, 5, 6, 0])),
        ),
        (("1 days", "", "daily"), Timing(1, weekdays=EVERY_DAY)),
    ],
)
def test_3_4_delays_windows_and_days_are_read(written: tuple[str, ...], read: Timing) -> None:
    assert timing.parse(*written) == read


@pytest.mark.parametrize(
    "written",
    [
        ("soon",),
        ("-1 days",),
        ("1.5 days",),
        ("99999 days",),
        ("1 day", "7-9"),
        ("1 day", "25:00-26:00"),
        ("1 day", "07:00-09:00-11:00"),
        ("1 day", "", "someday"),
        ("1 day", "", "mon-tue-wed"),
        ("1 day", "", "mon,,tue"),
        ("1 day", "", "", "yesterday"),
    ],
)
def test_nonsense_is_refused_with_what_is_wrong(written: tuple[str, ...]) -> None:
    with pytest.raises(SourceError) as refused:
        timing.parse(*written)
    assert written[-1] in refused.value.happened
    assert refused.value.remedy


def test_3_6_a_window_without_length_is_refused() -> None:
    with pytest.raises(SourceError, match="begins and ends at the same time"):
        timing.parse("1 day", "07:00-07:00")


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (("2 days", "07:00-09:00", "mon-fri"), "2 days later, weekdays 7:00–9:00, in the reader's zone"),
        (("1 day", "07:00-09:00"), "1 day later, 7:00–9:00, in the reader's zone"),
        (("3 days",), "3 days later, at the same time of day, in the reader's zone"),
        (("24 hours",), "24 hours later"),
        (("1 hour", "", "mon,wed,sun"), "1 hour later, Mondays, Wednesdays and Sundays, in the reader's zone"),
        (("5 days", "22:00-06:00", "", "enrollment"), "5 days after joining, 22:00–6:00, in the reader's zone"),
        (("0 days", "07:00-09:00"), "as soon as it may go, 7:00–9:00, in the reader's zone"),
    ],
)
def test_3_4_the_screen_says_both_kinds_of_delay_in_words(written: tuple[str, ...], words: str) -> None:
    assert timing.say(timing.parse(*written)) == words


def test_3_18_the_first_step_in_words() -> None:
    assert timing.say(timing.parse("0 days", "07:00-09:00"), first=True) == "at once"
    assert timing.say(timing.parse("2 days", "07:00-09:00"), first=True).startswith("2 days after joining, 7:00–9:00")


@pytest.mark.parametrize("window", ["", "07:00-09:00", "22:30-06:15"])
def test_windows_survive_the_database(window: str) -> None:
    read = timing.parse("1 day", window)
    assert "-".join(timing.write_window(read)).strip("-") == window


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (("1 day",), "who got the email before on a Monday, at any hour, gets this one on Tuesday."),
        (("2 days", "07:00-09:00", "mon,fri"), "gets this one on Friday."),
        (("7 days",), "gets this one on Monday of the next week."),
        (("20 days", "", "", "enrollment"), "who joins on a Monday, at any hour, gets this one on Sunday, 2 w"),
        (("24 hours",), "Elapsed time: 24 hours after the email before was sent; when the clocks change"),
        (("1 hour", "", "", "enrollment"), "Elapsed time: 1 hour after joining; when the clocks change"),
    ],
)
def test_3_4_what_a_delay_means_is_told_by_an_example(written: tuple[str, ...], words: str) -> None:
    assert words in timing.explain(timing.parse(*written))


def test_3_4_no_delay_needs_no_explaining() -> None:
    assert timing.explain(timing.parse("0 days")) == ""


def test_a_step_that_sends_nothing_follows_right_after() -> None:
    assert timing.say(timing.parse("0 days"), mails=False) == "right after that"
    assert timing.say(timing.parse("0 days", "", "sun"), mails=False).startswith("right after that, Sundays")


def test_a_list_that_shows_one_email_alone_names_the_one_its_delay_counts_from() -> None:
    assert timing.say(timing.parse("2 days"), before="email 2").startswith("2 days after email 2, ")
    assert timing.say(timing.parse("2 days", counts_from="enrollment"), before="email 2").startswith(
        "2 days after joining, "
    )
