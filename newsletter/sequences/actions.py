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
from newsletter.delivery.models import Delivery
from newsletter.delivery.rules import Lane, State
from newsletter.sequences import queries, rules
from newsletter.sequences.models import Enrollment
from newsletter.sequences.rules import Course, EnrollmentState, Step, Way
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
    first = course.after(None)
    due = rules.due(course, first, Way(now, now), zone=_zone(session, person), now=now) if first else None
    if not _insert(session, sequence_id, subscriber_id, source, first, due, now):
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
    first: Step | None,
    due: datetime | None,
    now: datetime,
) -> bool:
    moment = Enrollment.enrolled_at.type
    values: dict[InstrumentedAttribute[Any], ColumnElement[Any]] = {
        Enrollment.sequence_id: literal(sequence_id),
        Enrollment.subscriber_id: literal(subscriber_id),
        Enrollment.round: literal(NEVER_AGAIN),
        Enrollment.state: literal((EnrollmentState.ACTIVE if first else EnrollmentState.FINISHED).value),
        Enrollment.source: literal(source[:80]),
        Enrollment.enrolled_at: literal(now, moment),
        Enrollment.waits_since: literal(now, moment),
        Enrollment.next_step_id: literal(first.id if first else None, Enrollment.next_step_id.type),
        Enrollment.next_due_at: literal(due, moment),
        Enrollment.ended_at: literal(None if first else now, moment),
        Enrollment.ended_why: literal(""),
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
    """Hand the due steps of up to `limit` readers to the ledger; returns how many readers were looked at."""
    rows = queries.due(session, now, limit)
    courses = queries.courses(session, {row.sequence_id for row, _ in rows})
    barred = queries.barred(session, [person for _, person in rows])
    studio_zone = accounts.studio(session).timezone
    for row, person in rows:
        if person.id in barred:
            _end(session, row, EnrollmentState.EXITED, barred[person.id], now)
        else:
            zone = rules.zone_of(person.timezone, studio_zone)
            _plan_one(session, row, courses[row.sequence_id], zone, now)
    return len(rows)


def _plan_one(session: Session, row: Enrollment, course: Course, zone: ZoneInfo, now: datetime) -> None:
    step, was_due = course.step(row.next_step_id), row.next_due_at or now
    if step is None:  # deleted while they waited: the wait is over, on to the next (semantics 3.10)
        row.last_step_id = row.next_step_id
        _go_on(session, row, course, was_due, zone, now)
        return
    # Asked again: the zone or the timing may have changed since, and a late tick must not send outside the window.
    due = rules.due(course, step, _way(row), zone=zone, now=now)
    if due > now:
        row.next_due_at = due
        return
    delivery.plan(
        session,
        reason=queries.reason(step.id, row.id),
        subscriber_id=row.subscriber_id,
        lane=Lane.SEQUENCE,
        due_at=was_due,
        now=now,
    )
    row.next_due_at = None


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
            zone = rules.zone_of(person.timezone, studio_zone)
            _note_outcome(row, email, now)
            _go_on(session, row, courses[row.sequence_id], row.waits_since, zone, now)
    return len(rows)


def _note_outcome(row: Enrollment, email: Delivery, now: datetime) -> None:
    """Sent: the next delay counts from there. Canceled by hand or given up: it counts from the end of that."""
    ended = email.accepted_at or email.ended_at or now
    if email.state == State.ACCEPTED:
        row.last_sent_at = max(row.last_sent_at or ended, ended)
    row.waits_since = max(row.waits_since, ended)
    row.last_step_id = row.next_step_id


def _go_on(session: Session, row: Enrollment, course: Course, since: datetime, zone: ZoneInfo, now: datetime) -> None:
    row.waits_since = max(row.waits_since, since)
    step = course.after(row.last_step_id)
    if step is None:
        _end(session, row, EnrollmentState.FINISHED, "", now)
        return
    row.next_step_id = step.id
    row.next_due_at = rules.due(course, step, _way(row), zone=zone, now=now)


def replan(session: Session, now: datetime, *, subscriber_id: int | None = None, steps: Iterable[int] = ()) -> int:
    """Work out anew when those who wait are due: a person whose zone changed (semantics 3.8), or all at some steps.

    Time already waited counts (semantics 3.9), nothing moves into the past; returns how many readers were looked at.
    """
    rows = queries.waiting(session, subscriber_id=subscriber_id, steps=steps)
    courses = queries.courses(session, {row.sequence_id for row, _ in rows})
    studio_zone = accounts.studio(session).timezone
    for row, person in rows:
        course = courses[row.sequence_id]
        step = course.step(row.next_step_id)
        if step is not None:
            zone = rules.zone_of(person.timezone, studio_zone)
            row.next_due_at = rules.due(course, step, _way(row), zone=zone, now=now)
    session.flush()
    return len(rows)


def _way(row: Enrollment) -> Way:
    return Way(row.enrolled_at, row.waits_since, row.last_sent_at)


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
