"""How a way goes on after a pause, as a table of cases and as properties (semantics 3.15)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.sequences.resuming import CHOICE_WORDS, Choice, resumed, shifted, whole_days
from newsletter.sequences.rules import NOTHING_KNOWN, Course, Finished, Place, Step, Tagged, Timing, Unit, enter, fit

BERLIN, UTC_ZONE = ZoneInfo("Europe/Berlin"), ZoneInfo("UTC")
MORNING = (time(7), time(9))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def step(number: int, timing: Timing = Timing(1), kind: str = "email", **config: object) -> Step:  # noqa: B008
    return Step(number, f"step-{number}", number, kind, timing, config)


DAILY = Course(steps=tuple(step(number, Timing(1, window=MORNING)) for number in range(1, 6)))
JOINED, PAUSED = at("2026-03-02T10:00"), at("2026-03-02T12:00")


def after(
    course: Course, now: datetime, choice: Choice, place: Place | None = None, zone: ZoneInfo = UTC_ZONE
) -> Place:
    place = place or enter(course, zone=zone, now=JOINED)
    return resumed(course, place, PAUSED, now, choice, NOTHING_KNOWN, zone=zone)[0]


@pytest.mark.parametrize(
    ("choice", "resumed_at", "step_id", "due"),
    [
        (Choice.SHIFTED, "2026-03-02T20:00", 1, "2026-03-03T07:00"),  # less than a day: nothing moves
        (Choice.SHIFTED, "2026-03-03T11:00", 1, "2026-03-04T07:00"),  # what was missed goes when its time of day comes
        (Choice.SHIFTED, "2026-03-05T13:00", 1, "2026-03-06T07:00"),
        (Choice.SHIFTED, "2026-03-12T13:00", 1, "2026-03-13T07:00"),
        (Choice.SPACED, "2026-03-05T13:00", 1, "2026-03-06T07:00"),
        (Choice.SPACED, "2026-03-05T08:00", 1, "2026-03-05T08:00"),  # inside its window: now
        (Choice.SKIP, "2026-03-05T08:00", 4, "2026-03-06T07:00"),  # Tue, Wed and Thu are gone
        (Choice.SKIP, "2026-03-02T20:00", 1, "2026-03-03T07:00"),  # nothing was missed
    ],
)
def test_3_15_each_choice(choice: Choice, resumed_at: str, step_id: int, due: str) -> None:
    found = after(DAILY, at(resumed_at), choice)
    assert (found.step_id, found.due_at) == (step_id, at(due))


@pytest.mark.parametrize(
    ("paused", "resumed_at", "days"),
    [
        ("2026-03-23T08:00", "2026-03-30T07:00", 7),  # 09:00 both times: that week has an hour less
        ("2026-03-23T08:00", "2026-03-30T06:59", 6),
        ("2026-10-19T07:00", "2026-10-26T08:00", 7),  # and this one an hour more
        ("2026-10-19T07:00", "2026-10-26T07:59", 6),
    ],
)
def test_3_15_a_pause_over_the_change_of_clocks_is_no_day_shorter(paused: str, resumed_at: str, days: int) -> None:
    held_at, now = at(paused), at(resumed_at)
    place = replace(enter(DAILY, zone=BERLIN, now=held_at), due_at=shifted(held_at, 1, BERLIN))
    found, _ = resumed(DAILY, place, held_at, now, Choice.SHIFTED, NOTHING_KNOWN, zone=BERLIN)
    assert whole_days(held_at, now, BERLIN) == days
    assert found.enrolled_at == shifted(held_at, days, BERLIN)


def test_3_15_skipping_over_the_end_finishes() -> None:
    place = enter(DAILY, zone=UTC_ZONE, now=JOINED)
    found, effects = resumed(DAILY, place, PAUSED, at("2026-04-01T12:00"), Choice.SKIP, NOTHING_KNOWN, zone=UTC_ZONE)
    assert (found.step_id, found.due_at) == (None, None)
    assert isinstance(effects[-1], Finished)


def test_3_15_skipping_leaves_out_emails_and_nothing_else() -> None:
    tag = step(2, Timing(0), "tag", add=["moved on"], remove=[])
    course = Course(steps=(step(1), tag, step(3)))
    place = enter(course, zone=UTC_ZONE, now=JOINED)
    found, effects = resumed(course, place, PAUSED, at("2026-03-03T12:00"), Choice.SKIP, NOTHING_KNOWN, zone=UTC_ZONE)
    assert [type(effect) for effect in effects] == [Tagged]
    assert (found.step_id, found.due_at, found.sent_at) == (3, at("2026-03-04T10:00"), None)


def test_3_15_a_step_deleted_during_the_pause_is_waited_out() -> None:
    place = enter(DAILY, zone=UTC_ZONE, now=JOINED)
    first, *others = DAILY.steps
    without = replace(DAILY, steps=(replace(first, deleted=True), *others))
    assert after(without, at("2026-03-05T13:00"), Choice.SHIFTED, place).due_at == at("2026-03-06T07:00")


def test_3_15_whose_way_has_ended_stays_where_they_are() -> None:
    over = Place(JOINED, JOINED)
    assert after(DAILY, at("2026-03-05T13:00"), Choice.SHIFTED, over) == over


def test_3_15_shifted_by_days_of_the_calendar_across_a_change_of_clocks() -> None:
    assert shifted(at("2026-03-28T08:00"), 2, BERLIN) == at("2026-03-30T07:00")


def test_every_choice_has_its_words() -> None:
    assert set(CHOICE_WORDS) == set(Choice)


TIMINGS = st.builds(
    Timing,
    amount=st.integers(0, 5),
    unit=st.sampled_from(list(Unit)),
    window=st.sampled_from([None, MORNING, (time(22), time(6))]),
    weekdays=st.integers(1, 127),
)


@given(
    timings=st.lists(TIMINGS, min_size=1, max_size=5),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]).map(ZoneInfo),
    held=st.integers(0, 60 * 24 * 10),
    pause=st.integers(0, 60 * 24 * 60),
    choice=st.sampled_from(list(Choice)),
)
def test_3_15_never_in_the_past_never_outside_its_rules_never_backwards(
    timings: list[Timing], zone: ZoneInfo, held: int, pause: int, choice: Choice
) -> None:
    course = Course(steps=tuple(step(number, timing) for number, timing in enumerate(timings, 1)))
    place = enter(course, zone=zone, now=JOINED)
    held_at = JOINED + timedelta(minutes=held)
    now = held_at + timedelta(minutes=pause)
    found, _ = resumed(course, place, held_at, now, choice, NOTHING_KNOWN, zone=zone)
    assert (found.step_id or 99) >= (place.step_id or 0)
    if choice is not Choice.SKIP:
        assert found.step_id == place.step_id
    if found.due_at is not None:
        assert found.due_at >= now or (choice is Choice.SKIP and found.due_at > now)
        timing = course.steps[(found.step_id or 1) - 1].timing
        at_once = found.sent_at is None and timing.amount == 0 and found.step_id == 1  # 3.18
        assert at_once or fit(timing, found.due_at, zone) == found.due_at
    if choice is Choice.SHIFTED:
        assert timedelta() <= found.enrolled_at - place.enrolled_at <= timedelta(minutes=pause + 60)
    else:
        assert found.enrolled_at == place.enrolled_at
