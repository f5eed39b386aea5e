"""Reads of the ledger."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from flask import url_for
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from newsletter.audience.history import HistoryLine
from newsletter.audience.models import Subscriber
from newsletter.delivery.dkim import Signer, from_pem
from newsletter.delivery.models import Attempt, Delivery, DkimKey, Hold, Relay, Tally, Trial, in_state
from newsletter.delivery.rules import OVERDUE, PARKED, STATE_WORDS, State
from newsletter.tracking.models import Click
from newsletter.work.claims import among


def times_planned(session: Session, subscriber_id: int, reason: str) -> list[datetime]:
    """When emails of `reason` (itself, or followed by a colon and more) were planned for a person, oldest first."""
    found = select(Delivery.planned_at).where(
        Delivery.subscriber_id == subscriber_id,
        (Delivery.reason == reason) | Delivery.reason.startswith(f"{reason}:", autoescape=True),
    )
    return list(session.scalars(found.order_by(Delivery.planned_at)))


def attempts(session: Session, delivery_id: int) -> Sequence[Attempt]:
    """Every try to hand an email over, oldest first."""
    return session.scalars(select(Attempt).where(Attempt.delivery_id == delivery_id).order_by(Attempt.id)).all()


def counts(session: Session, reason: str = "") -> dict[str, int]:
    """How many emails are in each state; only those of one reason where it is given."""
    found = select(Delivery.state, func.count()).group_by(Delivery.state)
    if reason:
        found = found.where(Delivery.reason == reason)
    return dict(session.execute(found).all())


def progress(session: Session, batch: str) -> dict[State, int]:
    """How many emails of a batch (`broadcast:12`, `lane:1`) are in each state; empty for one from before tallies."""
    found = session.execute(select(Tally.state, Tally.count).where(Tally.batch == batch))
    return {State(state): count for state, count in found}


def holds(session: Session) -> Sequence[Hold]:
    """What is not to be sent for now, and why."""
    return session.scalars(select(Hold).where(Hold.over.is_(False)).order_by(Hold.since)).all()


def not_begun(session: Session, reasons: Mapping[int, str]) -> dict[int, tuple[int, datetime]]:
    """Emails that are not being sent yet, of these reasons by their keys: each one's id, and when it was due.

    Without those that are too late to go unasked: about them only an operator decides (semantics 3.16).
    """
    found = select(Delivery.id, Delivery.reason, Delivery.due_at, Delivery.moved_from).where(
        in_state(State.PLANNED, State.DEFERRED, State.CLAIMED),
        Delivery.reason.in_(list(reasons.values())),
        Delivery.due_at != OVERDUE,
    )
    rows = {
        row.reason: (row.id, row.due_at if row.due_at < PARKED else row.moved_from or row.due_at)
        for row in session.execute(found)
    }
    return {key: rows[reason] for key, reason in reasons.items() if reason in rows}


def relay_problems(session: Session) -> Sequence[Relay]:
    """The mail servers that cannot be used right now, and why."""
    # One that took an email again is on trial, not a problem any more.
    return session.scalars(select(Relay).where(Relay.problem != "", Relay.enabled, Relay.proven == 0)).all()


def trial_problem(session: Session, recipient: str) -> str:
    """Why the last test email to an operator has not gone out; empty when it has."""
    found = select(Trial.problem).where(Trial.recipient == recipient).order_by(Trial.id.desc()).limit(1)
    return session.scalar(found) or ""


def signers(session: Session, domain: str) -> tuple[Signer, ...]:
    """The keys that emails from `domain` are signed with, as the operator publishes them."""
    found = select(DkimKey).where(DkimKey.domain == domain).order_by(DkimKey.selector)
    return tuple(_signer(row.domain, row.selector, row.pem) for row in session.scalars(found))


@lru_cache(maxsize=8)
def _signer(domain: str, selector: str, pem: str) -> Signer:
    return Signer(domain, selector, from_pem(pem))


def rows(state: str = "") -> Select[Delivery, str]:
    """Every delivery with its reader's address, oldest first, for `flask ledger`."""
    found = select(Delivery, Subscriber.email).join(Subscriber, Subscriber.id == Delivery.subscriber_id)
    if state:
        found = found.where(Delivery.state == state)
    return found.order_by(Delivery.id)


def reasons_clicked(session: Session, subscriber_ids: Collection[int], prefix: str) -> list[str]:
    """The reasons, of those that begin so, of the emails in which these people themselves pressed a link."""
    found = (
        select(Delivery.reason)
        .join(Click, Click.delivery_id == Delivery.id)
        .where(among(session, Click.subscriber_id, subscriber_ids), ~Click.robot)
        .where(Delivery.reason.startswith(prefix, autoescape=True))
    )
    return list(session.scalars(found.distinct()))


def _of(session: Session, subscriber_id: int) -> Sequence[Delivery]:
    return session.scalars(select(Delivery).where(Delivery.subscriber_id == subscriber_id)).all()


def history(session: Session, subscriber_id: int) -> list[HistoryLine]:
    """The emails a person got or will get."""
    return [
        HistoryLine(
            row.accepted_at or row.ended_at or row.due_at,
            "email",
            f"Email “{row.subject or row.reason}”: {STATE_WORDS[State(row.state)]}",
            url_for("ledger.show", delivery_id=row.id),
        )
        for row in _of(session, subscriber_id)
    ]


def held(session: Session, subscriber_id: int) -> dict[str, Any]:
    """What the ledger holds about a person."""
    return {
        "emails": [
            {
                "subject": row.subject,
                "why": row.reason,
                "state": row.state,
                "due_at": row.due_at,
                "sent": row.accepted_at,
            }
            for row in _of(session, subscriber_id)
        ]
    }
