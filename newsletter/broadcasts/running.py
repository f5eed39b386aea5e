"""Writes of a broadcast from its start to its end: what is proved and planned, pause, resume, cancel, finished.

Every step is one short transaction that moves a mark in the row and only counts when the mark still stood where it
began. So a worker killed anywhere loses no more than its slice, and one that wakes up late changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, insert, or_, update
from sqlalchemy.orm import Session

from newsletter.accounts import queries as accounts
from newsletter.broadcasts import queries, rules
from newsletter.broadcasts.actions import move
from newsletter.broadcasts.models import Broadcast, Unmakeable
from newsletter.broadcasts.rules import BroadcastState
from newsletter.database.engine import after_commit
from newsletter.delivery import actions as delivery
from newsletter.delivery import days
from newsletter.delivery.rules import Lane
from newsletter.errors import InputError
from newsletter.work.claims import claim
from newsletter.work.queue import wake

# A worker proves for a fifth of a second; one that is silent for this long is dead. Should it only be slow, its slice
# is made twice and counted once.
LEASE = timedelta(seconds=2)
# So many subscriber ids are planned in one transaction: some 100 ms, which is what any other writer waits at most.
PLANNED_AT_ONCE = 20_000
# Each of these is a statement of its own inside such a transaction.
CANCELED_AT_ONCE = 200
SWEPT_AT_ONCE = 1000  # rows of a canceled broadcast, in one statement

WAS_CANCELED = "the email to everybody was called off"


def begin(session: Session, broadcast_id: int, now: datetime) -> bool:
    """Fix the readers (semantics 2.12) of a queued broadcast; False when somebody was faster."""
    session.execute(delete(Unmakeable).where(Unmakeable.broadcast_id == broadcast_id))
    through_id = queries.highest_id(session)
    fresh = dict.fromkeys(("proved_to", "proved", "unmakeable", "planned_to", "accepted_before", "refused_before"), 0)
    return move(
        session,
        broadcast_id,
        BroadcastState.STARTING,
        started_at=now,
        through_id=through_id,
        problem="" if through_id else rules.proof_words(0, 0, ""),
        lease_until=None,
        **fresh,
    )


def refuse_overdue(session: Session, broadcast_id: int, now: datetime) -> bool:
    """A queued broadcast whose moment is long past goes back to the drafts (semantics 3.16); False when it is not."""
    send_at, hours = queries.find(session, broadcast_id).send_at, accounts.studio(session).overdue_hours
    if send_at is None or not days.is_overdue(send_at, now, hours):
        return False
    queued = Broadcast.state == BroadcastState.QUEUED
    return move(session, broadcast_id, BroadcastState.DRAFT, queued, problem=rules.overdue_words(hours), send_at=None)


def take_proof(session: Session, broadcast_id: int, now: datetime) -> bool:
    """Be the one worker that proves the next slice; False when another is at it, or nothing is left to prove."""
    free = or_(Broadcast.lease_until.is_(None), Broadcast.lease_until < now)
    unproved = Broadcast.state == BroadcastState.STARTING, Broadcast.proved_to < Broadcast.through_id
    taken = claim(
        session,
        Broadcast,
        Broadcast.id,
        where=[Broadcast.id == broadcast_id, *unproved, free],
        order_by=[Broadcast.id],
        limit=1,
        values={"lease_until": now + LEASE},
    )
    return bool(taken)


def note_proved(session: Session, broadcast: Broadcast, proved_to: int, seen: int, failed: Mapping[int, str]) -> bool:
    """Move the mark of the proof, keep what failed, and judge; False when another worker moved the mark meanwhile."""
    moved = _advance(
        session,
        broadcast,
        Broadcast.proved_to == broadcast.proved_to,
        proved_to=proved_to,
        proved=Broadcast.proved + seen,
        unmakeable=Broadcast.unmakeable + len(failed),
        lease_until=None,
    )
    if moved and failed:
        rows = [{"broadcast_id": broadcast.id, "subscriber_id": who, "why": why} for who, why in failed.items()]
        session.connection().execute(insert(Unmakeable), rows)
    if moved:
        _judge(session, queries.find(session, broadcast.id))
    return moved


def _judge(session: Session, broadcast: Broadcast) -> None:
    finished = broadcast.proved_to >= broadcast.through_id
    hopeless = rules.is_hopeless(broadcast.proved, broadcast.unmakeable, finished)
    if not finished and not hopeless:
        return
    why = queries.commonest_problem(session, broadcast.id) if broadcast.unmakeable else ""
    broadcast.problem = rules.proof_words(broadcast.proved, broadcast.unmakeable, why)
    session.flush()
    if hopeless:
        refuse(session, broadcast, broadcast.problem)


def _advance(session: Session, broadcast: Broadcast, *stood: ColumnElement[bool], **values: object) -> bool:
    # `started_at` tells one start from the next: taken back and queued again, the marks begin at 0 again as well.
    same = Broadcast.started_at == broadcast.started_at, Broadcast.state == BroadcastState.STARTING
    statement = update(Broadcast).where(Broadcast.id == broadcast.id, *same, *stood).values(**values)
    return bool(session.connection().execute(statement).rowcount)


def refuse(session: Session, broadcast: Broadcast, problem: str) -> bool:
    """The email cannot be made for anybody: back to the drafts, with the reason in words."""
    session.execute(delete(Unmakeable).where(Unmakeable.broadcast_id == broadcast.id))
    same = Broadcast.started_at == broadcast.started_at, Broadcast.planned_to == 0
    return move(session, broadcast.id, BroadcastState.DRAFT, *same, problem=problem, send_at=None, started_at=None)


def plan_slice(session: Session, broadcast: Broadcast, now: datetime) -> int:
    """Plan the next slice of a proved broadcast (semantics 2.12); returns how many emails, 0 when another was faster.

    Nobody is planned twice: the pair of reason and reader is unique. Nobody is left out: mark and rows are one commit.
    """
    start, end = broadcast.planned_to, min(broadcast.planned_to + PLANNED_AT_ONCE, broadcast.through_id)
    failed = queries.unmakeable(session, broadcast.id, start, end, CANCELED_AT_ONCE)
    if len(failed) == CANCELED_AT_ONCE:
        end = failed[-1][0]
    stood = Broadcast.planned_to == start, Broadcast.proved_to >= Broadcast.through_id
    if not _advance(session, broadcast, *stood, planned_to=end):
        return 0
    planned = delivery.plan_many(
        session,
        reason=queries.reason_of(broadcast.id),
        subscribers=queries.snapshot(broadcast, start, end),
        lane=Lane.BULK,
        due_at=broadcast.send_at or now,
        now=now,
    )
    _cancel_unmakeable(session, broadcast.id, dict(failed), now)
    if end >= broadcast.through_id:
        move(session, broadcast.id, BroadcastState.SENDING)
    return planned


def _cancel_unmakeable(session: Session, broadcast_id: int, failed: Mapping[int, str], now: datetime) -> None:
    if not failed:
        return
    for person_id, delivery_id in queries.delivery_ids(session, broadcast_id, failed):
        delivery.cancel(session, delivery_id, f"Could not be made for this reader: {failed[person_id]}", now)
    listed = Unmakeable.broadcast_id == broadcast_id, Unmakeable.subscriber_id.in_(list(failed))
    session.execute(delete(Unmakeable).where(*listed))


def pause(session: Session, broadcast_id: int, why: str, now: datetime) -> bool:
    """Hold everything of a broadcast that has not left yet (semantics 2.10); False when it is not running."""
    if not move(session, broadcast_id, BroadcastState.PAUSED, paused_why=why, paused_at=now, rate=0.0, rate_at=None):
        return False
    delivery.hold(session, queries.reason_of(broadcast_id), why, now)
    return True


def resume(session: Session, broadcast_id: int) -> None:
    """Go on where it stood; the 5% count from here. Raises InputError when it is not paused."""
    found, answers = queries.find(session, broadcast_id), queries.tally_of(session, broadcast_id).answers
    to = rules.resumed(found.planned_to, found.through_id)
    done = move(
        session,
        broadcast_id,
        to,
        Broadcast.state == BroadcastState.PAUSED,
        paused_at=None,
        paused_why="",
        accepted_before=answers.accepted,
        refused_before=answers.refused,
    )
    if not done:
        raise InputError("This email is not paused any more.", remedy="Look at its newest state.")
    delivery.let_go(session, queries.reason_of(broadcast_id))
    after_commit(session, wake)


def cancel(session: Session, broadcast_id: int, now: datetime) -> BroadcastState:
    """Keep everybody who has not got it yet from getting it; returns where it stood. Raises InputError when too late.

    What waits is canceled by `sweep` in pieces, and by the ledger when it comes due before that.
    """
    was = BroadcastState(queries.find(session, broadcast_id).state)
    if not move(session, broadcast_id, BroadcastState.CANCELED, paused_why=""):
        raise InputError(
            "There is nothing to call off.",
            means="This email has gone out, or somebody called it off. Nothing was changed.",
            remedy="Look at its newest state.",
        )
    if was in rules.RUNNING:
        # Without the hold a worker would send the rest of the batch it has in hand.
        delivery.hold(session, queries.reason_of(broadcast_id), "This email was called off.", now)
        after_commit(session, wake)
    return was


def sweep(session: Session, broadcast_id: int, now: datetime) -> int:
    """Cancel the next piece of what waits of a canceled broadcast; returns how many, and closes it at 0."""
    reason = queries.reason_of(broadcast_id)
    # Asked of the tally first: looking for rows that are not there means passing by every other broadcast's.
    tally, swept = queries.tally_of(session, broadcast_id), 0
    if tally.planned or tally.deferred:
        swept = delivery.cancel_batch(session, reason, WAS_CANCELED, now, limit=SWEPT_AT_ONCE)
    if not swept and not tally.under_way:
        session.execute(update(Broadcast).where(Broadcast.id == broadcast_id).values(finished_at=now))
        session.execute(delete(Unmakeable).where(Unmakeable.broadcast_id == broadcast_id))
        delivery.let_go(session, reason)
    return swept


def finish(session: Session, broadcast: Broadcast, now: datetime) -> bool:
    """Close a broadcast of which nothing is open any more."""
    planned = Broadcast.planned_to >= Broadcast.through_id
    if not move(session, broadcast.id, BroadcastState.DONE, planned, finished_at=now, paused_why=""):
        return False
    delivery.let_go(session, queries.reason_of(broadcast.id))
    return True


def note_rate(session: Session, broadcast: Broadcast, done: int, now: datetime) -> None:
    """Keep how fast it goes, for the page; of several workers one is enough."""
    rate = broadcast.rate
    if broadcast.rate_at is not None:
        rate = rules.smoothed(rate, done - broadcast.rate_done, (now - broadcast.rate_at).total_seconds())
    same = Broadcast.rate_at.is_(None) if broadcast.rate_at is None else Broadcast.rate_at == broadcast.rate_at
    noted = update(Broadcast).where(Broadcast.id == broadcast.id, same)
    session.execute(noted.values(rate=rate, rate_done=done, rate_at=now))
