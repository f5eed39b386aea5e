"""Pausing a person, a series or everything, and resuming by the operator's choice (semantics 3.15).

A pause counts at once; its enrollments are held, and let go again, in slices that keep no other writer waiting long.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from newsletter.accounts import actions as accounts
from newsletter.database.engine import after_commit
from newsletter.delivery import actions as delivery
from newsletter.delivery import queries as ledger
from newsletter.sequences import pauses, planning, queries
from newsletter.sequences.models import Enrollment, PausedReader, PauseWork
from newsletter.sequences.pauses import Scope
from newsletter.sequences.resuming import Choice, resumed
from newsletter.sequences.rules import Effect, Place
from newsletter.work.claims import among
from newsletter.work.queue import wake

# Enrollments held in one statement: some 100 ms on SQLite.
HELD_AT_ONCE = 20_000
# Enrollments let go in one transaction, through the planner at two to three milliseconds each.
RELEASED_AT_ONCE = 200


def pause(session: Session, scope: Scope, now: datetime) -> bool:
    """Let nothing of this scope go on; False when it is paused already. A person's pause is also of series to come."""
    if pauses.since(session, scope) is not None:
        return False
    _mark(session, scope, now)
    work = PauseWork(sequence_id=scope.sequence_id, subscriber_id=scope.subscriber_id, choice="", at=now, after_id=0)
    session.add(work)
    session.flush()
    _work_off(session, work, now)
    return True


def resume(session: Session, scope: Scope, choice: Choice, now: datetime) -> bool:
    """End a pause; what it held goes on by `choice`, unless another pause holds it too. False when it is not paused."""
    if pauses.since(session, scope) is None:
        return False
    _mark(session, scope, None)
    _stop_holding(session, scope)
    work = PauseWork(
        sequence_id=scope.sequence_id, subscriber_id=scope.subscriber_id, choice=choice.value, at=now, after_id=0
    )
    session.add(work)
    session.flush()
    _work_off(session, work, now)
    after_commit(session, wake)
    return True


def go_on(session: Session, now: datetime) -> int:
    """Work off the next slice of a pause's beginning or end; returns how much there was, 0 when there is none."""
    work = pauses.work(session)
    return _work_off(session, work, now) if work is not None else 0


def _mark(session: Session, scope: Scope, since: datetime | None) -> None:
    if scope.sequence_id is not None:
        queries.sequence(session, scope.sequence_id).paused_at = since
    elif scope.subscriber_id is None:
        accounts.ensure_studio(session).series_paused_at = since
    elif since is not None:
        session.add(PausedReader(subscriber_id=scope.subscriber_id, since=since))
    else:
        session.execute(delete(PausedReader).where(PausedReader.subscriber_id == scope.subscriber_id))
    session.flush()


def _stop_holding(session: Session, scope: Scope) -> None:
    """What was not held yet when the pause ends is not held any more."""
    session.execute(
        delete(PauseWork).where(
            PauseWork.sequence_id.is_not_distinct_from(scope.sequence_id),
            PauseWork.subscriber_id.is_not_distinct_from(scope.subscriber_id),
            PauseWork.choice == "",
        )
    )


def _work_off(session: Session, work: PauseWork, now: datetime) -> int:
    scope = Scope(work.sequence_id, work.subscriber_id)
    done, last = _release(session, scope, work, now) if work.choice else _hold(session, scope, work)
    if last is None:
        session.delete(work)
    else:
        work.after_id = last
        after_commit(session, wake)
    session.flush()
    return done or 1


def _hold(session: Session, scope: Scope, work: PauseWork) -> tuple[int, int | None]:
    """Hold the next slice; returns how many, and the last one's id when there may be more."""
    ids = pauses.ids_of(session, scope, work.after_id, HELD_AT_ONCE)
    why = pauses.SERIES if scope.sequence_id else pauses.READER if scope.subscriber_id else pauses.EVERYTHING
    these = update(Enrollment).where(among(session, Enrollment.id, ids))
    session.execute(these.values(held_at=work.at, held_why=why), execution_options={"synchronize_session": False})
    return len(ids), ids[-1] if len(ids) == HELD_AT_ONCE else None


@dataclass(frozen=True)
class _Walk:
    """One held reader on the way out of a pause: `planned` is their email in the ledger and when it was due."""

    row: Enrollment
    place: Place
    planned: tuple[int, datetime] | None


def _release(session: Session, scope: Scope, work: PauseWork, now: datetime) -> tuple[int, int | None]:
    """Let the next slice go on; returns how many, and the last one's id when there may be more."""
    rows = pauses.slice_of(session, scope, work.after_id, RELEASED_AT_ONCE, held=True)
    whys = pauses.whys_held(session, [(row.sequence_id, row.subscriber_id) for row in rows])
    free = []
    for row, why in zip(rows, whys, strict=True):
        row.held_why = why  # held by another pause as well: that one's end lets it go
        if not why:
            free.append(row)
    _let_go(session, free, Choice(work.choice), now)
    return len(rows), rows[-1].id if len(rows) == RELEASED_AT_ONCE else None


def _let_go(session: Session, rows: Sequence[Enrollment], choice: Choice, now: datetime) -> None:
    turn = planning.read(session, rows, now)
    emails = ledger.not_begun(session, {row.id: _reason(row) for row in rows if row.next_due_at is None})
    for row in rows:
        held_at = row.held_at or now
        row.held_at = None
        if row.next_step_id is None:
            continue  # had all of an evergreen series so far
        planned = emails.get(row.id)
        if row.next_due_at is None and planned is None:
            continue  # its email has left, or is leaving
        place = queries.place(row)
        walk = _Walk(row, replace(place, due_at=planned[1]) if planned else place, planned)
        course, zone = turn.courses[row.sequence_id], turn.zone(row)
        found, effects = resumed(course, walk.place, held_at, now, choice, turn.known[row.id], zone=zone)
        _go_on(session, turn, walk, found, effects)
    planning.finish(turn)


def _go_on(session: Session, turn: planning.Turn, walk: _Walk, place: Place, effects: Sequence[Effect]) -> None:
    row = walk.row
    row.shifted_minutes += (place.enrolled_at - walk.place.enrolled_at) // timedelta(minutes=1)
    if walk.planned is not None:
        delivery_id, _ = walk.planned
        if place.step_id == walk.place.step_id and place.due_at is not None:
            delivery.reschedule(session, delivery_id, place.due_at)
            place = replace(place, due_at=None)
        else:
            delivery.cancel(session, delivery_id, "Left out after a pause.", turn.now)
    planning.carry_out(turn, row, place, effects)


def _reason(row: Enrollment) -> str:
    return queries.reason(row.next_step_id or 0, row.id)
