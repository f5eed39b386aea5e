"""Writes about sequences: who joins, who leaves, and when those who wait are due."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import delete, literal, select, true, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from newsletter.accounts import queries as accounts
from newsletter.audience import actions as audience
from newsletter.audience import queries as people
from newsletter.audience import rules as audience_rules
from newsletter.audience.models import Subscriber
from newsletter.delivery import actions as delivery
from newsletter.sequences import facts, pauses, queries, ready, rules, saying
from newsletter.sequences.models import Enrollment, PausedReader, PauseWork, Sequence
from newsletter.sequences.rules import UNDER_WAY, Course, EnrollmentState, Place
from newsletter.work.claims import insert_missing


def enroll(session: Session, sequence_id: int, subscriber_id: int, source: str, now: datetime) -> bool:
    """Let a person join a sequence; False when they may not get it, are in it, or may not join (again) (3.12).

    Whatever calls it twice at once changes nothing the second time; the person's history says so.
    """
    series = queries.sequence(session, sequence_id)
    person = people.subscriber(session, subscriber_id)
    if person is None:
        return False
    why_not = audience_rules.why_not_marketing(person.status, person.marketing)
    if why_not:
        detail = saying.say_not_joined(series.name, why_not, again=False)
        audience.note(session, subscriber_id, "series", detail, now)
        return False
    course = queries.courses(session, [sequence_id])[sequence_id]
    last = ready.last_round(session, sequence_id, subscriber_id)
    why_not = _why_not(session, course, subscriber_id, last, now)
    place = rules.enter(course, zone=_zone(session, person), now=now)
    number = last.round + 1 if last else 1
    row = _row(session, sequence_id, subscriber_id, place, evergreen=course.evergreen, now=now)
    if why_not or not _insert(session, row | {Enrollment.round: number, Enrollment.source: source[:80]}):
        why_not = why_not or "they are in it already"
        detail = saying.say_not_joined(series.name, why_not, again=last is not None)
        audience.note(session, subscriber_id, "series", detail, now)
        return False
    if person.timezone and not audience_rules.is_zone(person.timezone):
        detail = f"“{person.timezone}” is not a time zone; the studio's is used instead"
        audience.note(session, subscriber_id, "time zone", detail, now)
    return True


def why_not_join(session: Session, sequence_id: int, subscriber_id: int, now: datetime) -> str:
    """Why a person who may get series may not join this one (again), in words; empty when they may."""
    course = queries.courses(session, [sequence_id])[sequence_id]
    return _why_not(session, course, subscriber_id, ready.last_round(session, sequence_id, subscriber_id), now)


def _why_not(session: Session, course: Course, subscriber_id: int, last: Enrollment | None, now: datetime) -> str:
    known = facts.of_joining(session, course.entry, [subscriber_id])[subscriber_id]
    return rules.why_not_enter(course, ready.plain_round(last) if last else None, known, now)


def _row(
    session: Session, sequence_id: int, subscriber_id: int, place: Place, *, evergreen: bool, now: datetime
) -> dict[InstrumentedAttribute[Any], Any]:
    """A fresh enrollment; it stands still from the first when something it belongs to is paused (semantics 3.15)."""
    state = EnrollmentState.ACTIVE if place.step_id else rules.ending(evergreen=evergreen)
    held = pauses.why_held(session, sequence_id, subscriber_id)
    return {
        Enrollment.sequence_id: sequence_id,
        Enrollment.subscriber_id: subscriber_id,
        Enrollment.state: state.value,
        Enrollment.enrolled_at: now,
        Enrollment.waits_since: now,
        Enrollment.next_step_id: place.step_id,
        Enrollment.next_due_at: place.due_at,
        Enrollment.ended_at: now if state == EnrollmentState.FINISHED else None,
        Enrollment.ended_why: "",
        Enrollment.held_at: now if held else None,
        Enrollment.held_why: held,
        Enrollment.skips: [],
    }


def _insert(session: Session, values: dict[InstrumentedAttribute[Any], Any]) -> bool:
    typed = [literal(value, column.type) for column, value in values.items()]
    unique = [Enrollment.sequence_id, Enrollment.subscriber_id, Enrollment.round]
    return insert_missing(session, Enrollment, list(values), select(*typed).where(true()), unique=unique) == 1


def exit_all(session: Session, subscriber_id: int, why: str, now: datetime) -> None:
    """Take a person out of every series; what is planned for them is canceled."""
    for enrollment in queries.active(session, subscriber_id):
        end(session, enrollment, EnrollmentState.EXITED, why, now)


def exit_one(session: Session, sequence_id: int, subscriber_id: int, why: str, now: datetime) -> bool:
    """Take a person out of one series; False when they are not in it."""
    found = queries.active(session, subscriber_id, sequence_id)
    for enrollment in found:
        end(session, enrollment, EnrollmentState.EXITED, why, now)
    return bool(found)


def end(session: Session, enrollment: Enrollment, state: EnrollmentState, why: str, now: datetime) -> None:
    """End one reader's way through a series; what is planned for them is canceled."""
    waiting = queries.planned(session, enrollment)
    if waiting is not None:
        delivery.cancel(session, waiting, f"Left the series: {why}", now)
    enrollment.state, enrollment.ended_at, enrollment.ended_why = state, now, why[:120]
    enrollment.next_step_id = enrollment.next_due_at = None
    session.flush()


def reconsider(session: Session, subscriber_ids: Collection[int], now: datetime) -> int:
    """Ask the goals and exits of everything these people are in at once, as their facts have changed (semantics 3.13).

    Returns how many ways ended.
    """
    rows = ready.in_asking(session, subscriber_ids)
    courses = queries.courses(session, {row.sequence_id for row in rows})
    known = facts.load(session, [(row.id, row.subscriber_id) for row in rows], courses)
    ended = 0
    for row in rows:
        why = rules.left(courses[row.sequence_id], known[row.id])
        if why:
            end(session, row, EnrollmentState.EXITED, why, now)
            ended += 1
    return ended


def replan(session: Session, now: datetime, *, subscriber_id: int | None = None, steps: Iterable[int] = ()) -> int:
    """Work out anew when those who wait are due: a person whose zone changed (semantics 3.8), or all at some steps.

    Time already waited counts (semantics 3.9), nothing moves into the past; returns how many readers were looked at.
    """
    rows = ready.waiting(session, subscriber_id=subscriber_id, steps=steps)
    courses, zones = queries.courses(session, {row.sequence_id for row in rows}), _zones(session, rows)
    ask = rules.due if subscriber_id is None else rules.moved
    for row in rows:
        course = courses[row.sequence_id]
        step = course.step(row.next_step_id)
        if step is not None:
            row.next_due_at = ask(course, step, queries.place(row), zone=zones[row.subscriber_id], now=now)
    session.flush()
    return len(rows)


def follow_zone(session: Session, now: datetime, limit: int) -> int:
    """Move up to `limit` waiting readers without a zone of their own into the studio's new one (semantics 3.8).

    Returns how many were looked at, 0 when everybody was planned by that zone already.
    """
    studio_zone = accounts.studio(session).timezone
    series = ready.behind_the_zone(session, studio_zone)
    if series is None:
        return 0
    if not series.planned_zone:  # new, so nobody is to be moved
        session.execute(update(Sequence).where(Sequence.planned_zone == "").values(planned_zone=studio_zone))
        return 0
    if series.planned_zone != studio_zone:
        series.planned_zone, series.replanned_through = studio_zone, -1
        session.flush()
    rows = ready.waiting_after(session, series.id, series.replanned_through, limit)
    course = queries.courses(session, [series.id])[series.id]
    readers = people.readers(session, sorted({row.subscriber_id for row in rows}))
    for row in rows:
        step, own = course.step(row.next_step_id), readers[row.subscriber_id].timezone
        if step is not None and row.next_due_at is not None and not audience_rules.is_zone(own):
            row.next_due_at = rules.moved(course, step, queries.place(row), zone=rules.zone_of(studio_zone), now=now)
    series.replanned_through = rows[-1].id if len(rows) == limit else 0
    session.flush()
    return len(rows) or 1


def _zones(session: Session, rows: Iterable[Enrollment]) -> dict[int, ZoneInfo]:
    """The zone of each of these readers, by their ids."""
    studio_zone = accounts.studio(session).timezone
    readers = people.readers(session, sorted({row.subscriber_id for row in rows}))
    return {number: rules.zone_of(reader.timezone, studio_zone) for number, reader in readers.items()}


def _zone(session: Session, person: Subscriber) -> ZoneInfo:
    return rules.zone_of(person.timezone, accounts.studio(session).timezone)


def forget(session: Session, subscriber_id: int) -> None:
    """End every series of a person who is erased; what is planned for them is withdrawn when its turn comes."""
    mine = update(Enrollment).where(Enrollment.subscriber_id == subscriber_id)
    session.execute(mine.values(source=""))
    session.execute(
        mine.where(Enrollment.state.in_(UNDER_WAY)).values(
            state=EnrollmentState.EXITED, next_step_id=None, next_due_at=None, ended_why="erased"
        )
    )
    session.execute(delete(PausedReader).where(PausedReader.subscriber_id == subscriber_id))


def absorb(session: Session, keep_id: int, drop_id: int) -> None:
    """Move one record's enrollments to the other of the same person; in a series both had, the earlier one's stay."""
    both = select(Enrollment).where(Enrollment.subscriber_id.in_((keep_id, drop_id)))
    rows = session.scalars(both.order_by(Enrollment.enrolled_at, Enrollment.id)).all()
    stays: dict[int, int] = {}
    for row in rows:
        stays.setdefault(row.sequence_id, row.subscriber_id)
        if stays[row.sequence_id] != row.subscriber_id:
            session.delete(row)
    session.flush()
    for row in rows:
        if stays[row.sequence_id] == row.subscriber_id == drop_id:
            row.subscriber_id = keep_id
    _absorb_pause(session, keep_id, drop_id)
    session.flush()


def _absorb_pause(session: Session, keep_id: int, drop_id: int) -> None:
    """Paused under one of two records is paused; the worker holds what came with the other (semantics 3.15)."""
    both = select(PausedReader).where(PausedReader.subscriber_id.in_((keep_id, drop_id)))
    found = session.scalars(both.order_by(PausedReader.since)).all()
    if found:
        since = found[0].since
        for row in found:
            session.delete(row)
        session.flush()
        session.add(PausedReader(subscriber_id=keep_id, since=since))
        session.add(PauseWork(subscriber_id=keep_id, choice="", at=since, after_id=0))
