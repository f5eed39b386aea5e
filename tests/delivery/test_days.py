"""Which email of a reader has a day, as tables of cases and as properties."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.civil import instant
from newsletter.delivery import days
from newsletter.delivery.days import BROADCAST, SERIES, Later, Mail
from newsletter.delivery.rules import Lane

UTC_ZONE, BERLIN, AUCKLAND = ZoneInfo("UTC"), ZoneInfo("Europe/Berlin"), ZoneInfo("Pacific/Auckland")
LANES = (Lane.SEQUENCE, Lane.BULK)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


NINE = at("2026-03-04T09:00")  # a Wednesday
TOMORROW = at("2026-03-05T09:00")


def mail(
    lane: Lane = Lane.BULK, due: datetime = NINE, *, order: int = 1, first: datetime | None = None, label: str = "it"
) -> Mail:
    return Mail(lane, due, first or due, order, label)


def verdict(
    mine: Mail,
    *,
    gone: tuple[tuple[datetime, str], ...] = (),
    waiting: tuple[Mail, ...] = (),
    first: str = SERIES,
    zone: ZoneInfo = UTC_ZONE,
    now: datetime = NINE,
    fit: days.Fit | None = None,
) -> Later | None:
    return days.verdict(mine, gone=gone, waiting=waiting, first=first, zone=zone, now=now, fit=fit)


def test_3_17_alone_on_its_day_an_email_goes() -> None:
    assert verdict(mail()) is None


@pytest.mark.parametrize(
    ("left", "zone", "goes"),
    [
        ("2026-03-04T00:00", UTC_ZONE, False),  # today, at its very beginning
        ("2026-03-03T23:59", UTC_ZONE, True),
        ("2026-03-03T23:59", BERLIN, False),  # 0:59 in Berlin is today there
        ("2026-03-03T22:59", BERLIN, True),
        ("2026-03-03T11:00", AUCKLAND, False),  # midnight in Auckland, where it is 22:00 now
        ("2026-03-03T10:59", AUCKLAND, True),
    ],
)
def test_3_17_the_day_is_that_of_the_readers_own_clock(left: str, zone: ZoneInfo, goes: bool) -> None:
    assert (verdict(mail(), gone=((at(left), "a"),), zone=zone) is None) == goes


def test_3_17_what_left_today_has_the_day_whatever_its_kind() -> None:
    series = mail(Lane.SEQUENCE, label="the series")
    assert verdict(series, gone=((at("2026-03-04T07:00"), "the news"),)) == Later(TOMORROW, "the news")


@pytest.mark.parametrize(
    ("mine", "other", "first", "moves"),
    [
        (Lane.BULK, Lane.SEQUENCE, SERIES, True),
        (Lane.SEQUENCE, Lane.BULK, SERIES, False),
        (Lane.BULK, Lane.SEQUENCE, BROADCAST, False),
        (Lane.SEQUENCE, Lane.BULK, BROADCAST, True),
    ],
)
def test_3_17_sequence_before_broadcast_unless_the_studio_says_otherwise(
    mine: Lane, other: Lane, first: str, moves: bool
) -> None:
    found = verdict(mail(mine, order=1), waiting=(mail(other, order=2, label="the other"),), first=first)
    assert found == (Later(TOMORROW, "the other") if moves else None)


@pytest.mark.parametrize(
    ("due", "moves"),
    [
        ("2026-03-04T18:00", True),  # later the same day
        ("2026-03-04T23:59", True),
        ("2026-03-05T00:00", False),  # the next day is free for it
        ("2026-03-03T09:00", True),  # late, so it goes today as well
        ("9999-02-01T00:00", False),  # held for the operator
    ],
)
def test_3_17_a_broadcast_makes_room_for_what_comes_later_that_day(due: str, moves: bool) -> None:
    assert (verdict(mail(), waiting=(mail(Lane.SEQUENCE, at(due)),)) is not None) == moves


def test_3_17_of_one_kind_the_one_that_was_due_first_goes_first() -> None:
    early, late = mail(Lane.SEQUENCE, at("2026-03-04T08:00"), order=2), mail(Lane.SEQUENCE, NINE, order=1)
    assert verdict(late, waiting=(early,)) is not None
    assert verdict(early, waiting=(late,)) is None
    same = mail(Lane.SEQUENCE, NINE, order=3)
    assert verdict(same, waiting=(late,)) is not None
    assert verdict(late, waiting=(same,)) is None


def test_3_17_what_was_moved_once_is_not_passed_by_for_ever() -> None:
    moved = mail(Lane.SEQUENCE, NINE, order=1, first=at("2026-03-03T09:00"))
    fresh = mail(Lane.SEQUENCE, at("2026-03-04T08:00"), order=2)
    assert verdict(fresh, waiting=(moved,), now=at("2026-03-04T08:00")) is not None
    assert verdict(moved, waiting=(fresh,)) is None


def test_3_17_moved_to_the_next_day_at_the_same_time_of_day_across_a_change_of_clocks() -> None:
    nine_in_berlin = at("2026-03-28T08:00")  # the night after it, clocks go forward
    assert days.next_day(nine_in_berlin, zone=BERLIN, now=nine_in_berlin) == at("2026-03-29T07:00")
    half_past_two = at("2026-03-28T01:30")  # does not exist the next day
    assert days.next_day(half_past_two, zone=BERLIN, now=half_past_two) == at("2026-03-29T01:00")


def test_3_17_moved_into_what_its_own_rules_allow() -> None:
    saturday = at("2026-03-07T09:00")

    def workdays(moment: datetime, zone: ZoneInfo) -> datetime:
        while moment.astimezone(zone).weekday() > 4:
            moment += timedelta(days=1)
        return moment

    friday = at("2026-03-06T09:00")
    found = verdict(mail(due=friday), gone=((friday, "x"),), now=friday, fit=workdays)
    assert found == Later(saturday + timedelta(days=2), "x")


def test_3_17_late_emails_keep_their_time_of_day() -> None:
    late = mail(Lane.SEQUENCE, at("2026-03-03T07:00"))
    assert days.next_day(late.due_at, zone=UTC_ZONE, now=NINE) == at("2026-03-05T07:00")


def test_3_17_the_reason_in_words() -> None:
    assert days.why(NINE, BERLIN, "“News”") == "moved from Wednesday because of “News”"
    assert days.why(at("2026-03-04T23:30"), BERLIN, "“News”") == "moved from Thursday because of “News”"


@pytest.mark.parametrize(("late", "held"), [(0, False), (48, False), (48.02, True), (500, True)])
def test_3_16_more_than_48_hours_late_is_overdue(late: float, held: bool) -> None:
    assert days.is_overdue(NINE - timedelta(hours=late), NINE, 48) == held


ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Pacific/Apia", "Asia/Kathmandu"]).map(ZoneInfo)
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31)).map(  # noqa: DTZ001
    lambda moment: moment.replace(second=0, microsecond=0, tzinfo=UTC)
)


@given(zone=ZONES, now=MOMENTS, late=st.integers(0, 5000))
def test_3_17_a_moved_email_is_always_on_a_later_day(zone: ZoneInfo, now: datetime, late: int) -> None:
    moved = days.next_day(now - timedelta(minutes=late), zone=zone, now=now)
    assert moved.astimezone(zone).date() > now.astimezone(zone).date()
    assert moved - now <= timedelta(hours=50)
    assert moved >= days.end_of_day(now, zone)


MAILS = st.lists(st.tuples(st.sampled_from(LANES), st.integers(-3, 30), st.integers(0, 3)), min_size=1, max_size=6).map(
    lambda rows: [(lane, hours, back, number) for number, (lane, hours, back) in enumerate(rows)]
)


@given(
    zone=ZONES,
    day=st.dates(date(2026, 1, 2), date(2026, 12, 30)),
    some=MAILS,
    first=st.sampled_from([SERIES, BROADCAST]),
)
def test_3_17_exactly_one_of_those_due_goes_in_whatever_order_they_are_asked(
    zone: ZoneInfo, day: date, some: list[tuple[Lane, int, int, int]], first: str
) -> None:
    now = instant(datetime.combine(day, time(12)), zone)
    mails = [
        Mail(lane, now + timedelta(hours=hours), now + timedelta(hours=hours, days=-back), number, str(number))
        for lane, hours, back, number in some
    ]
    due = [one for one in mails if one.due_at <= now]
    going = []
    for asked in (due, due[::-1]):
        verdicts = {
            one.order: days.verdict(
                one, gone=(), waiting=[other for other in mails if other is not one], first=first, zone=zone, now=now
            )
            for one in asked
        }
        going.append({number for number, found in verdicts.items() if found is None})
    assert going[0] == going[1]
    assert len(going[0]) <= 1
    if due and all(one in due for one in mails):
        assert len(going[0]) == 1
