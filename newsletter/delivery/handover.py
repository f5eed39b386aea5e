"""What a worker writes down while it sends: claims, windows, answers, and what is picked up after a crash."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    String,
    and_,
    bindparam,
    cast,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeEngine

from newsletter.audience import actions as audience
from newsletter.audience.rules import Status
from newsletter.delivery import machine, rules
from newsletter.delivery.machine import move, move_one
from newsletter.delivery.models import Attempt, Delivery, Hold, in_state
from newsletter.delivery.rules import PARKED, Claimed, Lane, Reply, State
from newsletter.work.claims import among, among_given, kind_of, listed, rows_given


def is_due(session: Session, lane: Lane, now: datetime) -> bool:
    """Whether an email of that lane is due."""
    return session.connection().execute(_due(), {"lane": int(lane), "now": now}).first() is not None


@cache
def _due() -> Select[int]:
    lane, now = bindparam("lane", type_=Integer), bindparam("now", type_=Delivery.due_at.type)
    due = in_state(State.PLANNED, State.DEFERRED), Delivery.lane == lane, Delivery.due_at <= now
    return select(Delivery.id).where(*due).limit(1)


def next_due(session: Session, lanes: Sequence[Lane], now: datetime) -> datetime | None:
    """When the next email of those lanes comes due after `now`."""
    waiting = in_state(State.PLANNED, State.DEFERRED), Delivery.lane.in_([int(lane) for lane in lanes])
    return session.scalar(select(func.min(Delivery.due_at)).where(*waiting, Delivery.due_at > now))


_HELD = select(Hold.what, Hold.why).where(Hold.over.is_(False))


def claim_due(session: Session, worker: str, now: datetime, limit: int, lane: Lane) -> list[Claimed]:
    """Take up to `limit` due emails of a lane for `worker`, the longest due first.

    A held lane is passed over; emails of a held broadcast are parked instead of claimed. Lane by lane, because SQLite
    would sort a million waiting emails for each claim over several.
    """
    held = {row.what: row.why for row in session.connection().execute(_HELD)}
    if f"lane:{int(lane)}" in held:
        return []
    claimed = machine.take(session, worker, now, limit, int(lane))
    for what, why in held.items():
        _park(session, [one.id for one in claimed if one.reason == what], why, now)
    return [one for one in claimed if one.reason not in held]


def _park(session: Session, delivery_ids: list[int], why: str, now: datetime) -> None:
    if delivery_ids:
        these = among(session, Delivery.id, delivery_ids)
        move(session, State.CLAIMED, State.PLANNED, now, these, why=why, due_at=PARKED)


def begin_sending(session: Session, delivery_ids: Sequence[int], worker: str) -> set[int]:
    """Commit to sending these; returns those that are still this worker's and not held.

    A slow worker may have lost its lease, an operator or a reader may have said no since the claim. What is left behind
    claimed goes back to the plan with the worker's next `pick_up`.
    """
    kind = kind_of(session)
    given = {"ids": listed(kind, delivery_ids), "worker": worker}
    return set(machine.follow(session, State.CLAIMED, State.SENDING, _beginning(kind), given))


@cache
def _beginning(kind: str) -> Any:
    # The lease stays that of the claim, which `keep` prolongs: to change it here is to move the row in its index.
    mine = among_given(kind, Delivery.id), Delivery.claimed_by == bindparam("worker", type_=String)
    held = select(Hold.what).where(Hold.over.is_(False))
    free = Delivery.reason.not_in(held), (literal("lane:") + cast(Delivery.lane, String)).not_in(held)
    return machine.arrow(State.CLAIMED, State.SENDING, *mine, *free)


def standing(session: Session, delivery_ids: Sequence[int]) -> dict[int, tuple[str, str | None]]:
    """The state of these emails and whose they are, by id."""
    found = select(Delivery.id, Delivery.state, Delivery.claimed_by).where(among(session, Delivery.id, delivery_ids))
    return {row.id: (row.state, row.claimed_by) for row in session.execute(found)}


def keep(session: Session, worker: str, now: datetime) -> int:
    """Prolong the lease of everything this worker holds; returns how much that is.

    Without it a slow relay outlives the lease, another worker takes the emails, and both send them.
    """
    held = update(Delivery).where(_held_by(worker))
    return session.connection().execute(held.values(lease_until=now + rules.LEASE)).rowcount


# An answer as the database takes it, all of a window in one parameter.
_Columns = dict[str, type[TypeEngine[Any]]]
_SUBJECT: _Columns = {"id": Integer, "subject": String}
_ANSWER: _Columns = {"id": Integer, "outcome": String, "code": Integer, "enhanced": String, "text": String}


def record(
    session: Session, answers: Sequence[tuple[int, Reply]], *, relay: str, subjects: Mapping[int, str], now: datetime
) -> Counter[State]:
    """Write down what the relay answered to these emails (by id), and follow the arrows it means.

    A row may be gone: its reader's two records were merged meanwhile, and the other one had this email already.
    """
    kind, outcomes = kind_of(session), Counter[State]()
    told, taken = list[dict[str, object]](), list[dict[str, object]]()
    for delivery_id, reply in answers:
        outcome, subject = rules.outcome(reply), subjects.get(delivery_id, "")
        outcomes[outcome] += 1
        told.append(_told(delivery_id, reply, outcome))
        if outcome is State.ACCEPTED:
            taken.append({"id": delivery_id, "subject": subject})
        else:
            _record_other(session, delivery_id, reply, subject, now)
    if taken:
        _accept(session, taken, now)
    session.connection().execute(_noting(kind), {"rows": listed(kind, told), "now": now, "through": relay})
    machine.attempted(session, relay, outcomes)
    return outcomes


@cache
def _noting(kind: str) -> Any:
    given = rows_given(kind, _ANSWER)
    at, through = bindparam("now", type_=Attempt.at.type), bindparam("through", type_=String)
    rows = select(Delivery.id, at, through, given.c.outcome, given.c.code, given.c.enhanced, given.c.text)
    columns = ["delivery_id", "at", "relay", "outcome", "code", "enhanced", "text"]
    return insert(Attempt).from_select(columns, rows.join(given, given.c.id == Delivery.id))


def _told(delivery_id: int, reply: Reply, outcome: State) -> dict[str, object]:
    return {
        "id": delivery_id,
        "outcome": outcome.value,
        "code": reply.code or None,
        "enhanced": reply.enhanced,
        "text": reply.text[:2000],
    }


_TRIED = {"attempts": Delivery.attempts + 1}


def _accept(session: Session, told: Sequence[Mapping[str, object]], now: datetime) -> None:
    kind = kind_of(session)
    given = {"rows": listed(kind, told), "now": now}
    moved = machine.follow(session, State.SENDING, State.ACCEPTED, _accepting(kind, State.SENDING), given)
    if len(moved) < len(told):  # a slow worker's: taken for lost meanwhile, but here is the answer
        machine.follow(session, State.UNKNOWN, State.ACCEPTED, _accepting(kind, State.UNKNOWN), given)


@cache
def _accepting(kind: str, source: State) -> Any:
    given, now = rows_given(kind, _SUBJECT), bindparam("now", type_=Delivery.accepted_at.type)
    values = {**_TRIED, "accepted_at": now, "ended_at": now, "subject": given.c.subject}
    values["first_tried_at"] = func.coalesce(Delivery.first_tried_at, now)
    return machine.arrow(source, State.ACCEPTED, Delivery.id == given.c.id, **values)


def _record_other(session: Session, delivery_id: int, reply: Reply, subject: str, now: datetime) -> None:
    """What is not a plain yes: rare, so one by one."""
    row = session.get(Delivery, delivery_id, populate_existing=True)
    if row is None:
        return
    state, attempts = rules.outcome(reply), row.attempts + 1
    values: dict[str, Any] = {**_TRIED, "subject": subject, "first_tried_at": row.first_tried_at or now}
    if state is State.DEFERRED:
        values["due_at"] = now + rules.try_again_after(attempts, reply, random.random())
    if not move_one(session, delivery_id, state, now, why=reply.text[:300], **values):
        return
    if state is State.UNKNOWN:
        _repeat_if_urgent(session, delivery_id, row.lane, attempts, now)
    if state is State.REJECTED:
        audience.close(session, row.subscriber_id, Status.BOUNCED, f"Their mail server said: {reply.text[:200]}", now)


def _repeat_if_urgent(session: Session, delivery_id: int, lane: int, attempts: int, now: datetime) -> None:
    if not rules.sent_again_by_itself(lane, attempts):
        return
    # The first repeat at once, because somebody waits for it; the next ones give the relay time to recover.
    due_at = now if attempts <= 1 else now + rules.try_again_after(attempts - 1, Reply(0), random.random())
    why, this = "Sent again: its answer was lost.", Delivery.id == delivery_id
    move(session, State.UNKNOWN, State.PLANNED, now, this, why=why, due_at=due_at)


def fail_template(session: Session, delivery_id: int, why: str, now: datetime) -> None:
    """The email could not be made for this reader: it waits, listed with the reason, until the template is mended."""
    row = session.get_one(Delivery, delivery_id, populate_existing=True)
    wait = rules.try_again_after(row.attempts + 1, Reply(0), random.random())
    values: dict[str, Any] = {"attempts": row.attempts + 1, "due_at": now + wait}
    values["first_tried_at"] = row.first_tried_at or now
    move_one(session, delivery_id, State.DEFERRED, now, why=why, **values)


def pick_up(session: Session, worker: str, now: datetime) -> int:
    """Return to the plan what a worker that has nothing in hand still has a claim on; returns how many."""
    mine = Delivery.claimed_by.startswith(f"{worker}/", autoescape=True)  # of each of its lines
    return len(move(session, State.CLAIMED, State.PLANNED, now, in_state(State.CLAIMED, State.SENDING), mine))


def _held_by(worker: str) -> ColumnElement[bool]:
    return and_(in_state(State.CLAIMED, State.SENDING), Delivery.claimed_by == worker)


def give_back(session: Session, delivery_ids: Sequence[int], worker: str, why: str, again_at: datetime) -> None:
    """Return those of a worker's emails whose bytes never left to the plan, to be tried `again_at`."""
    mine = among(session, Delivery.id, delivery_ids), Delivery.claimed_by == worker
    for source in (State.CLAIMED, State.SENDING):
        move(session, source, State.PLANNED, again_at, *mine, why=why, due_at=again_at)


def _give_up_on(session: Session, lost: Sequence[int], why: str, now: datetime) -> None:
    """What a dead worker was sending: listed as a try of which nobody knows, and repeated where somebody waits."""
    rows = [{"delivery_id": one, "at": now, "relay": "", "outcome": State.UNKNOWN.value, "text": why} for one in lost]
    session.connection().execute(insert(Attempt), rows)
    these = among(session, Delivery.id, lost), Delivery.lane == int(Lane.TRANSACTIONAL)
    urgent = session.execute(select(Delivery.id, Delivery.lane, Delivery.attempts).where(*these)).all()
    for delivery_id, lane, attempts in urgent:
        _repeat_if_urgent(session, delivery_id, lane, attempts, now)


def put_off(session: Session, moments: Mapping[int, datetime], worker: str, now: datetime) -> None:
    """Return claimed emails to the plan, each to its own moment: their recipients' domains have no room before."""
    for delivery_id, at in moments.items():
        mine = Delivery.id == delivery_id, Delivery.claimed_by == worker
        move(session, State.CLAIMED, State.PLANNED, now, *mine, why="Their mail server gets its share.", due_at=at)


def recover(session: Session, now: datetime) -> int:
    """Pick up what dead workers left: claims fall back, uncertain sendings become unknown, late ones expire."""
    over = in_state(State.CLAIMED, State.SENDING), Delivery.lease_until < now
    back = move(session, State.CLAIMED, State.PLANNED, now, *over)
    tried, why = {"attempts": Delivery.attempts + 1}, "A worker stopped while sending."
    lost = move(session, State.SENDING, State.UNKNOWN, now, *over, why=why, **tried)
    if lost:
        _give_up_on(session, lost, why, now)
    old, why = Delivery.first_tried_at < now - rules.GIVE_UP_AFTER, "Not accepted within 72 hours."
    expired = move(session, State.DEFERRED, State.EXPIRED, now, old, why=why)
    return len(back) + len(lost) + len(expired)


def withdraw(session: Session, delivery_ids: Sequence[int], why: str, now: datetime) -> None:
    """Do not send these claimed emails."""
    move(session, State.CLAIMED, State.CANCELED, now, among(session, Delivery.id, delivery_ids), why=why)
