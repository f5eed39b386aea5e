"""Reads for what is written next: who is due, who waits, who is in what; their rows are locked."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from sqlalchemy import Select, String, cast, or_, select, text
from sqlalchemy.orm import Session

from newsletter.sequences import models
from newsletter.sequences.models import Enrollment
from newsletter.sequences.rules import UNDER_WAY, EnrollmentState, Round
from newsletter.work.claims import among

# Written out: with bound values neither database sees that the partial index fits.
_DUE = text("enrollments.state = 'active' AND enrollments.held_at IS NULL")


def _locked(found: Select[Enrollment], *, skip: bool = False) -> Select[Enrollment]:
    return found.with_for_update(of=Enrollment, skip_locked=skip).execution_options(populate_existing=True)


def due(session: Session, now: datetime, limit: int) -> Sequence[Enrollment]:
    """Enrollments whose next step is due, the longest due first; another worker's are passed over."""
    found = select(Enrollment).where(_DUE, Enrollment.next_due_at <= now)
    return session.scalars(_locked(found.order_by(Enrollment.next_due_at, Enrollment.id).limit(limit), skip=True)).all()


def taken(session: Session, ids: Collection[int]) -> dict[int, Enrollment]:
    """These enrollments, by their ids; another worker's are left out."""
    found = select(Enrollment).where(among(session, Enrollment.id, ids)).order_by(Enrollment.id)
    return {row.id: row for row in session.scalars(_locked(found, skip=True))}


def there(session: Session, ids: Collection[int]) -> set[int]:
    """Which of these enrollments there are at all."""
    return set(session.scalars(select(Enrollment.id).where(among(session, Enrollment.id, ids))))


def waiting(session: Session, *, subscriber_id: int | None = None, steps: Iterable[int] = ()) -> Sequence[Enrollment]:
    """Enrollments that wait for their next step: one person's, else all at those steps."""
    found = select(Enrollment).where(Enrollment.state == EnrollmentState.ACTIVE, Enrollment.next_due_at.is_not(None))
    if subscriber_id is not None:
        found = found.where(Enrollment.subscriber_id == subscriber_id)
    else:
        found = found.where(Enrollment.next_step_id.in_(list(steps)))
    return session.scalars(_locked(found.order_by(Enrollment.id))).all()


def waiting_after(session: Session, sequence_id: int, after_id: int, limit: int) -> Sequence[Enrollment]:
    """The next `limit` active enrollments of a sequence in the order of their ids."""
    found = select(Enrollment).where(
        Enrollment.sequence_id == sequence_id, Enrollment.state == EnrollmentState.ACTIVE, Enrollment.id > after_id
    )
    return session.scalars(_locked(found.order_by(Enrollment.id).limit(limit))).all()


def behind_the_zone(session: Session, zone: str) -> models.Sequence | None:
    """A sequence whose readers were not all planned by that zone of the studio; another worker's is passed over."""
    found = (
        select(models.Sequence)
        .where(or_(models.Sequence.planned_zone != zone, models.Sequence.replanned_through != 0))
        .order_by(models.Sequence.id)
        .limit(1)
        # Its key stays free: who joins meanwhile must not wait.
        .with_for_update(skip_locked=True, key_share=True)
        .execution_options(populate_existing=True)
    )
    return session.scalar(found)


def in_asking(session: Session, subscriber_ids: Collection[int]) -> Sequence[Enrollment]:
    """What these people are in that has a goal or exits."""
    asks = or_(cast(models.Sequence.goal, String) != "{}", cast(models.Sequence.exits, String) != "[]")
    found = (
        select(Enrollment)
        .join(models.Sequence, models.Sequence.id == Enrollment.sequence_id)
        .where(among(session, Enrollment.subscriber_id, subscriber_ids), Enrollment.state.in_(UNDER_WAY), asks)
    )
    return session.scalars(_locked(found.order_by(Enrollment.id))).all()


def last_round(session: Session, sequence_id: int, subscriber_id: int) -> Enrollment | None:
    """A person's last time in a sequence."""
    found = select(Enrollment).where(Enrollment.sequence_id == sequence_id, Enrollment.subscriber_id == subscriber_id)
    return session.scalar(found.order_by(Enrollment.round.desc()).limit(1))


def last_rounds(session: Session, sequence_id: int, subscriber_ids: Collection[int]) -> dict[int, Enrollment]:
    """Each of these people's last time in a sequence, by their ids; who was never in it is left out."""
    found = select(Enrollment).where(
        Enrollment.sequence_id == sequence_id, among(session, Enrollment.subscriber_id, subscriber_ids)
    )
    return {row.subscriber_id: row for row in session.scalars(found.order_by(Enrollment.round))}


def plain_round(row: Enrollment) -> Round:
    """A stored round as the planner sees it."""
    return Round(row.state, row.ended_at)
