"""What is paused, and whom that concerns (semantics 3.15). Only reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from newsletter.accounts import queries as accounts
from newsletter.sequences import models
from newsletter.sequences.models import Enrollment, PausedReader, PauseWork
from newsletter.sequences.rules import UNDER_WAY, EnrollmentState
from newsletter.work.claims import among

EVERYTHING = "all series are paused"
SERIES = "the series is paused"
READER = "their series are paused"


@dataclass(frozen=True)
class Scope:
    """What a pause is of: one sequence, one person, or (both empty) everything."""

    sequence_id: int | None = None
    subscriber_id: int | None = None

    @property
    def rows(self) -> list[ColumnElement[bool]]:
        """The enrollments that are in it."""
        where: list[ColumnElement[bool]] = [Enrollment.state.in_(UNDER_WAY)]
        if self.sequence_id is not None:
            where.append(Enrollment.sequence_id == self.sequence_id)
        if self.subscriber_id is not None:
            where.append(Enrollment.subscriber_id == self.subscriber_id)
        return where


@dataclass(frozen=True)
class Concerned:
    """How many people a pause concerns, and for how many of them an email has come due meanwhile."""

    people: int
    missed: int


def since(session: Session, scope: Scope) -> datetime | None:
    """Since when this is paused; None when it is not."""
    if scope.sequence_id is not None:
        found = session.get(models.Sequence, scope.sequence_id, populate_existing=True)
        return found.paused_at if found else None
    if scope.subscriber_id is not None:
        return session.scalar(select(PausedReader.since).where(PausedReader.subscriber_id == scope.subscriber_id))
    return accounts.studio(session).series_paused_at


def why_held(session: Session, sequence_id: int, subscriber_id: int) -> str:
    """Why an enrollment is not to go on now, in words; empty when nothing is paused for it."""
    return whys_held(session, [(sequence_id, subscriber_id)])[0]


def whys_held(session: Session, pairs: Sequence[tuple[int, int]]) -> list[str]:
    """The same for many pairs of a sequence and a person, in their order."""
    # Read afresh: a studio that the session knows already may be from before the pause.
    if accounts.series_paused_at(session) is not None:
        return [EVERYTHING] * len(pairs)
    series, people = {one for one, _ in pairs}, {one for _, one in pairs}
    stopped = models.Sequence.id.in_(series), models.Sequence.paused_at.is_not(None)
    paused = set(session.scalars(select(models.Sequence.id).where(*stopped)))
    theirs = select(PausedReader.subscriber_id).where(among(session, PausedReader.subscriber_id, people))
    readers = set(session.scalars(theirs))
    return [SERIES if one in paused else READER if who in readers else "" for one, who in pairs]


def scope_of(why: str, sequence_id: int, subscriber_id: int) -> Scope:
    """The pause that `why` names, of those that may hold this person in this sequence."""
    return {EVERYTHING: Scope(), SERIES: Scope(sequence_id), READER: Scope(None, subscriber_id)}[why]


def standing(session: Session, scope: Scope) -> datetime | None:
    """Since when this is paused, and it stays so until the transaction ends; None when it is over, or just ending.

    Whoever is held with this in hand is there when the end of the pause looks for its people.
    """
    if scope == Scope():
        return accounts.series_paused_at(session, keep=True)
    found: Select[datetime | None] = select(PausedReader.since).where(PausedReader.subscriber_id == scope.subscriber_id)
    if scope.sequence_id is not None:
        found = select(models.Sequence.paused_at).where(models.Sequence.id == scope.sequence_id)
    # Waiting would stop the whole turn, and whoever edits the series may be waiting for one of its readers.
    return session.scalar(found.with_for_update(read=True, skip_locked=True))


def under_way(session: Session, scope: Scope) -> int:
    """How many people a pause of this would concern."""
    found = select(func.count(Enrollment.subscriber_id.distinct())).where(*scope.rows)
    return session.scalar(found) or 0


def concerned(session: Session, scope: Scope, now: datetime) -> Concerned:
    """Whom the end of this pause concerns: who is held, and whose email came due meanwhile or lies in the outbox."""
    people = func.count(Enrollment.subscriber_id.distinct())
    held = *scope.rows, Enrollment.held_at.is_not(None)
    missed = (Enrollment.next_due_at <= now) | Enrollment.next_due_at.is_(None)
    active = Enrollment.state == EnrollmentState.ACTIVE
    return Concerned(
        session.scalar(select(people).where(*held)) or 0,
        session.scalar(select(people).where(*held, active, missed)) or 0,
    )


def other_pauses(session: Session, scope: Scope) -> list[str]:
    """Which wider or narrower pauses hold some of these people as well, in words."""
    found = []
    if scope != Scope() and accounts.studio(session).series_paused_at is not None:
        found.append("all series are paused as well")
    if scope.subscriber_id is not None:
        theirs = (
            select(models.Sequence.name).join(Enrollment).where(*scope.rows, models.Sequence.paused_at.is_not(None))
        )
        found += [f"the series “{name}” is paused as well" for name in session.scalars(theirs.distinct())]
    elif (readers := session.scalar(select(func.count(PausedReader.subscriber_id)))) and scope == Scope():
        found.append(f"{readers:,} {'person is' if readers == 1 else 'people are'} paused one by one")
    return found


def anything_left(session: Session) -> bool:
    """Whether a pause's beginning or end is not worked off."""
    return session.scalar(select(PauseWork.id).limit(1)) is not None


def work(session: Session) -> PauseWork | None:
    """The next pause whose beginning or end is not worked off; another worker's is passed over."""
    found = select(PauseWork).order_by(PauseWork.id).limit(1).with_for_update(skip_locked=True)
    return session.scalar(found.execution_options(populate_existing=True))


def is_working(session: Session, scope: Scope) -> bool:
    """Whether the beginning or the end of this pause is still being worked off."""
    found = select(PauseWork.id).where(
        PauseWork.sequence_id.is_not_distinct_from(scope.sequence_id),
        PauseWork.subscriber_id.is_not_distinct_from(scope.subscriber_id),
    )
    return session.scalar(found.limit(1)) is not None


def slice_of(session: Session, scope: Scope, after_id: int, limit: int, *, held: bool) -> Sequence[Enrollment]:
    """The next enrollments of a pause that are held, or not, in the order of their ids; locked."""
    state = Enrollment.held_at.is_not(None) if held else Enrollment.held_at.is_(None)
    found = select(Enrollment).where(*scope.rows, state, Enrollment.id > after_id).order_by(Enrollment.id).limit(limit)
    return session.scalars(found.with_for_update(of=Enrollment).execution_options(populate_existing=True)).all()


def ids_of(session: Session, scope: Scope, after_id: int, limit: int) -> Sequence[int]:
    """The ids of the next enrollments of a pause that are not held yet."""
    found = select(Enrollment.id).where(*scope.rows, Enrollment.held_at.is_(None), Enrollment.id > after_id)
    return session.scalars(found.order_by(Enrollment.id).limit(limit)).all()
