"""Operators, the studio and the audit log."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.database.base import Base


class Operator(Base):
    """A person who may use the back office.

    `session_key` stands in every session cookie of theirs; changing it (as a password change does) ends them all.
    """

    __tablename__ = "operators"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    name: Mapped[str] = mapped_column(String(120), default="")
    password_hash: Mapped[str] = mapped_column(String(255))
    session_key: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    signed_in_at: Mapped[datetime | None]


class Studio(Base):
    """The one account of this installation: how it presents itself, and its rules. The row with id 1."""

    __tablename__ = "studio"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(120), default="Your Studio")
    sender_name: Mapped[str] = mapped_column(String(120), default="")  # empty: the name in MAIL_FROM
    postal_address: Mapped[str] = mapped_column(Text, default="")  # empty: POSTAL_ADDRESS
    signature: Mapped[str] = mapped_column(Text, default="")
    accent: Mapped[str] = mapped_column(String(7), default="#A84A27")
    logo_hash: Mapped[str | None] = mapped_column(String(32))
    video_url: Mapped[str] = mapped_column(String(500), default="")
    timezone: Mapped[str] = mapped_column(String(64), default="UTC")
    download_days: Mapped[int] = mapped_column(default=365)
    purge_days: Mapped[int] = mapped_column(default=30)  # unconfirmed people are forgotten after this many
    reminder: Mapped[bool] = mapped_column(default=True)  # one reminder to confirm after 24 h
    embed_images: Mapped[bool] = mapped_column(default=False)  # pictures inside emails (cid) instead of linked
    track_clicks: Mapped[bool] = mapped_column(default=True, server_default=text("true"))  # links lead through /c/
    # At most one marketing email per reader and local day (semantics 3.17), and which goes first when two meet.
    one_a_day: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    first: Mapped[str] = mapped_column(String(10), default="series", server_default=text("'series'"))  # or broadcast
    overdue_hours: Mapped[int] = mapped_column(default=48, server_default=text("48"))  # later is held (semantics 3.16)
    series_paused_at: Mapped[datetime | None]  # every series stands still (semantics 3.15)
    setup_at: Mapped[datetime | None]  # when the first operator was made; from then on the setup link is void


class AuditEntry(Base):
    """Something an operator did, kept for good; `subject` names a thing by kind and id, never by address."""

    __tablename__ = "audit_entries"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    operator_id: Mapped[int | None] = mapped_column(ForeignKey("operators.id", ondelete="SET NULL"))
    action: Mapped[str] = mapped_column(String(80))
    subject: Mapped[str] = mapped_column(String(120), default="")
    detail: Mapped[dict[str, Any]]
