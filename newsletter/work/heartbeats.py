"""Signs of life: workers write them, `/healthz` and the doctor read them."""

from __future__ import annotations

import os
import secrets
import socket
from datetime import datetime, timedelta
from functools import lru_cache

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from newsletter.work.models import Heartbeat

# A worker gets a new name with each start; those that have not been heard of for so long are of no interest.
FORGOTTEN = timedelta(days=1)


def worker_name() -> str:
    """This process, as its claims and heartbeats name it: no other one is ever called the same.

    Machines may share a host name and containers have the same process ids, so a part of it is left to chance.
    """
    return _name(os.getpid())


@lru_cache(maxsize=1)
def _name(pid: int) -> str:  # asked anew in a process that was forked
    return f"{socket.gethostname()[:80]}:{pid}:{secrets.token_hex(4)}"


def beat(session: Session, worker: str, now: datetime) -> None:
    """Note that `worker` is alive."""
    if session.get(Heartbeat, worker) is None:
        session.execute(delete(Heartbeat).where(Heartbeat.beat_at < now - FORGOTTEN))
    session.merge(Heartbeat(worker=worker, beat_at=now))


def workers(session: Session, since: datetime) -> list[tuple[str, datetime]]:
    """Every worker seen since a moment and when that was, the latest first."""
    found = select(Heartbeat.worker, Heartbeat.beat_at).where(Heartbeat.beat_at >= since)
    return [(name, at) for name, at in session.execute(found.order_by(Heartbeat.beat_at.desc(), Heartbeat.worker))]


def last_beat(session: Session) -> datetime | None:
    """When any worker was last alive."""
    return session.scalar(select(func.max(Heartbeat.beat_at)))
