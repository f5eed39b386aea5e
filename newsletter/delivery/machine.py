"""The one place that sets a state: follows arrows for one email or a set of them, and keeps the tallies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, TextClause, select, update
from sqlalchemy.orm import Session

from newsletter.database.engine import before_commit
from newsletter.delivery import rules
from newsletter.delivery.models import Delivery, Tally, in_state
from newsletter.delivery.rules import ARROWS, ENDED, Claimed, State
from newsletter.work.claims import add_to, claim


def take(
    session: Session, worker: str, now: datetime, limit: int, *where: ColumnElement[bool] | TextClause
) -> list[Claimed]:
    """Claim up to `limit` waiting emails that match until the lease ends, the longest due first."""
    rows = claim(
        session,
        Delivery,
        Delivery.id,
        where=[in_state(State.PLANNED, State.DEFERRED), *where],
        order_by=[Delivery.due_at, Delivery.id],
        limit=limit,
        values={
            "state": State.CLAIMED,
            "claimed_from": Delivery.state,
            "claimed_by": worker,
            "lease_until": now + rules.LEASE,
        },
        returning=(
            *(Delivery.reason, Delivery.lane, Delivery.subscriber_id, Delivery.message_id),
            *(Delivery.planned_at, Delivery.due_at, Delivery.attempts, Delivery.claimed_from),
        ),
    )
    for (reason, lane, source), many in Counter((row.reason, row.lane, row.claimed_from) for row in rows).items():
        _count(session, rules.batch_of(reason, lane), State(source), State.CLAIMED, many)
    return sorted((_held(row) for row in rows), key=lambda one: (one.due_at, one.id))


def _held(row: Row[Any]) -> Claimed:
    fields: tuple[Any, ...] = row[:-1]  # in their order, and behind them claimed_from
    return Claimed(*fields)


def move(
    session: Session,
    source: State,
    to: State,
    now: datetime,
    *where: ColumnElement[bool] | TextClause,
    why: str = "",
    **values: Any,
) -> list[int]:
    """Follow one arrow for every email that matches; returns the ids of those that moved, in no order.

    Raises ValueError for an arrow that the plan does not have.
    """
    if to not in ARROWS[source]:
        raise ValueError(f"no arrow leads from {source} to {to}")
    if to in ENDED:
        values["ended_at"] = now
    if source in {State.CLAIMED, State.SENDING} and to is not State.SENDING:
        values |= {"claimed_by": None, "lease_until": None}
    statement = (
        update(Delivery)
        .where(in_state(source), *where)
        .values(state=to, state_why=why, **values)
        .returning(Delivery.id, Delivery.reason, Delivery.lane)
    )
    moved = session.connection().execute(statement).all()
    for (reason, lane), many in Counter((reason, lane) for _, reason, lane in moved).items():
        _count(session, rules.batch_of(reason, lane), source, to, many)
    return [row.id for row in moved]


def move_one(session: Session, delivery_id: int, to: State, now: datetime, *, why: str = "", **values: Any) -> bool:
    """Follow the arrow from wherever this email stands; False when none leads there, or it has moved on meanwhile."""
    source = session.scalar(select(Delivery.state).where(Delivery.id == delivery_id))
    if source is None or to not in ARROWS[State(source)]:
        return False
    return bool(move(session, State(source), to, now, Delivery.id == delivery_id, why=why, **values))


def planned(session: Session, batch: str, many: int) -> None:
    """Note that so many emails were planned."""
    _tally(session)[batch, State.PLANNED] += many


def removed(session: Session, rows: Sequence[Delivery]) -> None:
    """Note that these rows are gone."""
    for row in rows:
        _tally(session)[rules.batch_of(row.reason, row.lane), State(row.state)] -= 1


def attempted(session: Session, relay: str, outcomes: Mapping[State, int]) -> None:
    """Note how a relay answered so many attempts; under `relay:NAME`, and never taken back."""
    for outcome, many in outcomes.items():
        _tally(session)[f"relay:{relay}", outcome] += many


def _count(session: Session, batch: str, source: State, to: State, many: int) -> None:
    tally = _tally(session)
    tally[batch, source] -= many
    tally[batch, to] += many


def _tally(session: Session) -> Counter[tuple[str, State]]:
    """What this transaction has changed so far; written at its very end, because many workers write the same rows."""
    hooks = session.info.setdefault("before_commit", {})
    if "tally" not in hooks:
        fresh: Counter[tuple[str, State]] = Counter()
        session.info["tally"] = fresh
        before_commit(session, "tally", lambda: _write(session, fresh))
    found: Counter[tuple[str, State]] = session.info["tally"]
    return found


def _write(session: Session, tally: Counter[tuple[str, State]]) -> None:
    # In one order for everybody: two workers that lock the same rows in different orders would wait for each other.
    changed = sorted(key for key, amount in tally.items() if amount)
    rows = [{"batch": batch, "state": state.value, "count": tally[batch, state]} for batch, state in changed]
    add_to(session, Tally, rows, unique=("batch", "state"), amount="count")
