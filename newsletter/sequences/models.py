"""Sequences, their steps, and enrollments."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.database.base import Base
from newsletter.sequences.rules import EnrollmentState


class Sequence(Base):
    """A series of emails."""

    __tablename__ = "sequences"

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(80), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    description: Mapped[str] = mapped_column(Text, default="")
    min_gap_hours: Mapped[int] = mapped_column(default=20)  # after an outage emails never bunch (semantics 3.3)
    created_at: Mapped[datetime]


class Step(Base):
    """One email of a sequence; `key` is stable and never reused, so reordering cannot resend (semantics 3.1).

    The window is local time of day as HH:MM; empty means any time. `weekdays` is a mask, Monday = 1, Sunday = 64.
    """

    __tablename__ = "steps"
    __table_args__ = (UniqueConstraint("sequence_id", "key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    sequence_id: Mapped[int] = mapped_column(ForeignKey("sequences.id", ondelete="CASCADE"), index=True)
    key: Mapped[str] = mapped_column(String(80))
    position: Mapped[int]
    delay_amount: Mapped[int] = mapped_column(default=0)
    delay_unit: Mapped[str] = mapped_column(String(8), default="days")  # days (calendar) or hours (elapsed)
    delay_from: Mapped[str] = mapped_column(String(12), default="previous")  # previous or enrollment
    window_start: Mapped[str] = mapped_column(String(5), default="")
    window_end: Mapped[str] = mapped_column(String(5), default="")
    weekdays: Mapped[int] = mapped_column(default=127)
    source: Mapped[str] = mapped_column(Text)  # subject, preheader, Markdown and Jinja2; the timing is in the columns
    deleted_at: Mapped[datetime | None]


class Enrollment(Base):
    """One reader's way through one sequence; `round` counts re-entries."""

    __tablename__ = "enrollments"
    __table_args__ = (
        UniqueConstraint("sequence_id", "subscriber_id", "round"),
        Index("ix_enrollments_due", "state", "next_due_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    sequence_id: Mapped[int] = mapped_column(ForeignKey("sequences.id"))
    subscriber_id: Mapped[int] = mapped_column(ForeignKey("subscribers.id", ondelete="CASCADE"), index=True)
    round: Mapped[int] = mapped_column(default=1)
    state: Mapped[str] = mapped_column(String(10), default=EnrollmentState.ACTIVE)
    source: Mapped[str] = mapped_column(String(80), default="")  # form:1, import, operator
    enrolled_at: Mapped[datetime]
    waits_since: Mapped[datetime]  # from when a delay counts: joining, the last actual send, or a skipped step
    next_step_id: Mapped[int | None] = mapped_column(ForeignKey("steps.id"))
    next_due_at: Mapped[datetime | None]  # empty while the planned email is on its way
    last_step_id: Mapped[int | None] = mapped_column(ForeignKey("steps.id"))
    last_sent_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    ended_why: Mapped[str] = mapped_column(String(120), default="")
