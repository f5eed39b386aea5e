"""The one place that sets a state: follows arrows for one email or a set of them, and keeps the tallies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from operator import attrgetter, itemgetter
from typing import Any

from sqlalchemy import ColumnElement, Integer, String, TextClause, bindparam, select, update
from sqlalchemy.orm import Session

from newsletter.database.engine import before_commit
from newsletter.delivery import rules
from newsletter.delivery.models import Delivery, Tally, in_state
from newsletter.delivery.rules import ARROWS, ENDED, Claimed, State
from newsletter.work.claims import add_to, claiming, kind_of

# A name of a row is looked up each time, its place is not: 250 of them are 0.2 ms.
_REASON_AND_LANE, _AS_CLAIMED = itemgetter(1, 2), itemgetter(1, 2, -1)
_IN_TURN = attrgetter("due_at", "id")


def take(session: Session, worker: str, now: datetime, limit: int, lane: int) -> list[Claimed]:
    """Claim up to `limit` emails that are due in a lane until the lease ends, the longest due first."""
    given = {"limit": limit, "worker": worker, "lease": now + rules.LEASE, "of_lane": lane, "now": now}
    # On the connection: through the session each row would cost a search for an object to refresh.
    rows = session.connection().execute(_taking(kind_of(session)), given).all()
    for (reason, lane, source), many in Counter(map(_AS_CLAIMED, rows)).items():
        _count(session, rules.batch_of(reason, lane), State(source), State.CLAIMED, many)
    return sorted([Claimed._make(row[:-1]) for row in rows], key=_IN_TURN)


@cache
def _taking(kind: str) -> Any:
    due = Delivery.due_at <= bindparam("now", type_=Delivery.due_at.type)
    lane = Delivery.lane == bindparam("of_lane", type_=Integer)
    return claiming(
        kind,
        Delivery,
        Delivery.id,
        where=[in_state(State.PLANNED, State.DEFERRED), lane, due],
        order_by=[Delivery.due_at, Delivery.id],
        values={
            "state": State.CLAIMED,
            "claimed_from": Delivery.state,
            "claimed_by": bindparam("worker", type_=String),
            "lease_until": bindparam("lease", type_=Delivery.lease_until.type),
        },
        returning=(
            *(Delivery.reason, Delivery.lane, Delivery.subscriber_id, Delivery.message_id),
            *(Delivery.planned_at, Delivery.due_at, Delivery.attempts, Delivery.claimed_from),
        ),
    )


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
    if to in ENDED:
        values["ended_at"] = now
    return follow(session, source, to, arrow(source, to, *where, why=why, **values), {})


def arrow(source: State, to: State, *where: ColumnElement[bool] | TextClause, why: str = "", **values: Any) -> Any:
    """The statement of one arrow, for `follow`: composed anew it costs a millisecond or two, run again a tenth.

    Raises ValueError for an arrow that the plan does not have.
    """
    if to not in ARROWS[source]:
        raise ValueError(f"no arrow leads from {source} to {to}")
    if source in {State.CLAIMED, State.SENDING} and to is not State.SENDING:
        values |= {"claimed_by": None, "lease_until": None}
    return (
        update(Delivery)
        .where(in_state(source), *where)
        .values(state=to, state_why=why, **values)
        .returning(Delivery.id, Delivery.reason, Delivery.lane)
    )


def follow(session: Session, source: State, to: State, statement: Any, given: Mapping[str, Any]) -> list[int]:
    """Run the statement of an arrow and keep the tallies; returns the ids of those that moved, in no order."""
    moved = session.connection().execute(statement, given).all()
    for (reason, lane), many in Counter(map(_REASON_AND_LANE, moved)).items():
        _count(session, rules.batch_of(reason, lane), source, to, many)
    return [row[0] for row in moved]


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
