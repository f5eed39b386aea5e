"""One reader's emails in one line: what they got and did, now, and what they will get."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from flask import current_app, url_for
from sqlalchemy.orm import Session

from newsletter.audience.history import HistoryLine
from newsletter.forecast import records
from newsletter.forecast.calendar import AHEAD
from newsletter.forecast.queries import forecast
from newsletter.forecast.rules import Only, Row

HistoryOf = Callable[[Session, int], list[HistoryLine]]
PAST = 40  # lines of the past shown at first; more on demand


@dataclass(frozen=True)
class Ahead:
    """An email that will come, and why."""

    at: datetime
    subject: str
    reason: str
    url: str


@dataclass(frozen=True)
class Line:
    """A reader's whole line: `past` with the oldest first, `earlier` how many older lines are left out.

    `held` emails are so late that they wait for the operator (semantics 3.16).
    """

    past: Sequence[HistoryLine]
    earlier: int
    ahead: Sequence[Ahead]
    held: int = 0


def line(session: Session, subscriber_id: int, now: datetime, *, whole: bool = False) -> Line:
    """What happened with one reader, and what will if nothing else happens."""
    rooms = cast(list[HistoryOf], current_app.extensions["history"])
    # An email that waits in the ledger is told with what comes: the forecast knows whether it may still be moved.
    past = sorted(
        (found for room in rooms for found in room(session, subscriber_id) if found.at <= now),
        key=lambda found: found.at,
    )
    shown = past if whole else past[-PAST:]
    rows = list(forecast(session, now, AHEAD, only=Only(subscribers=frozenset({subscriber_id}))))
    steps = records.steps_of(session, {row.sequence for row in rows if row.sequence})
    held = records.held(session, subscriber_id)
    return Line(shown, len(past) - len(shown), [_ahead(row, steps) for row in rows], held)


def _ahead(row: Row, steps: Mapping[tuple[str, str], tuple[int, int]]) -> Ahead:
    if row.broadcast_id:
        return Ahead(row.at, row.subject, row.reason, url_for("broadcasts.show", broadcast_id=row.broadcast_id))
    series_id, step_id = steps.get((row.sequence or "", row.step or ""), (0, 0))
    url = url_for("steps.show", sequence_id=series_id, step_id=step_id) if step_id else ""
    return Ahead(row.at, row.subject, row.reason, url)
