"""When a step is due: the lines of semantics section 3 as cases."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from newsletter.sequences.rules import (
    EVERY_DAY,
    CountsFrom,
    Course,
    Step,
    Timing,
    Unit,
    Way,
    fit,
    instant,
    mask,
    next_instant,
    problem_with,
    zone_of,
)

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
MORNING = (time(7), time(9))
NIGHT = (time(22), time(6))
WEEKDAYS = mask(range(5))


def civil(text: str) -> datetime:
    """A time as clocks on the wall show it, which `instant` takes without a zone."""
    return datetime.fromisoformat(text)


def at(text: str, zone: ZoneInfo = BERLIN) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


def due(
    timing: Timing,
    since: str,
    *,
    now: str = "",
    sent: bool = True,
    enrolled: str = "",
    zone: ZoneInfo = BERLIN,
    gap: int = 20,
) -> str:
    """When it is due, as the reader's own clock shows it."""
    start = at(since, zone)
    way = Way(at(enrolled or since, zone), start, start if sent else None)
    found = next_instant(timing, way, zone=zone, min_gap_hours=gap, now=at(now or since, zone))
    assert found.tzinfo is UTC
    return found.astimezone(zone).strftime("%a %d.%m. %H:%M")


def test_3_3_the_delay_counts_from_the_previous_actual_send() -> None:
    timing = Timing(2, window=MORNING)
    assert due(timing, "2026-03-02T07:00") == "Wed 04.03. 07:00"
    assert due(timing, "2026-03-03T21:15") == "Thu 05.03. 07:00"


def test_3_3_the_delay_may_count_from_enrolment() -> None:
    timing = Timing(5, counts_from=CountsFrom.ENROLLMENT, window=MORNING)
    assert due(timing, "2026-03-03T07:00", enrolled="2026-03-01T12:00") == "Fri 06.03. 07:00"


def test_3_3_after_an_outage_two_steps_are_20_hours_apart() -> None:
    late = Timing(1, counts_from=CountsFrom.ENROLLMENT)
    assert due(late, "2026-03-10T15:00", enrolled="2026-03-01T12:00") == "Wed 11.03. 11:00"
    assert due(Timing(2, Unit.HOURS), "2026-03-10T15:00") == "Wed 11.03. 11:00"
    assert due(Timing(2, Unit.HOURS), "2026-03-10T15:00", gap=0) == "Tue 10.03. 17:00"
    # 20 hours after 15:00 is 11:00; by then the window has closed, so it opens for them a day later.
    assert due(Timing(1, window=MORNING), "2026-03-10T15:00") == "Thu 12.03. 07:00"


def test_3_4_a_day_is_a_calendar_day_and_24_hours_are_elapsed() -> None:
    # In the night to 29 March 2026 Berlin loses an hour.
    assert due(Timing(1), "2026-03-28T10:00") == "Sun 29.03. 10:00"
    assert due(Timing(24, Unit.HOURS), "2026-03-28T10:00") == "Sun 29.03. 11:00"


def test_3_4_a_day_begins_at_midnight_of_the_reader() -> None:
    late_evening = datetime(2026, 3, 2, 4, 30, tzinfo=UTC)  # 23:30 on Sunday in New York, Monday in Berlin
    for zone, expected in ((NEW_YORK, "Mon 02.03. 07:00"), (BERLIN, "Tue 03.03. 07:00")):
        way = Way(late_evening, late_evening)
        found = next_instant(Timing(1, window=MORNING), way, zone=zone, min_gap_hours=20, now=late_evening)
        assert found.astimezone(zone).strftime("%a %d.%m. %H:%M") == expected


def test_3_5_gap_goes_to_first_instant_after() -> None:
    assert instant(civil("2026-03-29T02:30"), BERLIN) == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    assert due(Timing(1, window=(time(2, 30), time(4))), "2026-03-28T02:30") == "Sun 29.03. 03:00"
    assert due(Timing(1, window=(time(2, 15), time(2, 45))), "2026-03-28T02:15") == "Sun 29.03. 03:00"


def test_3_5_a_gap_at_midnight_and_a_day_that_never_was() -> None:
    assert instant(civil("2018-11-04T00:00"), ZoneInfo("America/Sao_Paulo")) == datetime(2018, 11, 4, 3, tzinfo=UTC)
    assert instant(civil("2011-12-30T07:00"), ZoneInfo("Pacific/Apia")) == datetime(2011, 12, 30, 10, tzinfo=UTC)


def test_3_5_a_time_that_occurs_twice_is_the_first_and_never_twice() -> None:
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # 02:30 comes at 00:30 and at 01:30 UTC
    assert instant(civil("2026-10-25T02:30"), BERLIN) == first
    timing, day_before = Timing(1, window=(time(2, 30), time(2, 45))), at("2026-10-24T02:30")
    assert (
        next_instant(timing, Way(day_before, day_before, day_before), zone=BERLIN, min_gap_hours=20, now=first) == first
    )
    again = next_instant(
        timing, Way(day_before, first, first), zone=BERLIN, min_gap_hours=0, now=first + timedelta(hours=1)
    )
    assert again == at("2026-10-26T02:30")


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-03-04T06:59", "Wed 04.03. 07:00"),
        ("2026-03-04T08:10", "Wed 04.03. 08:10"),  # its start has passed, the window is still open: now
        ("2026-03-04T09:00", "Thu 05.03. 07:00"),  # 9:00 is not inside 7:00-9:00
        ("2026-03-09T15:00", "Tue 10.03. 07:00"),
    ],
)
def test_3_6_the_windows_start_else_now_inside_it_else_the_next(now: str, expected: str) -> None:
    assert due(Timing(2, window=MORNING), "2026-03-02T07:00", now=now) == expected


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-03-03T12:00", "Tue 03.03. 22:00"),
        ("2026-03-03T23:30", "Tue 03.03. 23:30"),
        ("2026-03-04T05:59", "Wed 04.03. 05:59"),
        ("2026-03-04T06:00", "Wed 04.03. 22:00"),
    ],
)
def test_3_6_a_window_across_midnight(now: str, expected: str) -> None:
    assert due(Timing(1, window=NIGHT), "2026-03-02T22:00", now=now) == expected


def test_3_6_what_could_never_be_sent_is_refused() -> None:
    assert "same time" in problem_with(Timing(1, window=(time(7), time(7))))
    assert "No day" in problem_with(Timing(1, weekdays=0))
    assert "negative" in problem_with(Timing(-1))
    assert problem_with(Timing(1, window=NIGHT, weekdays=mask([6]))) == ""


def test_3_7_forward_to_the_first_allowed_day_at_the_same_clock_time() -> None:
    # 6 March 2026 is a Friday.
    assert due(Timing(1, window=MORNING, weekdays=WEEKDAYS), "2026-03-06T07:00") == "Mon 09.03. 07:00"
    assert due(Timing(1, weekdays=WEEKDAYS), "2026-03-06T16:20") == "Mon 09.03. 16:20"
    assert due(Timing(24, Unit.HOURS, weekdays=WEEKDAYS), "2026-03-06T16:20") == "Mon 09.03. 16:20"
    assert due(Timing(1, window=MORNING, weekdays=WEEKDAYS), "2026-03-06T07:00", now="2026-03-07T08:30") == (
        "Mon 09.03. 07:00"
    )
    # Late, and over the weekend: its own time of day, not midnight.
    assert due(Timing(1, weekdays=WEEKDAYS), "2026-03-05T16:20", now="2026-03-07T08:30") == "Mon 09.03. 16:20"
    assert due(Timing(1, weekdays=WEEKDAYS), "2026-03-05T16:20", now="2026-03-09T04:00") == "Mon 09.03. 16:20"
    # The move ends on the day of a change of the clocks, in the hour that does not exist.
    assert due(Timing(1, weekdays=mask([6])), "2026-03-24T02:30") == "Sun 29.03. 03:00"
    # A day passed on the way there has no say.
    assert due(Timing(3, weekdays=mask([0])), "2026-03-26T02:30") == "Mon 30.03. 02:30"


def test_3_7_the_next_delay_counts_from_the_actual_send() -> None:
    timing = Timing(2, window=MORNING, weekdays=WEEKDAYS)
    assert due(timing, "2026-03-09T07:00") == "Wed 11.03. 07:00"


def test_3_8_the_readers_zone_else_the_studios() -> None:
    assert zone_of("America/New_York", "Europe/Berlin") is NEW_YORK
    for invalid in ("", "Mars/Base", "../etc/passwd", "Europe"):
        assert zone_of(invalid, "Europe/Berlin") is BERLIN
    assert zone_of("", "nonsense") is ZoneInfo("UTC")


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago", "Asia/Kathmandu", "America/New_York"])
def test_3_8_a_changed_zone_never_moves_into_the_past_and_never_twice_on_one_day(zone: str) -> None:
    timing, now = Timing(1, window=MORNING), at("2026-03-03T06:00")
    sent = at("2026-03-02T07:00")
    there = ZoneInfo(zone)
    moved = next_instant(timing, Way(sent, sent, sent), zone=there, min_gap_hours=20, now=now)
    assert moved >= now
    assert moved.astimezone(there).date() > sent.astimezone(there).date()


def test_3_10_deleted_steps_are_passed_over() -> None:
    one, two, three = (Step(n, f"s{n}", n, timing=Timing(1), deleted=n == 2) for n in (1, 2, 3))
    course = Course(steps=(one, two, three))
    assert course.after(None) is one
    assert course.after(1) is three
    assert course.step(2) is None
    assert course.after(2) is three, "from a deleted step too"
    assert course.after(3) is None


def test_3_18_the_first_email_may_go_at_once_ignoring_the_window() -> None:
    now = "2026-03-07T23:40"
    first = Timing(0, window=MORNING, weekdays=WEEKDAYS)
    assert due(first, now, sent=False) == "Sat 07.03. 23:40"
    assert due(first, now, sent=True) == "Mon 09.03. 07:00", "any later one keeps to the window"
    assert due(Timing(1, window=MORNING), now, sent=False) == "Sun 08.03. 07:00", "with a delay it keeps to it too"


def test_every_day_is_every_day() -> None:
    assert mask(range(7)) == EVERY_DAY


@pytest.mark.parametrize(
    ("moment", "window", "fits"),
    [
        ("2026-03-02T21:00", (time(18, 30), time(20)), "2026-03-09T18:30"),
        ("2026-03-02T02:30", (time(22), time(2)), "2026-03-02T22:00"),
        ("2026-03-29T03:00", (time(2, 15), time(2, 45)), "2026-03-30T02:15"),
    ],
)
def test_3_6_a_time_of_day_that_the_window_does_not_hold_becomes_its_start(
    moment: str, window: tuple[time, time], fits: str
) -> None:
    """Mondays only: from Monday evening to Tuesday's window, from there to Monday evening, and so on for ever."""
    assert fit(Timing(window=window, weekdays=1), at(moment), BERLIN) == at(fits)
