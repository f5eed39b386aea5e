"""The figures that a monitor reads every few seconds: from tallies and small indexes, whatever the ledger's length."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from newsletter.dashboard.exposition import Family
from newsletter.delivery import health
from newsletter.delivery.rules import Lane, State
from newsletter.work import heartbeats

VERSION = "0.1.0"
# A worker that stopped for good would be told of for ever; after a day it is history.
REMEMBERED = timedelta(days=1)


def families(session: Session, now: datetime) -> Iterable[Family]:
    """Every metric."""
    yield Family("supple_build_info", "gauge", "The version that runs; always 1.", [(_build(), 1)])
    yield _deliveries(session)
    yield _ages(session, now)
    stuck = health.stuck(session, now)
    yield Family("supple_leases_expired", "gauge", "Emails a worker took and did not finish in time.", [({}, stuck)])
    attempts = [({"relay": relay, "outcome": how}, n) for (relay, how), n in health.attempts_made(session).items()]
    yield Family("supple_attempts_total", "counter", "Answers of relays, by outcome.", attempts)
    yield from _relays(session, now)
    yield from _workers(session, now)
    held = [({"what": hold.what}, hold.since.timestamp()) for hold in health.held(session)]
    yield Family("supple_hold_since_timestamp_seconds", "gauge", "What is on hold, and since when.", held)


def _build() -> dict[str, str]:
    return {"version": VERSION, "python": platform.python_version()}


def _deliveries(session: Session) -> Family:
    counted = health.by_lane(session)
    samples = [({"lane": _name(lane), "state": state}, counted[lane, state]) for lane in Lane for state in State]
    return Family("supple_deliveries", "gauge", "Emails in the ledger, by lane and state.", samples)


def _ages(session: Session, now: datetime) -> Family:
    due = health.oldest_due(session, now)
    ages = [({"lane": _name(lane)}, (now - due.get(lane, now)).total_seconds()) for lane in Lane]
    about = "How long the longest waiting email of a lane is due; 0 when nothing is."
    return Family("supple_oldest_due_seconds", "gauge", about, ages)


def _name(lane: Lane) -> str:
    return lane.name.lower()


def _relays(session: Session, now: datetime) -> Iterable[Family]:
    known = health.relays(session)
    up = [({"relay": relay.name}, int(not relay.problem)) for relay in known]
    yield Family("supple_relay_up", "gauge", "1 while a relay takes emails, 0 while it has a problem.", up)
    rests = [
        ({"relay": relay.name}, max(0.0, (relay.retry_at - now).total_seconds()) if relay.retry_at else 0.0)
        for relay in known
    ]
    yield Family("supple_relay_rest_seconds", "gauge", "How long until a relay is asked again.", rests)


def _workers(session: Session, now: datetime) -> Iterable[Family]:
    seen = [({"worker": name}, at.timestamp()) for name, at in heartbeats.workers(session, now - REMEMBERED)]
    about = "When a worker was last seen; workers not seen for a day are left out."
    yield Family("supple_worker_last_seen_timestamp_seconds", "gauge", about, seen)
