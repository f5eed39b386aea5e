"""Signs of life: workers write them, `/healthz` and the doctor read them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from newsletter.work.models import Heartbeat


def beat(session: Session, worker: str, now: datetime) -> None:
    """Note that `worker` is alive."""
    session.merge(Heartbeat(worker=worker, beat_at=now))


def last_beat(session: Session) -> datetime | None:
    """When any worker was last alive."""
    return session.scalar(select(func.max(Heartbeat.beat_at)))
