"""Writes of where readers stand after an edit or its undo: a few statements, however many they are."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Integer, cast, func, insert, literal, null, select, update
from sqlalchemy.orm import Session

from newsletter.database.base import UtcDateTime
from newsletter.sequences import versions
from newsletter.sequences.foresight import Groups, Where
from newsletter.sequences.models import Enrollment, SequenceMove
from newsletter.sequences.rules import EnrollmentState
from newsletter.work.claims import kind_of, listed, rows_given

# Rows that travel in one statement: some two hundred milliseconds of it.
AT_ONCE = 20_000


def place(session: Session, places: Groups, steps: Mapping[int, int], now: datetime, edit_id: int | None) -> None:
    """Let readers stand where an edit puts them; where they stood is kept with the edit, so that it can be undone.

    `steps` are the ids that the steps below 0 have got; without an edit nothing is kept.
    """
    session.flush()
    kind = kind_of(session)
    for (state, step, skips), rows in places.items():
        step = steps.get(step, step) if step is not None else None
        skipped = tuple(sorted(steps.get(one, one) for one in skips))
        for start in range(0, len(rows), AT_ONCE):
            given = {"rows": listed(kind, rows[start : start + AT_ONCE])}
            if edit_id is not None:
                session.connection().execute(_remembering(kind, edit_id, step), given)
            session.connection().execute(_placing(kind, (state, step, skipped), now), given)
    session.expire_all()


def _rows(kind: str) -> Any:
    return rows_given(kind, {"id": Integer, "due": UtcDateTime})


def _remembering(kind: str, edit_id: int, step: int | None) -> Any:
    rows, row = _rows(kind), Enrollment
    stood = row.state, row.next_step_id, row.next_due_at, row.ended_at, row.skips
    kept = select(literal(edit_id), row.id, *stood, cast(step, Integer))
    columns = ["version_id", "enrollment_id", "state", "step_id", "due_at", "ended_at", "skips", "to_step_id"]
    return insert(SequenceMove).from_select(columns, kept.join(rows, rows.c.id == row.id))


def _placing(kind: str, where: Where, now: datetime) -> Any:
    rows, (state, step, skips) = _rows(kind), where
    ended = func.coalesce(Enrollment.ended_at, now) if state == EnrollmentState.FINISHED else null()
    return (
        update(Enrollment)
        .where(Enrollment.id == rows.c.id)
        .values(state=state, next_step_id=step, next_due_at=rows.c.due, skips=list(skips), ended_at=ended)
    )


def back(session: Session, edit_id: int) -> None:
    """Let the readers who still stand where an edit put them stand where they stood before it."""
    session.flush()
    still = SequenceMove.version_id == edit_id, *versions.STILL_THERE
    # Locked in the order in which all others lock them, so that nobody waits for whom they keep waiting.
    locked = select(Enrollment.id).join(SequenceMove, SequenceMove.enrollment_id == Enrollment.id).where(*still)
    session.connection().execute(locked.order_by(Enrollment.id).with_for_update(of=Enrollment)).all()
    session.connection().execute(
        update(Enrollment)
        .where(SequenceMove.enrollment_id == Enrollment.id, *still)
        .values(
            state=SequenceMove.state,
            next_step_id=SequenceMove.step_id,
            next_due_at=SequenceMove.due_at,
            skips=SequenceMove.skips,
            ended_at=SequenceMove.ended_at,
        )
    )
    session.expire_all()
