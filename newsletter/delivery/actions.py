"""Writes to the ledger; the only code that sets a state."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, String, cast, delete, literal, select, update
from sqlalchemy.orm import Session

from newsletter import addresses, tokens
from newsletter.audience import actions as audience
from newsletter.audience import queries as people
from newsletter.audience.rules import Status
from newsletter.database.engine import after_commit
from newsletter.delivery import rules
from newsletter.delivery.models import Attempt, Delivery, DkimKey, MailboxMessage, Relay, Trial
from newsletter.delivery.rules import ARROWS, ENDED, Lane, Reply, State
from newsletter.errors import InputError
from newsletter.settings import current
from newsletter.work.claims import claim, insert_missing
from newsletter.work.queue import wake

# A relay that refused us is asked again after this long; the circuit breaker.
RELAY_PAUSE = timedelta(minutes=1)


def plan(session: Session, *, reason: str, subscriber_id: int, lane: Lane, due_at: datetime, now: datetime) -> bool:
    """Plan one email; False when this person has one for this reason already."""
    one = people.only(subscriber_id)
    return plan_many(session, reason=reason, subscribers=one, lane=lane, due_at=due_at, now=now) == 1


def plan_many(
    session: Session, *, reason: str, subscribers: Select[int], lane: Lane, due_at: datetime, now: datetime
) -> int:
    """Plan an email for everyone whom `subscribers` selects by id, in one statement; returns how many are new.

    The Message-ID is made of the reason and the person, so every attempt carries the same one (semantics 2.4).
    """
    settings = current()
    mark = tokens.fingerprint(settings.secret_key, f"message-id {reason}")[:20]
    domain = addresses.on_the_wire(settings.mail_from).rpartition("@")[2]
    chosen = subscribers.subquery()
    person = chosen.c[0]
    message_id = literal(f"<{mark}.") + cast(person, String) + literal(f"@{domain}>")
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
    rows = select(*values.values()).select_from(chosen).where(literal(True))
    planned = insert_missing(session, Delivery, list(values), rows, unique=[Delivery.reason, Delivery.subscriber_id])
    if due_at <= now:
        after_commit(session, wake)
    return planned


def _move(
    session: Session,
    delivery_id: int,
    to: State,
    now: datetime,
    *,
    why: str = "",
    source: State | None = None,
    **values: Any,
) -> bool:
    """Follow one arrow (only from `source` where given); False when the row has moved on meanwhile."""
    sources = [state for state in State if to in ARROWS[state] and source in {None, state}]
    if to in ENDED:
        values["ended_at"] = now
    moved = session.connection().execute(
        update(Delivery)
        .where(Delivery.id == delivery_id, Delivery.state.in_(sources))
        .values(state=to, state_why=why, **values)
    )
    return bool(moved.rowcount)


def claim_due(session: Session, worker: str, now: datetime, limit: int) -> list[int]:
    """Take up to `limit` due emails for `worker` until the lease ends: the urgent lane first, then the longest due."""
    order = [Delivery.lane, Delivery.due_at, Delivery.id]
    claimed = claim(
        session,
        Delivery,
        Delivery.id,
        where=[Delivery.state.in_([State.PLANNED, State.DEFERRED]), Delivery.due_at <= now],
        order_by=order,
        limit=limit,
        values={"state": State.CLAIMED, "claimed_by": worker, "lease_until": now + rules.LEASE},
    )
    return list(session.scalars(select(Delivery.id).where(Delivery.id.in_(claimed)).order_by(*order)))


def begin_sending(session: Session, delivery_ids: list[int], worker: str, now: datetime) -> set[int]:
    """Commit to sending these; returns those that are still this worker's (a slow worker may have lost its lease)."""
    mine = (
        update(Delivery)
        .where(Delivery.id.in_(delivery_ids), Delivery.state == State.CLAIMED, Delivery.claimed_by == worker)
        .values(state=State.SENDING, lease_until=now + rules.LEASE)
        .returning(Delivery.id)
    )
    return set(session.scalars(mine))


def keep_sending(session: Session, delivery_ids: list[int], worker: str, now: datetime) -> set[int]:
    """Prolong the lease of those still to be handed over; returns the ones that are still this worker's.

    Without it a slow relay outlives the lease, another worker takes the rest of the window, and both send it.
    """
    mine = (
        update(Delivery)
        .where(Delivery.id.in_(delivery_ids), Delivery.state == State.SENDING, Delivery.claimed_by == worker)
        .values(lease_until=now + rules.LEASE)
        .returning(Delivery.id)
    )
    return set(session.scalars(mine))


def record(session: Session, delivery_id: int, reply: Reply, *, relay: str, subject: str, now: datetime) -> State:
    """Write down what the relay answered, and follow the arrow it means."""
    state = rules.outcome(reply)
    row = session.get(Delivery, delivery_id, populate_existing=True)
    if row is None:
        return state  # its reader's two records were merged meanwhile, and the other one had this email already
    session.add(
        Attempt(
            delivery_id=delivery_id,
            at=now,
            relay=relay,
            outcome=state,
            code=reply.code or None,
            enhanced=reply.enhanced,
            text=reply.text[:2000],
        )
    )
    values: dict[str, Any] = {"subject": subject, "attempts": row.attempts + 1, "claimed_by": None}
    values["first_tried_at"] = row.first_tried_at or now
    if state is State.ACCEPTED:
        values["accepted_at"] = now
    if state is State.DEFERRED:
        values["due_at"] = now + rules.try_again_after(row.attempts + 1, reply, random.random())
    _move(session, delivery_id, state, now, why=reply.text[:300] if state is not State.ACCEPTED else "", **values)
    if state is State.UNKNOWN:
        _repeat_if_urgent(session, delivery_id, row.lane, row.attempts + 1, now)
    if state is State.REJECTED:
        audience.close(session, row.subscriber_id, Status.BOUNCED, f"Their mail server said: {reply.text[:200]}", now)
    return state


def _repeat_if_urgent(session: Session, delivery_id: int, lane: int, attempts: int, now: datetime) -> None:
    if not rules.sent_again_by_itself(lane, attempts):
        return
    # The first repeat at once, because somebody waits for it; the next ones give the relay time to recover.
    due_at = now if attempts <= 1 else now + rules.try_again_after(attempts - 1, Reply(0), random.random())
    why, source = "Sent again: its answer was lost.", State.UNKNOWN
    _move(session, delivery_id, State.PLANNED, now, why=why, source=source, due_at=due_at)


def fail_template(session: Session, delivery_id: int, why: str, now: datetime) -> None:
    """The email could not be made for this reader: it waits, listed with the reason, until the template is mended."""
    row = session.get_one(Delivery, delivery_id, populate_existing=True)
    wait = rules.try_again_after(row.attempts + 1, Reply(0), random.random())
    values: dict[str, Any] = {"attempts": row.attempts + 1, "due_at": now + wait}
    values["first_tried_at"] = row.first_tried_at or now
    _move(session, delivery_id, State.DEFERRED, now, why=why, claimed_by=None, **values)


def give_back(session: Session, delivery_ids: list[int], worker: str, why: str, again_at: datetime) -> None:
    """Return those of a worker's emails whose bytes never left to the plan, to be tried `again_at`."""
    held = Delivery.state.in_([State.CLAIMED, State.SENDING]), Delivery.claimed_by == worker
    for delivery_id in session.scalars(select(Delivery.id).where(Delivery.id.in_(delivery_ids), *held)).all():
        _move(session, delivery_id, State.PLANNED, again_at, why=why, claimed_by=None, due_at=again_at)


def recover(session: Session, now: datetime) -> int:
    """Pick up what dead workers left: claims fall back, uncertain sendings become unknown, late ones expire."""
    over = select(Delivery.id, Delivery.state, Delivery.lane, Delivery.attempts).where(
        Delivery.state.in_([State.CLAIMED, State.SENDING]), Delivery.lease_until < now
    )
    handled, why = 0, "A worker stopped while sending."
    for delivery_id, state, lane, attempts in session.execute(over).all():
        if state == State.CLAIMED:
            handled += _move(session, delivery_id, State.PLANNED, now, source=State.CLAIMED, claimed_by=None)
        elif _move(session, delivery_id, State.UNKNOWN, now, why=why, claimed_by=None, attempts=attempts + 1):
            handled += 1
            _repeat_if_urgent(session, delivery_id, lane, attempts + 1, now)
    late = select(Delivery.id).where(
        Delivery.state == State.DEFERRED, Delivery.first_tried_at < now - rules.GIVE_UP_AFTER
    )
    for delivery_id in session.scalars(late).all():
        handled += _move(session, delivery_id, State.EXPIRED, now, why="Not accepted within 72 hours.")
    return handled


def cancel(session: Session, delivery_id: int, why: str, now: datetime) -> bool:
    """Do not send this email; False when it is too late for that."""
    return _move(session, delivery_id, State.CANCELED, now, why=why, claimed_by=None)


def cancel_all(session: Session, subscriber_id: int, why: str, now: datetime, *, but: Lane | None = None) -> None:
    """Cancel everything that waits for a person, except in lane `but`."""
    waiting = select(Delivery.id).where(
        Delivery.subscriber_id == subscriber_id, Delivery.state.in_([State.PLANNED, State.DEFERRED])
    )
    if but is not None:
        waiting = waiting.where(Delivery.lane != but)
    for delivery_id in session.scalars(waiting).all():
        cancel(session, delivery_id, why, now)


def send_now(session: Session, delivery_id: int, now: datetime) -> bool:
    """Let a waiting email go at once; False when it does not wait."""
    due = (
        update(Delivery)
        .where(Delivery.id == delivery_id, Delivery.state.in_([State.PLANNED, State.DEFERRED]))
        .values(due_at=now)
    )
    after_commit(session, wake)
    return bool(session.connection().execute(due).rowcount)


def send_again(session: Session, delivery_id: int, now: datetime) -> None:
    """The operator decides that an uncertain email is to be sent again; raises InputError when it is not uncertain."""
    # Only from unknown: pressed on an old page while a worker is sending, it would send the email twice.
    why, source = "Sent again by an operator.", State.UNKNOWN
    if not _move(session, delivery_id, State.PLANNED, now, why=why, source=source, due_at=now):
        raise InputError("This email is not uncertain any more.", remedy="Look at its newest state.")
    after_commit(session, wake)


def count_as_sent(session: Session, delivery_id: int, now: datetime) -> None:
    """The operator decides that an uncertain email arrived; raises InputError when it is not uncertain."""
    why, source = "Counted as sent by an operator.", State.UNKNOWN
    if not _move(session, delivery_id, State.ACCEPTED, now, why=why, source=source, accepted_at=now):
        raise InputError("This email is not uncertain any more.", remedy="Look at its newest state.")


def relay_stopped(session: Session, name: str, problem: str, now: datetime) -> None:
    """Note that a relay cannot be used, and when to ask it again."""
    row = session.get(Relay, name) or Relay(name=name, problem="", since=None)
    if not row.problem:
        row.since = now
    row.problem, row.retry_at = problem[:1000], now + RELAY_PAUSE
    session.add(row)


def relay_works(session: Session, name: str) -> None:
    """Note that a relay takes mail (again)."""
    row = session.get(Relay, name)
    if row is not None and row.problem:
        row.problem, row.since, row.retry_at = "", None, None


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
            waits = other.state in {State.PLANNED, State.DEFERRED}
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
    return claim(
        session,
        Trial,
        Trial.id,
        where=[Trial.due_at <= now],
        order_by=[Trial.id],
        limit=rules.TRIALS_AT_ONCE,
        values={"due_at": now + rules.LEASE},
    )


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
    row.due_at = now + RELAY_PAUSE if again else None
