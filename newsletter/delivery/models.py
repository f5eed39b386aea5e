"""The ledger: one row per (reason, subscriber), and every attempt to send it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.database.base import Base
from newsletter.delivery.rules import State


class Delivery(Base):
    """One email to one person for one reason; the unique pair is what makes every plan idempotent.

    `reason` names why, as `broadcast:12`, `step:45:enrollment:9`, `magnet:3`, `confirm:17`.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("reason", "subscriber_id"),
        Index("ix_deliveries_due", "state", "lane", "due_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    reason: Mapped[str] = mapped_column(String(120))
    subscriber_id: Mapped[int] = mapped_column(ForeignKey("subscribers.id"), index=True)
    lane: Mapped[int]
    state: Mapped[str] = mapped_column(String(12), default=State.PLANNED)
    state_why: Mapped[str] = mapped_column(Text, default="")  # in words for the operator
    due_at: Mapped[datetime]
    planned_at: Mapped[datetime]
    message_id: Mapped[str] = mapped_column(String(120), unique=True)
    subject: Mapped[str] = mapped_column(String(300), default="")  # as sent
    attempts: Mapped[int] = mapped_column(default=0)
    claimed_by: Mapped[str | None] = mapped_column(String(120))
    lease_until: Mapped[datetime | None]
    first_tried_at: Mapped[datetime | None]
    accepted_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None] = mapped_column(index=True)  # when it reached a state that does not change


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
