"""The planner's three functions over steps of every kind: nothing but values, no database."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from newsletter.sequences.rules import (
    NOTHING_KNOWN,
    CaughtUp,
    CountsFrom,
    Course,
    Effect,
    EnrollmentState,
    Facts,
    Finished,
    Kind,
    Left,
    Mail,
    Moved,
    Place,
    Reentry,
    Round,
    Step,
    Tagged,
    Timing,
    Unit,
    arrive,
    enter,
    mask,
    moved,
    passed,
    why_not_enter,
)

BERLIN, TOKYO, HONOLULU = (ZoneInfo(name) for name in ("Europe/Berlin", "Asia/Tokyo", "Pacific/Honolulu"))
MONDAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)  # 10:00 in Berlin
MORNING = (time(7), time(9))
IF_YOGA = {"if": {"tag": "yoga"}, "then": "", "else": "end"}
YOGA = Facts(tags=frozenset({"yoga"}))


def course(*steps: tuple[str, str, Timing, dict[str, Any]], **rules: Any) -> Course:
    """A course of (key, kind, timing, config)."""
    made = (Step(at, key, at, kind, timing, config) for at, (key, kind, timing, config) in enumerate(steps, 1))
    return Course(id=1, slug="core", steps=tuple(made), **rules)


def email(key: str, timing: Timing = Timing(1)) -> tuple[str, str, Timing, dict[str, Any]]:  # noqa: B008 - frozen
    return key, Kind.EMAIL, timing, {}


def other(key: str, kind: str, timing: Timing = Timing(), **config: Any) -> tuple[str, str, Timing, dict[str, Any]]:  # noqa: B008
    return key, kind, timing, config


def walk(way: Course, facts: Facts = NOTHING_KNOWN, *, zone: ZoneInfo = BERLIN, start: datetime = MONDAY) -> list[str]:
    """What a reader lives through, each with its moment on their own clock."""
    place, lived = enter(way, zone=zone, now=start), []
    for _ in range(50):
        if place.due_at is None:
            return lived
        place, effects = arrive(way, place, facts, zone=zone, now=place.due_at)
        for effect in effects:
            lived.append(f"{_word(effect)} {effect.at.astimezone(zone):%a %H:%M}")
            if isinstance(effect, Mail):
                place, more = passed(way, place, effect.at, facts, sent=True, zone=zone)
                lived += [f"{_word(one)} {one.at.astimezone(zone):%a %H:%M}" for one in more]
    raise AssertionError("walks for ever")


def _word(effect: Effect) -> str:
    match effect:
        case Mail(step, _):
            return step.key
        case Tagged(_, add, remove, _):
            return f"+{','.join(add)}-{','.join(remove)}"
        case Moved(to_slug=slug):
            return f">{slug}"
        case Left(why, _):
            return f"left: {why}"
        case Finished():
            return "finished"
        case CaughtUp():
            return "caught up"


def test_emails_one_after_the_other() -> None:
    way = course(email("a", Timing()), email("b", Timing(1, window=MORNING)), email("c", Timing(36, Unit.HOURS)))
    assert walk(way) == ["a Mon 10:00", "b Tue 07:00", "c Wed 19:00", "finished Wed 19:00"]


def test_3_18_the_first_email_may_go_at_once_ignoring_the_window() -> None:
    night = Timing(window=(time(22), time(6)), weekdays=mask([6]))
    assert walk(course(email("a", night))) == ["a Mon 10:00", "finished Mon 10:00"]
    behind_a_tag = course(other("t", Kind.TAG, add=["new"]), email("a", night))
    assert walk(behind_a_tag) == ["+new- Mon 10:00", "a Mon 10:00", "finished Mon 10:00"]
    behind_a_wait = course(other("w", Kind.WAIT, Timing(1)), email("a", Timing(window=MORNING)))
    assert walk(behind_a_wait) == ["a Wed 07:00", "finished Wed 07:00"], "then it is no answer to joining any more"


def test_a_wait_is_its_delay_and_window() -> None:
    way = course(email("a", Timing()), other("w", Kind.WAIT, Timing(0, window=(time(18), time(20)))), email("b"))
    assert walk(way) == ["a Mon 10:00", "b Tue 18:00", "finished Tue 18:00"], "a day after the wait was over"


def test_what_is_no_email_keeps_no_distance_from_one() -> None:
    way = course(email("a", Timing()), other("t", Kind.TAG, add=["had a"], remove=["new"]), email("b", Timing(0)))
    assert walk(way) == ["a Mon 10:00", "+had a-new Mon 10:00", "b Tue 06:00", "finished Tue 06:00"], (
        "20 h between emails"
    )


@pytest.mark.parametrize(
    ("facts", "config", "lived"),
    [
        (YOGA, {"then": "", "else": "end"}, ["b", "c"]),
        (NOTHING_KNOWN, {"then": "", "else": "end"}, []),
        (YOGA, {"then": "c", "else": ""}, ["c"]),
        (NOTHING_KNOWN, {"then": "c", "else": ""}, ["b", "c"]),
        (YOGA, {"then": "end", "else": ""}, []),
        (YOGA, {"then": "a", "else": ""}, ["b", "c"]),  # backwards: never
        (YOGA, {"then": "gone", "else": ""}, ["b", "c"]),  # there is no such step
        (YOGA, {}, ["b", "c"]),
    ],
)
def test_a_condition_leads_forward(facts: Facts, config: dict[str, str], lived: list[str]) -> None:
    ask = other("ask", Kind.CONDITION, **{"if": {"tag": "yoga"}}, **config)
    way = course(email("a", Timing()), ask, email("b"), email("c"))
    assert [word.split()[0] for word in walk(way, facts)] == ["a", *lived, "finished"]


def test_a_condition_that_leads_to_a_deleted_step_leads_to_what_follows_it() -> None:
    way = course(other("ask", Kind.CONDITION, **(IF_YOGA | {"then": "b"})), email("a"), email("b"), email("c"))
    gone = replace(way, steps=tuple(replace(step, deleted=step.key == "b") for step in way.steps))
    assert [word.split()[0] for word in walk(gone, YOGA)] == ["c", "finished"]


def test_a_tag_is_seen_by_the_condition_behind_it_and_by_the_exits() -> None:
    ask = other("ask", Kind.CONDITION, **IF_YOGA)
    assert walk(course(other("t", Kind.TAG, add=["yoga"]), ask, email("a", Timing()))) == [
        "+yoga- Mon 10:00",
        "a Mon 10:00",
        "finished Mon 10:00",
    ]
    leaving = course(other("t", Kind.TAG, add=["yoga"]), email("a", Timing()), exits=({"tagged": "yoga"},))
    assert walk(leaving) == ["+yoga- Mon 10:00", "left: they get the tag “yoga” Mon 10:00"]


def test_moving_and_ending_stop_there() -> None:
    assert walk(course(other("m", Kind.MOVE, to="next"), email("a"))) == [">next Mon 10:00"]
    assert walk(course(other("e", Kind.END), email("a"))) == ["finished Mon 10:00"]


def test_3_11_an_evergreen_series_holds_who_had_everything_for_new_steps() -> None:
    way = course(email("a", Timing()), evergreen=True)
    place, effects = arrive(way, enter(way, zone=BERLIN, now=MONDAY), NOTHING_KNOWN, zone=BERLIN, now=MONDAY)
    place, effects = passed(way, place, MONDAY, NOTHING_KNOWN, sent=True, zone=BERLIN)
    assert effects == [CaughtUp(MONDAY)]
    assert walk(course(other("e", Kind.END), evergreen=True)) == ["finished Mon 10:00"], "an end is an end"


def test_3_10_a_deleted_step_is_waited_out_and_the_next_delay_begins_then() -> None:
    way = course(email("a", Timing(2)), email("b", Timing(3)))
    place = enter(way, zone=BERLIN, now=MONDAY)
    gone = replace(way, steps=(replace(way.steps[0], deleted=True), way.steps[1]))
    assert place.due_at == MONDAY + timedelta(days=2)
    place, effects = arrive(gone, place, NOTHING_KNOWN, zone=BERLIN, now=place.due_at)
    assert (effects, place.step_id, place.due_at) == ([], 2, MONDAY + timedelta(days=5))


def test_3_1_a_step_to_skip_is_not_met_whatever_leads_to_it() -> None:
    way = course(email("a", Timing()), email("b"), email("c"))
    place = replace(enter(way, zone=BERLIN, now=MONDAY), skips=frozenset({2}))
    place, _ = arrive(way, place, NOTHING_KNOWN, zone=BERLIN, now=MONDAY)
    place, _ = passed(way, place, MONDAY, NOTHING_KNOWN, sent=True, zone=BERLIN)
    assert place.step_id == 3
    jump = course(other("ask", Kind.CONDITION, **(IF_YOGA | {"then": "b"})), email("b"), email("c"))
    place = replace(enter(jump, zone=BERLIN, now=MONDAY), skips=frozenset({2}))
    place, _ = arrive(jump, place, YOGA, zone=BERLIN, now=MONDAY)
    assert place.step_id == 3


def test_3_13_goals_and_exits_are_asked_when_a_step_is_due_and_when_its_email_is_gone() -> None:
    way = course(email("a"), email("b"), goal={"tag": "yoga"})
    place = enter(way, zone=BERLIN, now=MONDAY)
    place, effects = arrive(way, place, YOGA, zone=BERLIN, now=place.due_at or MONDAY)
    assert effects == [Left("goal reached", MONDAY + timedelta(days=1))]
    assert (place.step_id, place.due_at) == (None, None)
    under_way = Place(MONDAY, MONDAY, step_id=1)
    place, effects = passed(way, under_way, MONDAY, YOGA, sent=True, zone=BERLIN)
    assert effects == [Left("goal reached", MONDAY)]
    assert place.sent_at == MONDAY


def test_3_6_a_late_tick_moves_into_the_next_window() -> None:
    way = course(email("a", Timing(1, window=MORNING)))
    place = enter(way, zone=BERLIN, now=MONDAY)
    place, effects = arrive(way, place, NOTHING_KNOWN, zone=BERLIN, now=MONDAY + timedelta(days=1))
    assert effects == []
    assert f"{place.due_at:%a %H:%M}" == "Wed 06:00"


def test_3_16_what_is_very_late_is_handed_over_as_it_is() -> None:
    """The ledger holds it for the operator; moved into the next window nobody would see how late it is."""
    way = course(other("w", Kind.WAIT, Timing(1)), email("a", Timing(0, window=MORNING)))
    back = MONDAY + timedelta(days=9)
    place, effects = arrive(way, enter(way, zone=BERLIN, now=MONDAY), NOTHING_KNOWN, zone=BERLIN, now=back)
    assert [f"{effect.at:%a %d. %H:%M}" for effect in effects] == ["Wed 04. 06:00"], "when it was due"
    assert place.due_at is None
    patient = replace(way, overdue_hours=24 * 30)
    place, effects = arrive(patient, enter(way, zone=BERLIN, now=MONDAY), NOTHING_KNOWN, zone=BERLIN, now=back)
    assert (effects, f"{place.due_at:%a %d. %H:%M}") == ([], "Thu 12. 06:00")


def test_seconds_of_joining_and_sending_never_add_up() -> None:
    way = course(email("a"), email("b"), email("c"))
    place = enter(way, zone=BERLIN, now=MONDAY + timedelta(seconds=47))
    for day in (1, 2, 3):
        assert place.due_at == MONDAY + timedelta(days=day)
        place, _ = arrive(way, place, NOTHING_KNOWN, zone=BERLIN, now=place.due_at + timedelta(seconds=50))
        place, _ = passed(way, place, MONDAY + timedelta(days=day, seconds=58), NOTHING_KNOWN, sent=True, zone=BERLIN)


@pytest.mark.parametrize(
    ("rules", "last", "days", "why"),
    [
        ({}, None, 0, ""),
        ({}, EnrollmentState.FINISHED, 1000, "had it before"),
        ({"reentry": Reentry.COMPLETED}, EnrollmentState.FINISHED, 2, ""),
        ({"reentry": Reentry.COMPLETED}, EnrollmentState.EXITED, 2, "left it before its end"),
        ({"reentry": Reentry.COMPLETED}, EnrollmentState.ACTIVE, 2, "in it already"),
        ({"reentry": Reentry.ALWAYS}, EnrollmentState.EXITED, 2, ""),
        ({"reentry": Reentry.ALWAYS}, EnrollmentState.EXITED, 0.5, "only lately"),
        ({"reentry": Reentry.ALWAYS, "cooldown_days": 30}, EnrollmentState.FINISHED, 29, "only lately"),
        ({"reentry": Reentry.ALWAYS, "cooldown_days": 30}, EnrollmentState.FINISHED, 30, ""),
        ({"reentry": Reentry.ALWAYS}, EnrollmentState.CAUGHT_UP, 30, "in it already"),
    ],
)
def test_3_12_who_may_have_it_again(rules: dict[str, Any], last: str | None, days: float, why: str) -> None:
    before = Round(last, MONDAY) if last else None
    found = why_not_enter(course(email("a"), **rules), before, NOTHING_KNOWN, MONDAY + timedelta(days=days))
    assert bool(found) == bool(why)
    assert why in found


@pytest.mark.parametrize(
    ("entry", "last", "facts", "why"),
    [
        ({}, None, NOTHING_KNOWN, ""),
        ({"tag": "yoga"}, None, YOGA, ""),
        ({"tag": "yoga"}, None, NOTHING_KNOWN, "only those who have the tag “yoga” join"),
        ({"tag": "yoga", "not": True}, None, NOTHING_KNOWN, ""),
        ({"tag": "yoga", "not": True}, None, YOGA, "only those who do not have the tag “yoga” join"),
        ({"field": "city", "is": "set"}, None, Facts(fields={"city": "Rome"}), ""),
        ({"downloaded": "any"}, None, YOGA, "only those who downloaded any gift join"),
        ({"tag": "yoga"}, EnrollmentState.FINISHED, YOGA, ""),
        ({"tag": "yoga"}, EnrollmentState.FINISHED, NOTHING_KNOWN, "only those who have the tag “yoga” join"),
        ({"tag": "yoga"}, EnrollmentState.EXITED, NOTHING_KNOWN, "they left it before its end"),
        ({"tag": "yoga"}, EnrollmentState.ACTIVE, NOTHING_KNOWN, "they are in it already"),
        ({"moon": "full"}, None, YOGA, "only those who were asked nothing join"),
    ],
)
def test_3_12_who_may_join_each_time_they_would(
    entry: dict[str, Any], last: str | None, facts: Facts, why: str
) -> None:
    before = Round(last, MONDAY) if last else None
    way = course(email("a"), reentry=Reentry.COMPLETED, entry=entry)
    assert why_not_enter(way, before, facts, MONDAY + timedelta(days=2)) == why


def test_3_8_a_changed_zone_never_twice_on_one_day() -> None:
    """7:00 in Tokyo is noon of the day before in Honolulu: the next one waits for a day that has had none."""
    step = Step(2, "b", 2, timing=Timing(1, counts_from=CountsFrom.ENROLLMENT, window=(time(7), time(23))))
    sent = datetime(2026, 3, 3, 22, 0, tzinfo=UTC)
    way = Place(sent - timedelta(days=1), sent, sent)
    for zone, expected in ((TOKYO, "Thu 05. 07:00"), (HONOLULU, "Wed 04. 07:00")):
        at = moved(Course(steps=(step,), min_gap_hours=0), step, way, zone=zone, now=sent)
        assert f"{at.astimezone(zone):%a %d. %H:%M}" == expected
        assert at.astimezone(zone).date() > sent.astimezone(zone).date()
