"""The ledger: one row per (reason, subscriber), and every attempt to send it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.database.base import Base
from newsletter.delivery.rules import State


def _only(*states: State) -> dict[str, Any]:
    """An index over the rows in these states, on either database."""
    rows = text("state IN ({})".format(", ".join(f"'{state}'" for state in states)))
    return {"sqlite_where": rows, "postgresql_where": rows}


class Delivery(Base):
    """One email to one person for one reason; the unique pair is what makes every plan idempotent.

    `reason` names why, as `broadcast:12`, `step:45:enrollment:9`, `magnet:3`, `confirm:17`.
    """

    __tablename__ = "deliveries"
    # Partial indexes hold only what waits or is under way, so claiming stays as quick with a million emails behind us;
    # the ones behind us would otherwise be most of each index.
    __table_args__ = (
        UniqueConstraint("reason", "subscriber_id"),
        Index("ix_deliveries_waiting", "lane", "due_at", "id", **_only(State.PLANNED, State.DEFERRED)),
        Index("ix_deliveries_leased", "lease_until", **_only(State.CLAIMED, State.SENDING)),
        Index("ix_deliveries_tried", "first_tried_at", **_only(State.DEFERRED)),
        Index("ix_deliveries_refused", "ended_at", **_only(State.REJECTED)),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    reason: Mapped[str] = mapped_column(String(120))
    subscriber_id: Mapped[int] = mapped_column(ForeignKey("subscribers.id"), index=True)
    lane: Mapped[int]
    state: Mapped[str] = mapped_column(String(12), default=State.PLANNED)
    state_why: Mapped[str] = mapped_column(Text, default="")  # in words for the operator
    due_at: Mapped[datetime]
    planned_at: Mapped[datetime]
    message_id: Mapped[str] = mapped_column(String(120))  # unique by its making: of the reason and the subscriber's id
    subject: Mapped[str] = mapped_column(String(300), default="")  # as sent
    attempts: Mapped[int] = mapped_column(default=0)
    claimed_by: Mapped[str | None] = mapped_column(String(120))
    lease_until: Mapped[datetime | None]
    first_tried_at: Mapped[datetime | None]
    accepted_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]  # when it reached a state that does not change


class Attempt(Base):
    """One try to hand an email over, and what the relay answered."""

    __tablename__ = "delivery_attempts"

    id: Mapped[int] = mapped_column(primary_key=True)
    delivery_id: Mapped[int] = mapped_column(ForeignKey("deliveries.id", ondelete="CASCADE"), index=True)
    at: Mapped[datetime]
    relay: Mapped[str] = mapped_column(String(200))
    outcome: Mapped[str] = mapped_column(String(12))
    code: Mapped[int | None]
    enhanced: Mapped[str] = mapped_column(String(12), default="")  # RFC 3463
    text: Mapped[str] = mapped_column(Text, default="")


class Event(Base):
    """What became of an email after it was handed over, and what an operator decided about it; never a work state."""

    __tablename__ = "delivery_events"

    id: Mapped[int] = mapped_column(primary_key=True)
    delivery_id: Mapped[int] = mapped_column(ForeignKey("deliveries.id", ondelete="CASCADE"), index=True)
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(16))  # rules.EventKind
    detail: Mapped[str] = mapped_column(Text, default="")


class Tally(Base):
    """How many emails of one broadcast, or of one lane beside the broadcasts, are in each state.

    `batch` is a bulk reason, as `broadcast:12`, or `lane:0`, `lane:1`. Written in the transaction that moves the rows:
    counting a million rows for each look at a progress bar, or for each test of the 5% rule, takes a second.
    """

    __tablename__ = "delivery_tallies"

    batch: Mapped[str] = mapped_column(String(120), primary_key=True)
    state: Mapped[str] = mapped_column(String(12), primary_key=True)
    count: Mapped[int] = mapped_column(default=0)


class Hold(Base):
    """What is not to be sent for now: a bulk reason, as `broadcast:12`, or a whole lane, as `lane:1`."""

    __tablename__ = "delivery_holds"

    what: Mapped[str] = mapped_column(String(120), primary_key=True)
    why: Mapped[str] = mapped_column(Text)  # in words for the operator
    since: Mapped[datetime]


class Relay(Base):
    """How the mail server we hand over to is doing; `problem` is empty while all is well."""

    __tablename__ = "relays"

    name: Mapped[str] = mapped_column(String(200), primary_key=True)
    problem: Mapped[str] = mapped_column(Text, default="")
    since: Mapped[datetime | None]  # when the problem began
    retry_at: Mapped[datetime | None]  # nothing is sent before this


class DkimKey(Base):
    """A private key that emails from `domain` are signed with; made here, its public half goes into the DNS."""

    __tablename__ = "dkim_keys"
    __table_args__ = (UniqueConstraint("domain", "selector"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    domain: Mapped[str] = mapped_column(String(254))
    selector: Mapped[str] = mapped_column(String(63))
    pem: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]


class MailboxMessage(Base):
    """An email in the built-in mailbox, which stands in for a mail server until SMTP_URL is set."""

    __tablename__ = "mailbox_messages"

    id: Mapped[int] = mapped_column(primary_key=True)
    message_id: Mapped[str] = mapped_column(String(120), unique=True)
    received_at: Mapped[datetime] = mapped_column(index=True)
    recipient: Mapped[str] = mapped_column(String(254), index=True)
    subject: Mapped[str] = mapped_column(String(300))
    content: Mapped[bytes]


class Trial(Base):
    """A test email on its way to an operator: beside the ledger, so that tests never count as sent (semantics 2.14).

    Gone once it was accepted; `problem` says in words why it was not.
    """

    __tablename__ = "trials"

    id: Mapped[int] = mapped_column(primary_key=True)
    recipient: Mapped[str] = mapped_column(String(254), index=True)
    message_id: Mapped[str] = mapped_column(String(120), unique=True)
    content: Mapped[bytes]
    asked_at: Mapped[datetime]
    due_at: Mapped[datetime | None]  # empty: not tried any more
    tries: Mapped[int] = mapped_column(default=0)
    problem: Mapped[str] = mapped_column(Text, default="")
