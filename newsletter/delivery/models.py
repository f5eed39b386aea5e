"""The ledger: one row per (reason, subscriber), and every attempt to send it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, TextClause, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.database.base import Base
from newsletter.delivery.rules import Lane, State


def in_state(*states: State) -> TextClause:
    """The rows in these states, written out: with bound values neither database sees that a partial index fits."""
    if len(states) <= 2:
        return text("deliveries.state IN ({})".format(", ".join(f"'{state}'" for state in states)))
    # By the states that they are not in: a list of three and more SQLite keeps as a table, which costs each row that
    # is planned or moves on almost as much as the row itself, for an index that it is not even in.
    others = [state for state in State if state not in states]
    return text("({})".format(" AND ".join(f"deliveries.state <> '{state}'" for state in others)))


def _only(*states: State) -> dict[str, Any]:
    """An index over the rows in these states, on either database."""
    return _where(in_state(*states))


def _where(which: TextClause) -> dict[str, Any]:
    rows = text(which.text.replace("deliveries.", ""))
    return {"sqlite_where": rows, "postgresql_where": rows}


# What an operator looks through by state, the latest first.
ENDED_OR_UNKNOWN = (State.ACCEPTED, State.REJECTED, State.CANCELED, State.EXPIRED, State.UNKNOWN)
# Emails of a series that have ended, which their reader's way through it does not know yet.
_ENDED = in_state(State.ACCEPTED, State.REJECTED, State.CANCELED, State.EXPIRED).text
UNSETTLED = text(f"deliveries.lane = {Lane.SEQUENCE.value} AND NOT deliveries.settled AND {_ENDED}")


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
        # One person's emails: the few that have not left, and those that left lately (semantics 3.17).
        Index("ix_deliveries_reader", "subscriber_id", "accepted_at"),
        Index("ix_deliveries_tried", "first_tried_at", **_only(State.DEFERRED)),
        Index("ix_deliveries_unsettled", "id", **_where(UNSETTLED)),
        Index("ix_deliveries_past", "state", "ended_at", "id", **_only(*ENDED_OR_UNKNOWN)),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    reason: Mapped[str] = mapped_column(String(120))
    # No foreign key: a reader's row is never deleted (an erased one is emptied), and to check it for each row planned
    # costs SQLite a third of the row itself, and PostgreSQL twice the row, with a lock written into each reader's row.
    subscriber_id: Mapped[int]
    lane: Mapped[int]
    state: Mapped[str] = mapped_column(String(12), default=State.PLANNED)
    state_why: Mapped[str] = mapped_column(Text, default="")  # in words for the operator
    due_at: Mapped[datetime]
    moved_from: Mapped[datetime | None]  # when it was due first, if it was moved to another day or held
    planned_at: Mapped[datetime]
    message_id: Mapped[str] = mapped_column(String(120))  # unique by its making: of the reason and the subscriber's id
    subject: Mapped[str] = mapped_column(String(300), default="")  # as sent
    attempts: Mapped[int] = mapped_column(default=0)
    claimed_by: Mapped[str | None] = mapped_column(String(120))
    claimed_from: Mapped[str | None] = mapped_column(
        String(12)
    )  # the state it was claimed in, so that tallies are exact
    lease_until: Mapped[datetime | None]
    first_tried_at: Mapped[datetime | None]
    accepted_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]  # when it reached a state that does not change
    # Whether the reader's way through their series knows how it ended; nobody asks that of other emails.
    settled: Mapped[bool] = mapped_column(default=False, server_default=text("false"))


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

    `batch` is a bulk reason, as `broadcast:12`, or `lane:0`, `lane:1`; `relay:NAME` counts answers, by outcome.
    Written in the transaction that moves the rows:
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
    over: Mapped[bool] = mapped_column(default=False)  # let go; gone when all that was parked is back


class Relay(Base):
    """A mail server that emails are handed over to: how to reach it, what it may be given, and how it is doing.

    The one that SMTP_URL names has a row for its budgets and health only; how to reach it stays in the environment.
    """

    # Not "relays": the released table of that name knew only a server's health and is dropped, as no more than state.
    __tablename__ = "mail_relays"
    __table_args__ = (UniqueConstraint("source", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200))  # as attempts and screens name it: host:port, or what it is called
    source: Mapped[str] = mapped_column(String(12))  # relay_rules.Source
    host: Mapped[str] = mapped_column(String(253))
    port: Mapped[int]
    username: Mapped[str] = mapped_column(String(320), default="")
    password: Mapped[str] = mapped_column(Text, default="")  # sealed with a key made of SECRET_KEY
    security: Mapped[str] = mapped_column(String(12), default="auto")  # relay_rules.Security
    created_at: Mapped[datetime]

    enabled: Mapped[bool] = mapped_column(default=True)
    priority: Mapped[int] = mapped_column(default=1)  # the lower number first; equal ones share the load
    at_once: Mapped[bool] = mapped_column(default=True)  # takes confirmations and gifts
    series: Mapped[bool] = mapped_column(default=True)
    to_many: Mapped[bool] = mapped_column(default=True)

    rate: Mapped[float | None]  # emails per second; empty: no limit
    connections: Mapped[int] = mapped_column(default=16)  # a relay that wants fewer says so, and keeps some
    daily_cap: Mapped[int | None]  # emails per UTC day
    share: Mapped[int | None]  # percent of the rate that one recipient domain may have; empty: all
    warmup_name: Mapped[str] = mapped_column(String(12), default="")  # relay_rules.WARMUPS
    warmup_start: Mapped[date | None]
    warmup_plan: Mapped[list[int]] = mapped_column(JSON, default=list)  # emails on the first UTC day, the second, ...

    next_at: Mapped[datetime | None]  # the rate's pointer (virtual scheduling): what was granted is spent up to here
    drawn_at: Mapped[datetime | None]  # the moment of the last draw, as its worker's clock had it
    slowness: Mapped[int] = mapped_column(default=0)  # how often its rate was halved
    slowed_at: Mapped[datetime | None]

    problem: Mapped[str] = mapped_column(Text, default="")  # why it is not to be used; empty while all is well
    since: Mapped[datetime | None]  # when the problem began
    retry_at: Mapped[datetime | None]  # nothing is sent before this
    failures: Mapped[int] = mapped_column(default=0)  # in a row: each doubles the rest
    proven: Mapped[int] = mapped_column(default=0)  # accepted on trial, after the rest
    probe_until: Mapped[datetime | None]  # one worker tries it till then; the others wait for what comes of it
    mended_at: Mapped[datetime | None]


class RelayDay(Base):
    """What a relay was given on one UTC day: `drawn` counts against its cap, `accepted` is what it took."""

    __tablename__ = "relay_days"

    relay_id: Mapped[int] = mapped_column(ForeignKey("mail_relays.id", ondelete="CASCADE"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    drawn: Mapped[int] = mapped_column(default=0)
    accepted: Mapped[int] = mapped_column(default=0)


class RelayDomain(Base):
    """How fast one recipient domain is served through a relay; there is a row only once that had to be asked."""

    __tablename__ = "relay_domains"

    relay_id: Mapped[int] = mapped_column(ForeignKey("mail_relays.id", ondelete="CASCADE"), primary_key=True)
    domain: Mapped[str] = mapped_column(String(254), primary_key=True)
    next_at: Mapped[datetime | None]  # the pointer of what goes, as Relay.next_at
    tail_at: Mapped[datetime | None]  # the last moment given to an email that has to wait
    slowness: Mapped[int] = mapped_column(default=0)
    slowed_at: Mapped[datetime | None]


class RelaySlot(Base):
    """The connections that a worker holds to a relay, until its lease ends."""

    __tablename__ = "relay_slots"

    relay_id: Mapped[int] = mapped_column(ForeignKey("mail_relays.id", ondelete="CASCADE"), primary_key=True)
    worker: Mapped[str] = mapped_column(String(120), primary_key=True)
    held: Mapped[int] = mapped_column(default=0)  # counts against the relay's connections
    told: Mapped[int] = mapped_column(default=0)  # what the worker was told last; fewer than held till it has let go
    lease_until: Mapped[datetime]


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
