"""Writes about sequences: who joins, what is planned for whom, who leaves."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, literal, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from newsletter.accounts import queries as accounts
from newsletter.audience import actions as audience
from newsletter.audience import queries as people
from newsletter.audience import rules as audience_rules
from newsletter.audience.models import Subscriber
from newsletter.delivery import actions as delivery
from newsletter.delivery.rules import Lane, State
from newsletter.sequences import queries, rules
from newsletter.sequences.models import Enrollment
from newsletter.sequences.rules import (
    NOTHING_KNOWN,
    CaughtUp,
    Effect,
    EnrollmentState,
    Finished,
    Left,
    Mail,
    Moved,
    Place,
)
from newsletter.work.claims import insert_missing

NEVER_AGAIN = 1  # the only round there is while re-entry is never (semantics 3.12)


def enroll(session: Session, sequence_id: int, subscriber_id: int, source: str, now: datetime) -> bool:
    """Let a person join a sequence; False when they were in it before (semantics 3.12) or may not get it.

    Whatever calls it twice, at once or a year later, changes nothing the second time; the person's history says so.
    """
    series = queries.sequence(session, sequence_id)
    person = people.subscriber(session, subscriber_id)
    if person is None:
        return False
    why_not = audience_rules.why_not_marketing(person.status, person.marketing)
    if why_not:
        audience.note(session, subscriber_id, "series", f"Did not join the series “{series.name}”: {why_not}", now)
        return False
    course = queries.courses(session, [sequence_id])[sequence_id]
    place = rules.enter(course, zone=_zone(session, person), now=now)
    if not _insert(session, sequence_id, subscriber_id, source, place, now):
        detail = f"Had the series “{series.name}” before, so it was not begun again"
        audience.note(session, subscriber_id, "series", detail, now)
        return False
    if person.timezone and not audience_rules.is_zone(person.timezone):
        detail = f"“{person.timezone}” is not a time zone; the studio's is used instead"
        audience.note(session, subscriber_id, "time zone", detail, now)
    return True


def _insert(
    session: Session,
    sequence_id: int,
    subscriber_id: int,
    source: str,
    place: Place,
    now: datetime,
) -> bool:
    moment = Enrollment.enrolled_at.type
    values: dict[InstrumentedAttribute[Any], ColumnElement[Any]] = {
        Enrollment.sequence_id: literal(sequence_id),
        Enrollment.subscriber_id: literal(subscriber_id),
        Enrollment.round: literal(NEVER_AGAIN),
        Enrollment.state: literal((EnrollmentState.ACTIVE if place.step_id else EnrollmentState.FINISHED).value),
        Enrollment.source: literal(source[:80]),
        Enrollment.enrolled_at: literal(now, moment),
        Enrollment.waits_since: literal(now, moment),
        Enrollment.next_step_id: literal(place.step_id, Enrollment.next_step_id.type),
        Enrollment.next_due_at: literal(place.due_at, moment),
        Enrollment.ended_at: literal(None if place.step_id else now, moment),
        Enrollment.ended_why: literal(""),
        Enrollment.held_why: literal(""),
        Enrollment.skips: literal([], Enrollment.skips.type),
    }
    unique = [Enrollment.sequence_id, Enrollment.subscriber_id, Enrollment.round]
    rows = select(*values.values()).where(literal(True))
    return insert_missing(session, Enrollment, list(values), rows, unique=unique) == 1


def exit_all(session: Session, subscriber_id: int, why: str, now: datetime) -> None:
    """Take a person out of every series; what is planned for them is canceled."""
    for enrollment in queries.active(session, subscriber_id):
        _end(session, enrollment, EnrollmentState.EXITED, why, now)


def exit_one(session: Session, sequence_id: int, subscriber_id: int, why: str, now: datetime) -> bool:
    """Take a person out of one series; False when they are not under way in it."""
    found = queries.active(session, subscriber_id, sequence_id)
    for enrollment in found:
        _end(session, enrollment, EnrollmentState.EXITED, why, now)
    return bool(found)


def _end(session: Session, enrollment: Enrollment, state: EnrollmentState, why: str, now: datetime) -> None:
    waiting = queries.planned(session, enrollment)
    if waiting is not None:
        delivery.cancel(session, waiting, f"Left the series: {why}", now)
    enrollment.state, enrollment.ended_at, enrollment.ended_why = state, now, why[:120]
    enrollment.next_step_id = enrollment.next_due_at = None
    session.flush()


def plan_due(session: Session, now: datetime, limit: int) -> int:
    """Let up to `limit` readers whose step is due take it; emails go to the ledger. Returns how many were looked at."""
    rows = queries.due(session, now, limit)
    courses = queries.courses(session, {row.sequence_id for row, _ in rows})
    barred = queries.barred(session, [person for _, person in rows])
    studio_zone = accounts.studio(session).timezone
    for row, person in rows:
        if person.id in barred:
            _end(session, row, EnrollmentState.EXITED, barred[person.id], now)
            continue
        zone = rules.zone_of(person.timezone, studio_zone)
        place, effects = rules.arrive(courses[row.sequence_id], queries.place(row), NOTHING_KNOWN, zone=zone, now=now)
        _carry_out(session, row, place, effects, now)
    return len(rows)


def settle(session: Session, now: datetime, limit: int) -> int:
    """Let up to `limit` readers whose planned email has ended go on to their next step; returns how many did."""
    rows = queries.settled(session, limit)
    courses = queries.courses(session, {row.sequence_id for row, _, _ in rows})
    canceled = [person for _, person, email in rows if email.state == State.CANCELED]
    barred = queries.barred(session, canceled)
    studio_zone = accounts.studio(session).timezone
    for row, person, email in rows:
        if email.state == State.REJECTED:
            _end(session, row, EnrollmentState.EXITED, "address not working", now)
        elif person.id in barred:
            _end(session, row, EnrollmentState.EXITED, barred[person.id], now)
        else:
            # Sent: the next delay counts from there. Canceled by hand or given up: from the end of that.
            at = email.accepted_at or email.ended_at or now
            place, effects = rules.passed(
                courses[row.sequence_id],
                queries.place(row),
                at,
                NOTHING_KNOWN,
                sent=email.state == State.ACCEPTED,
                zone=rules.zone_of(person.timezone, studio_zone),
            )
            _carry_out(session, row, place, effects, now)
    return len(rows)


def _carry_out(session: Session, row: Enrollment, place: Place, effects: list[Effect], now: datetime) -> None:
    """Write down where a reader stands now, and do what the planner says."""
    row.waits_since, row.last_sent_at, row.last_step_id = place.since, place.sent_at, place.last_id
    row.next_step_id, row.next_due_at = place.step_id, place.due_at
    for effect in effects:
        match effect:
            case Mail(step, at):
                delivery.plan(
                    session,
                    reason=queries.reason(step.id, row.id),
                    subscriber_id=row.subscriber_id,
                    lane=Lane.SEQUENCE,
                    due_at=at,
                    now=now,
                )
            case Finished() | CaughtUp() | Moved():
                _end(session, row, EnrollmentState.FINISHED, "", now)
            case Left(why, _):
                _end(session, row, EnrollmentState.EXITED, why, now)


def replan(session: Session, now: datetime, *, subscriber_id: int | None = None, steps: Iterable[int] = ()) -> int:
    """Work out anew when those who wait are due: a person whose zone changed (semantics 3.8), or all at some steps.

    Time already waited counts (semantics 3.9), nothing moves into the past; returns how many readers were looked at.
    """
    rows = queries.waiting(session, subscriber_id=subscriber_id, steps=steps)
    courses = queries.courses(session, {row.sequence_id for row, _ in rows})
    studio_zone = accounts.studio(session).timezone
    ask = rules.due if subscriber_id is None else rules.moved
    for row, person in rows:
        course = courses[row.sequence_id]
        step = course.step(row.next_step_id)
        if step is not None:
            zone = rules.zone_of(person.timezone, studio_zone)
            row.next_due_at = ask(course, step, queries.place(row), zone=zone, now=now)
    session.flush()
    return len(rows)


def _zone(session: Session, person: Subscriber) -> ZoneInfo:
    return rules.zone_of(person.timezone, accounts.studio(session).timezone)


def reword(session: Session, sequence_id: int, step_id: int, source: str) -> None:
    """Give a step new words; whoever has not got it yet gets these (semantics 3.2)."""
    queries.step(session, sequence_id, step_id).source = source


def forget(session: Session, subscriber_id: int) -> None:
    """End every series of a person who is erased; what is planned for them is withdrawn when its turn comes."""
    mine = update(Enrollment).where(Enrollment.subscriber_id == subscriber_id)
    session.execute(mine.values(source=""))
    session.execute(
        mine.where(Enrollment.state == EnrollmentState.ACTIVE).values(
            state=EnrollmentState.EXITED, next_step_id=None, next_due_at=None, ended_why="erased"
        )
    )


def absorb(session: Session, keep_id: int, drop_id: int) -> None:
    """Move one record's enrollments to the other of the same person; in a series both had, the earlier one stays."""
    for row in session.scalars(select(Enrollment).where(Enrollment.subscriber_id == drop_id)).all():
        kept = select(Enrollment).where(Enrollment.subscriber_id == keep_id, Enrollment.sequence_id == row.sequence_id)
        other = session.scalar(kept)
        gone = None if other is None else (row if other.enrolled_at <= row.enrolled_at else other)
        if gone is not None:
            session.delete(gone)
            session.flush()
        if gone is not row:
            row.subscriber_id = keep_id
            session.flush()
