"""Broadcasts."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.broadcasts.rules import BroadcastState
from newsletter.database.base import Base


class Broadcast(Base):
    """An email to an audience: `all`, `tag:NAME` or `person:ID`, due at `send_at` (empty: as soon as it is queued)."""

    __tablename__ = "broadcasts"

    id: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(Text)  # front matter (subject, preheader), Markdown and Jinja2
    subject: Mapped[str] = mapped_column(String(300))  # from the source, for lists and search
    audience: Mapped[str] = mapped_column(String(120), default="all")
    state: Mapped[str] = mapped_column(String(10), default=BroadcastState.DRAFT, index=True)
    problem: Mapped[str] = mapped_column(Text, default="")  # why it could not start, in words
    send_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    created_by: Mapped[int | None] = mapped_column(ForeignKey("operators.id", ondelete="SET NULL"))

    # Its readers are those with an id up to `through_id` who had confirmed by `started_at`: who joins later is not
    # added (semantics 2.12), wherever the slices below stand. Both are set when it starts.
    through_id: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    proved_to: Mapped[int] = mapped_column(default=0, server_default=text("0"))  # made once up to this subscriber id
    proved: Mapped[int] = mapped_column(default=0, server_default=text("0"))  # how many that were,
    unmakeable: Mapped[int] = mapped_column(default=0, server_default=text("0"))  # and for how many it cannot be made
    lease_until: Mapped[datetime | None]  # one worker proves a slice until then
    planned_to: Mapped[int] = mapped_column(default=0, server_default=text("0"))  # in the ledger up to this id

    paused_at: Mapped[datetime | None]
    paused_why: Mapped[str] = mapped_column(Text, default="", server_default=text("''"))  # in words
    # The answers so far when it was resumed last: the 5% are of those that came after (semantics 2.10).
    accepted_before: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    refused_before: Mapped[int] = mapped_column(default=0, server_default=text("0"))

    rate: Mapped[float] = mapped_column(default=0.0, server_default=text("0"))  # emails a minute, smoothed,
    rate_done: Mapped[int] = mapped_column(default=0, server_default=text("0"))  # with so many done
    rate_at: Mapped[datetime | None]  # at this moment
    finished_at: Mapped[datetime | None]  # nothing is open; of a canceled one, that nothing waits any more


class Unmakeable(Base):
    """A reader for whom the proof run could not make a broadcast, and why; gone when their row is in the ledger.

    A table and not a list in memory: with a broken field in every second row of an import these are half a million.
    """

    __tablename__ = "broadcast_unmakeable"

    broadcast_id: Mapped[int] = mapped_column(ForeignKey("broadcasts.id", ondelete="CASCADE"), primary_key=True)
    subscriber_id: Mapped[int] = mapped_column(ForeignKey("subscribers.id", ondelete="CASCADE"), primary_key=True)
    why: Mapped[str] = mapped_column(Text)
