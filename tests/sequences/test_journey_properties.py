"""Whole ways through a series, whatever its steps, the reader's zone, the worker's delays and the operator's edits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.sequences.rules import (
    NOTHING_KNOWN,
    Course,
    Facts,
    Kind,
    Mail,
    Place,
    Step,
    Timing,
    arrive,
    due,
    enter,
    minute,
    moved,
    passed,
)
from tests.sequences.test_planner_properties import follows_a_gap, gaps, inside, moments, timings, zones

KEYS = ["s1", "s2", "s3", "s4", "s5", "s6"]
OVERDUE = 48
branches = st.sampled_from(["", "end", "gone", *KEYS])
kinds = st.sampled_from([Kind.EMAIL] * 5 + [Kind.WAIT, Kind.CONDITION, Kind.TAG])
configs = st.fixed_dictionaries(
    {"if": st.just({"tag": "yoga"}), "then": branches, "else": branches, "add": st.just(["yoga"])}
)
facts = st.sampled_from([NOTHING_KNOWN, Facts(tags=frozenset({"yoga"}))])
# How late the worker comes: as a rule not at all, sometimes hours, sometimes after days.
delays = st.builds(
    timedelta,
    minutes=st.one_of(st.just(0), st.just(0), st.integers(0, 600), st.integers(0, 6000)),
    seconds=st.integers(0, 59),
)


@st.composite
def courses(draw: st.DrawFn) -> Course:
    """A course of up to six steps of every kind that stays inside its own series."""
    steps = tuple(
        Step(at, key, at, draw(kinds), draw(timings), draw(configs))
        for at, key in enumerate(KEYS[: draw(st.integers(1, len(KEYS)))], 1)
    )
    return Course(1, "core", steps, draw(gaps), overdue_hours=OVERDUE)


# What an operator or a reader does between two turns of the worker.
happenings = st.one_of(
    st.none(),
    st.none(),
    st.tuples(st.just("zone"), zones),
    st.tuples(st.just("timing"), st.tuples(st.integers(1, len(KEYS)), timings)),
    st.tuples(st.just("delete"), st.integers(1, len(KEYS))),
)


@dataclass(frozen=True)
class Sent:
    """One email that went: which step, when, by which clock and rules, and how it was due."""

    step: Step
    at: datetime
    zone: ZoneInfo
    first: bool


@dataclass
class Walk:
    """One reader, their series as it is edited, and the worker that comes when it comes."""

    course: Course
    known: Facts
    zone: ZoneInfo
    place: Place
    now: datetime

    def happens(self, happening: tuple[str, Any] | None) -> None:
        """The world changes; who waits is planned anew, as the worker's replan does."""
        if happening is None:
            return
        kind, what = happening
        if kind == "zone":
            self.zone = what
            self._replan(moved)
        elif kind == "delete":
            self._change(what, deleted=True)
        else:
            number, timing = what
            self._change(number, timing=timing)
            self._replan(due)

    def _change(self, number: int, **values: Any) -> None:
        steps = (replace(step, **values) if step.id == number else step for step in self.course.steps)
        self.course = replace(self.course, steps=tuple(steps))

    def _replan(self, ask: Any) -> None:
        step = self.course.step(self.place.step_id)
        if step is not None and self.place.due_at is not None:
            at = ask(self.course, step, self.place, zone=self.zone, now=self.now)
            assert at >= minute(self.now), "never into the past"
            assert at == minute(at)
            self.place = replace(self.place, due_at=at)

    def turn(self, delay: timedelta) -> Iterator[Sent]:
        """The worker comes when something is due, or later, and does what there is to do."""
        assert self.place.due_at is not None
        self.now = max(self.now, self.place.due_at + delay)
        before = self.place
        self.place, effects = arrive(self.course, self.place, self.known, zone=self.zone, now=self.now)
        if self.place.due_at is not None:
            assert self.place.due_at > self.now, "what is due is done, not left behind"
        for effect in effects:
            if isinstance(effect, Mail):
                late = self.now - effect.at > timedelta(hours=OVERDUE)  # held (3.16), and the operator lets it go
                first = before.sent_at is None and effect.step.timing.amount == 0
                if not late:
                    yield Sent(effect.step, self.now, self.zone, first)
                self.place, _ = passed(self.course, self.place, self.now, self.known, sent=not late, zone=self.zone)


def live(walk: Walk, delays: list[timedelta], happenings: list[tuple[str, Any] | None]) -> list[Sent]:
    sent: list[Sent] = []
    for turn in range(60):
        if walk.place.due_at is None:
            break
        walk.happens(happenings[turn] if turn < len(happenings) else None)
        sent += walk.turn(delays[turn % len(delays)])
    return sent  # a worker that always comes a minute late never meets a window of one minute


@settings(max_examples=300, deadline=None)
@given(courses(), facts, zones, moments, st.lists(delays, min_size=1, max_size=8), st.lists(happenings, max_size=8))
def test_3_1_to_3_10_whatever_happens_on_the_way(
    course: Course,
    known: Facts,
    zone: ZoneInfo,
    joined: datetime,
    delays: list[timedelta],
    happenings: list[tuple[str, Any] | None],
) -> None:
    walk = Walk(course, known, zone, enter(course, zone=zone, now=joined), joined)
    sent = live(walk, delays, happenings)
    ids = [one.step.id for one in sent]
    assert len(set(ids)) == len(ids), "never twice (3.1)"
    assert ids == sorted(ids), "in their order"
    gap = timedelta(hours=course.min_gap_hours)
    assert all(later.at - minute(earlier.at) >= gap for earlier, later in pairwise(sent)), "never bunched (3.3)"
    for one in sent:
        if not one.first:
            assert one.step.timing.weekdays >> one.at.astimezone(one.zone).weekday() & 1, "on an allowed day (3.7)"
            window = one.step.timing.window
            assert window is None or _in_time(one, window), "in its window (3.6)"


def _in_time(one: Sent, window: tuple[Any, Any]) -> bool:
    """Inside the window; a window in an hour that does not exist is the minute after the gap."""
    return inside(one.at, window, one.zone) or follows_a_gap(minute(one.at), one.zone)


@settings(max_examples=200, deadline=None)
@given(courses(), facts, zones, zones, moments, st.integers(0, 6000))
def test_3_8_a_zone_changed_on_the_way_never_gives_two_emails_on_one_day(
    course: Course, known: Facts, zone: ZoneInfo, other: ZoneInfo, joined: datetime, minutes: int
) -> None:
    """The email that waits is moved; what a series sends twice a day by itself is the collision's to part (3.17)."""
    walk = Walk(course, known, zone, enter(course, zone=zone, now=joined), joined)
    sent: list[Sent] = []
    for _ in range(60):
        if walk.place.due_at is None:
            return
        waits = course.step(walk.place.step_id)
        if sent and waits is not None and waits.kind == Kind.EMAIL:
            walk.now = min(walk.now + timedelta(minutes=minutes), walk.place.due_at)
            walk.happens(("zone", other))
            (fresh,) = list(walk.turn(timedelta())) or [None]
            if fresh is not None:
                days = [one.at.astimezone(other).date() for one in (sent[-1], fresh)]
                assert days[0] != days[1]
            return
        sent += walk.turn(timedelta())


@settings(max_examples=200, deadline=None)
@given(courses(), facts, zones, moments)
def test_a_way_depends_on_nothing_but_what_is_given(
    course: Course, known: Facts, zone: ZoneInfo, joined: datetime
) -> None:
    """3.21: the same state and the same moments give the same emails, to the minute, whatever the worker's seconds."""
    ways = []
    for seconds in (0, 41):
        walk = Walk(course, known, zone, enter(course, zone=zone, now=minute(joined)), minute(joined))
        sent = live(walk, [timedelta(seconds=seconds)], [])
        ways.append([(one.step.key, minute(one.at)) for one in sent])
    assert ways[0] == ways[1]


def test_the_worlds_here_do_send() -> None:
    """So that none of the above holds because nothing ever happens."""
    step = Step(1, "s1", 1, timing=Timing(1))
    course = Course(1, "core", (step, replace(step, id=2, key="s2", position=2)))
    joined = datetime.fromisoformat("2026-03-02T10:00:00+00:00")
    walk = Walk(course, NOTHING_KNOWN, ZoneInfo("UTC"), enter(course, zone=ZoneInfo("UTC"), now=joined), joined)
    assert [one.step.key for one in live(walk, [timedelta()], [("zone", ZoneInfo("Asia/Tokyo"))])] == ["s1", "s2"]
