"""What holds for every step, reader, zone and moment, whatever hypothesis thinks of."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.sequences.rules import EVERY_DAY, CountsFrom, Timing, Unit, Way, fit, instant, minute, next_instant

# Chosen for what their clocks do: half hours, both hemispheres, a change at midnight, a change of 30 minutes, none.
ZONES = [
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Asia/Beirut",
    "Africa/Casablanca",
    "America/St_Johns",
    "Pacific/Apia",
    "Pacific/Kiritimati",
    "UTC",
]
zones = st.sampled_from([ZoneInfo(name) for name in ZONES])
# Near changes of the clocks more often than elsewhere.
CHANGES = [
    datetime(*parts, tzinfo=UTC) for parts in ((2026, 3, 29, 1), (2026, 10, 25, 1), (2026, 3, 8, 7), (2018, 11, 4, 3))
]
LAST = datetime.fromisoformat("2037-01-01")
moments = st.one_of(
    st.datetimes(datetime.fromisoformat("2010-01-01"), LAST, timezones=st.just(UTC)),
    st.builds(
        lambda change, minutes: change + timedelta(minutes=minutes), st.sampled_from(CHANGES), st.integers(-4000, 4000)
    ),
)
times = st.builds(time, st.integers(0, 23), st.sampled_from([0, 1, 15, 30, 59]))
windows = st.one_of(st.none(), st.tuples(times, times).filter(lambda ends: ends[0] != ends[1]))
timings = st.builds(
    Timing,
    amount=st.integers(0, 40),
    unit=st.sampled_from(Unit),
    counts_from=st.sampled_from(CountsFrom),
    window=windows,
    weekdays=st.integers(1, EVERY_DAY),
)
waits = st.builds(timedelta, minutes=st.integers(0, 60_000))
gaps = st.sampled_from([0, 20, 48])


def journey(enrolled: datetime, first: timedelta, later: timedelta) -> tuple[Way, datetime]:
    sent = enrolled + first
    return Way(enrolled, sent, sent), sent + later


def follows_a_gap(moment: datetime, zone: ZoneInfo) -> bool:
    """Whether clocks have just jumped ahead: the only moment that may stand in for a time that does not exist."""
    before = (moment - timedelta(seconds=1)).astimezone(zone).utcoffset()
    after = moment.astimezone(zone).utcoffset()
    assert before is not None
    assert after is not None
    return after > before


def inside(moment: datetime, window: tuple[time, time], zone: ZoneInfo) -> bool:
    clock, (opens, closes) = moment.astimezone(zone).time(), window
    return opens <= clock < closes if opens < closes else clock >= opens or clock < closes


@settings(max_examples=400, deadline=None)
@given(timings, zones, moments, waits, waits, gaps)
def test_3_3_to_3_7_never_past_never_outside_never_bunched(
    timing: Timing, zone: ZoneInfo, enrolled: datetime, first: timedelta, later: timedelta, gap: int
) -> None:
    way, now = journey(enrolled, first, later)
    due = next_instant(timing, way, zone=zone, min_gap_hours=gap, now=now)
    assert due >= now, "never in the past"
    assert way.sent_at is not None
    assert due - minute(way.sent_at) >= timedelta(hours=gap), "the minimum gap is kept, in whole minutes"
    assert due in (now, minute(due)), "a whole minute"
    assert timing.weekdays >> due.astimezone(zone).weekday() & 1, "on an allowed day"
    if timing.window:
        assert inside(due, timing.window, zone) or follows_a_gap(due, zone), "inside the window"


@settings(max_examples=400, deadline=None)
@given(timings, zones, moments.map(minute))
def test_3_7_and_3_17_what_moves_to_another_day_finds_its_window_within_a_fortnight(
    timing: Timing, zone: ZoneInfo, moment: datetime
) -> None:
    """Also from a time of day that its window does not hold: there it was looked for to the end of time."""
    found = fit(timing, moment, zone)
    assert moment <= found <= moment + timedelta(days=16)
    assert timing.weekdays >> found.astimezone(zone).weekday() & 1, "on an allowed day"
    if timing.window:
        assert inside(found, timing.window, zone) or follows_a_gap(found, zone), "inside the window"


@settings(max_examples=300, deadline=None)
@given(timings, zones, moments, waits, waits, gaps)
def test_asking_again_at_the_moment_it_is_due_gives_that_moment(
    timing: Timing, zone: ZoneInfo, enrolled: datetime, first: timedelta, later: timedelta, gap: int
) -> None:
    """The planner asks when it plans and again when the moment has come; a different answer would wander for ever."""
    way, now = journey(enrolled, first, later)
    due = next_instant(timing, way, zone=zone, min_gap_hours=gap, now=now)
    assert next_instant(timing, way, zone=zone, min_gap_hours=gap, now=due) == due


@settings(max_examples=300, deadline=None)
@given(timings, zones, moments, waits, waits, waits, gaps)
def test_asking_later_never_gives_an_earlier_moment(
    timing: Timing, zone: ZoneInfo, enrolled: datetime, first: timedelta, later: timedelta, more: timedelta, gap: int
) -> None:
    way, now = journey(enrolled, first, later)
    due = next_instant(timing, way, zone=zone, min_gap_hours=gap, now=now)
    assert next_instant(timing, way, zone=zone, min_gap_hours=gap, now=now + more) >= due


@settings(max_examples=150, deadline=None)
@given(st.lists(timings, min_size=2, max_size=6), zones, moments)
def test_3_3_a_whole_course_keeps_its_order_and_its_gaps(
    course: list[Timing], zone: ZoneInfo, enrolled: datetime
) -> None:
    way, sent = Way(enrolled, enrolled), [enrolled]
    for timing in course:
        due = next_instant(timing, way, zone=zone, min_gap_hours=20, now=sent[-1])
        way = Way(enrolled, due, due)
        sent.append(due)
    assert all(later - minute(earlier) >= timedelta(hours=20) for earlier, later in pairwise(sent[1:]))


@settings(max_examples=400, deadline=None)
@given(st.datetimes(datetime.fromisoformat("1990-01-01"), LAST), zones)
def test_3_5_every_local_time_has_one_instant(local: datetime, zone: ZoneInfo) -> None:
    found = instant(local, zone)
    shown = found.astimezone(zone).replace(tzinfo=None)
    assert shown == local or (shown > local and follows_a_gap(found, zone))
    if shown == local:
        assert found.astimezone(zone).fold == 0, "the first of two"
