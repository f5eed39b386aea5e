"""The ledger as an operator reads it: lists, words for reasons, one email's story."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from newsletter.audience.models import Subscriber
from newsletter.delivery.models import Attempt, Delivery, MailboxMessage
from newsletter.delivery.rules import Lane, State
from newsletter.errors import NotFound
from newsletter.web.paging import LIKE_ESCAPE, containing

KINDS = {
    "confirm": "Confirmation",
    "reminder": "Reminder",
    "magnet": "Gift",
    "step": "Series",
    "broadcast": "Email to many",
}
LANES: dict[int, str] = {Lane.TRANSACTIONAL: "At once", Lane.SEQUENCE: "Series", Lane.BULK: "To many"}

# What an enhanced status code says, by its last two numbers (RFC 3463 section 3 and RFC 7505); the first, 4 or 5,
# only says whether trying again may help.
MEANINGS = {
    "1.1": "This mailbox does not exist there.",
    "1.2": "Their domain is not known.",
    "1.6": "The mailbox has moved away.",
    "1.10": "Their domain says that it takes no email.",
    "2.1": "The mailbox is switched off.",
    "2.2": "The mailbox is full.",
    "2.3": "The email is too big for this mailbox.",
    "3.2": "Their mail server is not taking emails right now.",
    "4.1": "Their mail server did not answer.",
    "4.2": "The connection broke off.",
    "7.1": "Their rules refuse this email, most often as unwanted.",
    "7.23": "The check of the sender (SPF) failed; look at the domain's DNS.",
    "7.25": "The sending server's name and address do not match; its host can set the reverse DNS.",
    "7.26": "The checks of the sender (SPF, DKIM) failed; look at the domain's DNS.",
}


@dataclass(frozen=True)
class Moment:
    """One line of an email's story; `tone` is good, wait, care, bad or calm."""

    at: datetime
    title: str
    detail: str = ""
    raw: str = ""
    tone: str = "calm"


def listed(*, state: str, lane: str, kind: str, search: str, reason: str = "") -> Select[Delivery, str]:
    """Every email with its reader's address, the latest moment first; an empty filter lets all through."""
    found = select(Delivery, Subscriber.email).join(Subscriber, Subscriber.id == Delivery.subscriber_id)
    if state in set(State):
        found = found.where(Delivery.state == state)
    if lane.isdecimal() and int(lane) in set(Lane):
        found = found.where(Delivery.lane == int(lane))
    if kind in KINDS:
        found = found.where(Delivery.reason.startswith(f"{kind}:"))
    if reason:
        found = found.where(Delivery.reason == reason)
    if search:
        pattern = containing(search)
        found = found.where(
            Subscriber.email.ilike(pattern, escape=LIKE_ESCAPE) | Delivery.subject.ilike(pattern, escape=LIKE_ESCAPE)
        )
    return found.order_by(Delivery.due_at.desc(), Delivery.id.desc())


def find(session: Session, delivery_id: int) -> tuple[Delivery, Subscriber]:
    """One email and its reader; raises NotFound."""
    wanted = select(Delivery, Subscriber).join(Subscriber, Subscriber.id == Delivery.subscriber_id)
    row = session.execute(wanted.where(Delivery.id == delivery_id)).one_or_none()
    if row is None:
        raise NotFound("There is no such email in the outbox.", remedy="Look for it in the list.")
    return row


def in_mailbox(session: Session, message_id: str) -> int | None:
    """The built-in mailbox's id of an email, when it went there."""
    return session.scalar(select(MailboxMessage.id).where(MailboxMessage.message_id == message_id))


def plain_reason(reason: str) -> str:
    """Why an email is sent, as far as the reason itself tells; rooms know more through `reason_words`."""
    kind, _, rest = reason.partition(":")
    parts = rest.split(":")
    if kind == "confirm":
        return "Confirmation of a sign-up"
    if kind == "reminder":
        return "Reminder to confirm"
    if kind == "magnet":
        return f"Gift no. {parts[0]}"
    if kind == "step":
        return f"Series, step no. {parts[0]}"
    if kind == "broadcast":
        return f"Email to many, no. {parts[0]}"
    return reason


def meaning(enhanced: str) -> str:
    """What a relay's enhanced status code means for the reader; empty when it says nothing more."""
    return MEANINGS.get(enhanced.partition(".")[2], "")


def story(row: Delivery, attempts: Sequence[Attempt]) -> list[Moment]:
    """What happened to an email, oldest first, and what happens next."""
    moments = [Moment(row.planned_at, "Planned")]
    moments += [_tried(attempt) for attempt in attempts]
    answered = {attempt.outcome for attempt in attempts}
    if row.ended_at is not None and row.state not in answered:
        moments.append(_ended(row, row.ended_at))
    if row.state == State.UNKNOWN and State.UNKNOWN not in answered:
        at = row.lease_until or row.due_at
        moments.append(Moment(at, "The answer was lost", row.state_why, tone="care"))
    if row.state == State.PLANNED:
        moments.append(Moment(row.due_at, "Goes out", row.state_why, tone="wait"))
    if row.state == State.DEFERRED:
        moments.append(Moment(row.due_at, "Is tried again", "" if attempts else row.state_why, tone="wait"))
    return moments


def _tried(attempt: Attempt) -> Moment:
    titles = {
        State.ACCEPTED: ("Accepted by the mail server", "good"),
        State.DEFERRED: ("Not now, said the mail server", "care"),
        State.REJECTED: ("Refused by the mail server", "bad"),
        State.UNKNOWN: ("The answer was lost", "care"),
    }
    title, tone = titles[State(attempt.outcome)]
    enhanced = "" if attempt.text.startswith(attempt.enhanced) else attempt.enhanced  # most relays begin with it
    raw = " ".join(str(part) for part in (attempt.code, enhanced, attempt.text) if part)
    return Moment(attempt.at, title, meaning(attempt.enhanced), f"{attempt.relay}: {raw}" if raw else "", tone)


def _ended(row: Delivery, at: datetime) -> Moment:
    titles = {
        State.ACCEPTED: ("Counted as sent", "good"),
        State.CANCELED: ("Canceled", "calm"),
        State.EXPIRED: ("Given up", "bad"),
        State.REJECTED: ("Refused", "bad"),
    }
    title, tone = titles[State(row.state)]
    return Moment(at, title, row.state_why, tone=tone)
