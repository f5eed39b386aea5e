"""Broadcasts."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text
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
