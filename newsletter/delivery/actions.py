"""Writes to the ledger; every change of state goes through `machine`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, String, cast, delete, insert, literal, select, update
from sqlalchemy.orm import Session

from newsletter import addresses, tokens
from newsletter.audience import queries as people
from newsletter.database.engine import after_commit
from newsletter.delivery import machine, rules
from newsletter.delivery.machine import move, move_one
from newsletter.delivery.models import Attempt, Delivery, DkimKey, Event, Hold, MailboxMessage, Trial, in_state
from newsletter.delivery.rules import OVERDUE, PARKED, EventKind, Lane, Reply, State
from newsletter.settings import current
from newsletter.work.claims import among, claim, insert_missing, insert_rows
from newsletter.work.queue import wake

# A test email that could not be handed over is tried again after this long: its operator is waiting.
TRIAL_PAUSE = timedelta(minutes=1)


def plan(session: Session, *, reason: str, subscriber_id: int, lane: Lane, due_at: datetime, now: datetime) -> bool:
    """Plan one email; False when this person has one for this reason already."""
    return _plan(session, reason, people.only(subscriber_id), lane, due_at, now, mostly_new=False) == 1


def plan_many(
    session: Session, *, reason: str, subscribers: Select[int], lane: Lane, due_at: datetime, now: datetime
) -> int:
    """Plan an email for everyone whom `subscribers` selects by id, in one statement; returns how many are new.

    The Message-ID is made of the reason and the person, so every attempt carries the same one (semantics 2.4).
    """
    return _plan(session, reason, subscribers, lane, due_at, now, mostly_new=True)


def _plan(
    session: Session,
    reason: str,
    subscribers: Select[int],
    lane: Lane,
    due_at: datetime,
    now: datetime,
    *,
    mostly_new: bool,
) -> int:
    chosen = subscribers.subquery()
    person = chosen.c[0]
    message_id = literal(f"<{_mark(reason)}.") + cast(person, String) + literal(f"@{_domain()}>")
    values = {
        Delivery.reason: literal(reason),
        Delivery.subscriber_id: person,
        Delivery.lane: literal(int(lane)),
        Delivery.state: literal(State.PLANNED.value),
        Delivery.state_why: literal(""),
        Delivery.due_at: literal(due_at, Delivery.due_at.type),
        Delivery.planned_at: literal(now, Delivery.planned_at.type),
        Delivery.message_id: message_id,
        Delivery.subject: literal(""),
        Delivery.attempts: literal(0),
    }
    rows, pair = select(*values.values()).select_from(chosen), [Delivery.reason, Delivery.subscriber_id]
    planned = insert_missing(session, Delivery, list(values), rows, unique=pair, mostly_new=mostly_new)
    machine.planned(session, rules.batch_of(reason, lane), planned)
    if due_at <= now:
        after_commit(session, wake)
    return planned


@dataclass(frozen=True, slots=True)
class Due:
    """One email to be planned: why, for whom, and when it is due."""

    reason: str
    subscriber_id: int
    due_at: datetime


def plan_each(session: Session, mails: Sequence[Due], *, lane: Lane, now: datetime) -> None:
    """Plan emails that each have a reason of their own, in one go; one that is there already stays as it is."""
    if not mails:
        return
    there = select(Delivery.reason, Delivery.subscriber_id).where(Delivery.reason.in_([one.reason for one in mails]))
    known = {(reason, person) for reason, person in session.connection().execute(there)}
    fresh = [one for one in mails if (one.reason, one.subscriber_id) not in known]
    if known:  # whoever asked for it again is to hear again how it ended
        same = Delivery.reason.in_([reason for reason, _ in known])
        session.connection().execute(update(Delivery).where(same).values(settled=False))
    insert_rows(
        session, Delivery, [_row(one, lane, now) for one in fresh], unique=[Delivery.reason, Delivery.subscriber_id]
    )
    for one in fresh:
        machine.planned(session, rules.batch_of(one.reason, lane), 1)
    if any(one.due_at <= now for one in fresh):
        after_commit(session, wake)


def settled(session: Session, delivery_ids: Sequence[int]) -> None:
    """The ways through their series know how these emails ended."""
    if delivery_ids:
        these = among(session, Delivery.id, delivery_ids)
        session.connection().execute(update(Delivery).where(these).values(settled=True))


def _row(one: Due, lane: Lane, now: datetime) -> dict[str, Any]:
    return {
        "reason": one.reason,
        "subscriber_id": one.subscriber_id,
        "lane": int(lane),
        "state": State.PLANNED.value,
        "state_why": "",
        "due_at": one.due_at,
        "planned_at": now,
        "message_id": f"<{_mark(one.reason)}.{one.subscriber_id}@{_domain()}>",
        "subject": "",
        "attempts": 0,
    }


def _mark(reason: str) -> str:
    return tokens.fingerprint(current().secret_key, f"message-id {reason}")[:20]


def _domain() -> str:
    return addresses.on_the_wire(current().mail_from).rpartition("@")[2]


def cancel(session: Session, delivery_id: int, why: str, now: datetime) -> bool:
    """Do not send this email; False when it is too late for that."""
    return move_one(session, delivery_id, State.CANCELED, now, why=why)


def cancel_all(session: Session, subscriber_id: int, why: str, now: datetime, *, but: Lane | None = None) -> None:
    """Cancel everything that waits for a person, except in lane `but`."""
    theirs: list[ColumnElement[bool]] = [Delivery.subscriber_id == subscriber_id]
    if but is not None:
        theirs.append(Delivery.lane != int(but))
    _cancel_waiting(session, theirs, why, now)


def cancel_batch(session: Session, reason: str, why: str, now: datetime, *, limit: int) -> int:
    """Cancel up to `limit` waiting emails of a broadcast; returns how many, so 0 when none waits any more."""
    some = select(Delivery.id).where(
        in_state(State.PLANNED, State.DEFERRED), Delivery.lane == int(Lane.BULK), Delivery.reason == reason
    )
    return _cancel_waiting(session, [Delivery.id.in_(some.limit(limit))], why, now)


def cancel_many(session: Session, reason: str, whys: Mapping[int, str], now: datetime) -> int:
    """Cancel one reason's waiting emails of these people (by subscriber id), each with its why; returns how many."""
    canceled = 0
    for why in set(whys.values()):
        theirs = Delivery.subscriber_id.in_([person for person, said in whys.items() if said == why])
        canceled += _cancel_waiting(session, [Delivery.reason == reason, theirs], why, now)
    return canceled


def _cancel_waiting(session: Session, which: list[ColumnElement[bool]], why: str, now: datetime) -> int:
    # What a worker has in hand as well: it begins to send only what is still its own.
    states = *rules.WAITING, State.CLAIMED
    return sum(len(move(session, state, State.CANCELED, now, *which, why=why)) for state in states)


def send_now(session: Session, delivery_id: int, now: datetime) -> bool:
    """Let a waiting email go at once; False when it does not wait."""
    this = in_state(State.PLANNED, State.DEFERRED), Delivery.id == delivery_id
    after_commit(session, wake)
    return bool(session.connection().execute(update(Delivery).where(*this).values(due_at=now)).rowcount)


def decide_overdue(session: Session, delivery_ids: Sequence[int], *, send: bool, by: str, now: datetime) -> int:
    """The operator decides about emails that are too late (semantics 3.16): they go now, or are left out.

    Returns how many still waited for that. What goes now still gives way to another email of the same day (3.17).
    """
    held = Delivery.lane == int(Lane.SEQUENCE), Delivery.due_at == OVERDUE
    these = in_state(State.PLANNED, State.DEFERRED), among(session, Delivery.id, delivery_ids), *held
    if send:
        going = update(Delivery).where(*these).values(due_at=now, state_why="").returning(Delivery.id)
        decided = [row.id for row in session.connection().execute(going)]
        after_commit(session, wake)
    else:
        why = "Left out: it was too late."
        decided = [one for state in rules.WAITING for one in move(session, state, State.CANCELED, now, *these, why=why)]
    note(session, decided, EventKind.LATE if send else EventKind.CANCELED, now, by)
    return len(decided)


def reschedule(session: Session, delivery_id: int, due_at: datetime) -> bool:
    """Give a waiting email, or one that a worker has in hand and not begun to send, another moment; else False."""
    this = Delivery.id == delivery_id
    waiting = update(Delivery).where(in_state(State.PLANNED, State.DEFERRED), this)
    if session.connection().execute(waiting.values(due_at=due_at, state_why="")).rowcount:
        return True
    return bool(move(session, State.CLAIMED, State.PLANNED, due_at, this, due_at=due_at))


def note(session: Session, delivery_ids: Sequence[int], kind: EventKind, now: datetime, detail: str = "") -> None:
    """Write down what happened to these emails beside their work states."""
    rows = [{"delivery_id": one, "at": now, "kind": kind.value, "detail": detail} for one in delivery_ids]
    if rows:
        session.connection().execute(insert(Event), rows)


def decide_unknown(session: Session, delivery_ids: Sequence[int], *, again: bool, by: str, now: datetime) -> int:
    """The operator decides what became of uncertain emails: sent `again`, or counted as sent.

    Returns how many still were uncertain.
    """
    # Only from unknown: pressed on an old page while a worker is sending, it would send the email twice.
    these = among(session, Delivery.id, delivery_ids)
    if again:
        why = "Sent again by an operator."
        decided = move(session, State.UNKNOWN, State.PLANNED, now, these, why=why, due_at=now)
        after_commit(session, wake)
    else:
        why = "Counted as sent by an operator."
        decided = move(session, State.UNKNOWN, State.ACCEPTED, now, these, why=why, accepted_at=now)
    note(session, decided, EventKind.AGAIN if again else EventKind.COUNTED, now, by)
    return len(decided)


def hold(session: Session, what: str, why: str, now: datetime) -> None:
    """Send nothing of a broadcast (`broadcast:12`) or of a lane (`lane:1`) from the next window on."""
    session.merge(Hold(what=what, why=why, since=now, over=False))


def let_go(session: Session, what: str) -> None:
    """Go on with what was held; `unpark` brings back what was put aside meanwhile."""
    session.execute(update(Hold).where(Hold.what == what).values(over=True))
    after_commit(session, wake)


def unpark(session: Session, now: datetime, *, limit: int) -> int:
    """Bring back up to `limit` emails of what is not held any more; returns how many."""
    what = session.scalar(select(Hold.what).where(Hold.over).limit(1))
    if what is None:
        return 0
    aside = select(Delivery.id).where(
        in_state(State.PLANNED, State.DEFERRED),
        *(Delivery.lane == int(Lane.BULK), Delivery.due_at == PARKED, Delivery.reason == what),
    )
    # The 72 hours of an email that was tried before the pause begin again: it was not the relay that was slow.
    back = update(Delivery).where(Delivery.id.in_(aside.limit(limit)))
    brought = session.connection().execute(back.values(due_at=now, state_why="", first_tried_at=None)).rowcount
    if not brought:
        session.execute(delete(Hold).where(Hold.what == what, Hold.over))
    return brought or 1


def keep_keys(session: Session, domain: str, keys: dict[str, str], now: datetime) -> int:
    """Keep private keys (PEM, by selector) for `domain`; those another worker kept first stay. Returns how many."""
    known = set(session.scalars(select(DkimKey.selector).where(DkimKey.domain == domain)))
    fresh = [DkimKey(domain=domain, selector=name, pem=pem, created_at=now) for name, pem in keys.items()]
    new = [key for key in fresh if key.selector not in known]
    session.add_all(new)
    return len(new)


def forget(session: Session, subscriber_id: int) -> None:
    """Remove what is personal from the ledger; the rows stay, so that nothing is sent twice and figures stay right.

    What still waits is canceled when it comes due, because its reader is erased.
    """
    theirs = Delivery.subscriber_id == subscriber_id
    own = select(Delivery.id).where(theirs)
    # A mail server's answer repeats the address as a rule, and so does the built-in mailbox's copy.
    session.execute(update(Attempt).where(Attempt.delivery_id.in_(own)).values(text=""))
    copies = MailboxMessage.message_id.in_(select(Delivery.message_id).where(theirs))
    session.execute(delete(MailboxMessage).where(copies))
    session.execute(update(Delivery).where(theirs).values(subject="", state_why=""))


def absorb(session: Session, keep_id: int, drop_id: int) -> None:
    """Move the emails of one record of a person to the other; of two for the same reason the further one stays."""
    theirs = session.scalars(select(Delivery).where(Delivery.subscriber_id == drop_id)).all()
    kept = session.scalars(select(Delivery).where(Delivery.subscriber_id == keep_id)).all()
    same = {row.reason: row for row in kept}
    for row in theirs:
        other = same.get(row.reason)
        if other is not None:
            # One that waits gives way to one that went out: the person has that email.
            waits = other.state in rules.WAITING
            machine.removed(session, [other if waits else row])
            session.delete(other if waits else row)
            session.flush()
            if not waits:
                continue
        row.subscriber_id = keep_id
    session.flush()


def plan_trial(session: Session, *, recipient: str, message_id: str, content: bytes, now: datetime) -> None:
    """Let the worker send a test email, beside the ledger; earlier ones to this operator make room."""
    session.execute(delete(Trial).where(Trial.recipient == recipient, Trial.due_at.is_(None)))
    session.add(Trial(recipient=recipient, message_id=message_id, content=content, asked_at=now, due_at=now))
    after_commit(session, wake)


def claim_trials(session: Session, now: datetime) -> list[int]:
    """Take the test emails that are due; one that its worker does not finish is due again after the lease."""
    due = claim(
        session,
        Trial,
        Trial.id,
        where=[Trial.due_at <= now],
        order_by=[Trial.id],
        limit=rules.TRIALS_AT_ONCE,
        values={"due_at": now + rules.LEASE},
    )
    return sorted(row.id for row in due)


def record_trial(session: Session, trial_id: int, reply: Reply, now: datetime) -> None:
    """Write down what became of a test email: forgotten when accepted, else tried again for some minutes."""
    row = session.get(Trial, trial_id, populate_existing=True)
    if row is None:
        return
    if rules.outcome(reply) is State.ACCEPTED:
        session.delete(row)
        return
    row.tries += 1
    row.problem = f"{reply.code or ''} {reply.text}".strip()[:1000]
    again = rules.outcome(reply) is not State.REJECTED and row.tries < rules.TRIAL_TRIES
    row.due_at = now + TRIAL_PAUSE if again else None
