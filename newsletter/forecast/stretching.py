"""The forecast in slices of readers, as the calendar works it out; stands on the whole one until that has slices."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.audience.models import Subscriber
from newsletter.broadcasts import queries as broadcasts
from newsletter.broadcasts.models import Broadcast
from newsletter.forecast.queries import forecast
from newsletter.sequences.models import Sequence, Step


@dataclass(frozen=True)
class Bare:
    at: datetime
    subscriber_id: int
    step_id: int
    broadcast_id: int
    moved_from: datetime | None = None


def stretch(session: Session, now: datetime, until: datetime, after: int, limit: int) -> tuple[list[Bare], int | None]:
    steps = {
        (slug, key): number
        for slug, key, number in session.execute(
            select(Sequence.slug, Step.key, Step.id).join(Step, Step.sequence_id == Sequence.id)
        )
    }
    ids = dict(session.execute(select(Subscriber.email, Subscriber.id)).all())
    queued = {max(session.get(Broadcast, n).send_at or now, now): n for n in broadcasts.due(session, until)}
    return [
        Bare(
            row.at,
            ids[row.subscriber],
            steps.get((row.sequence, row.step), 0),
            0 if row.step else queued.get(row.at, 0),
        )
        for row in forecast(session, now, (until - now).days)
    ], None
