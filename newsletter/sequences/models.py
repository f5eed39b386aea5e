"""Sequences, their steps, what lets people join, enrollments, and the versions a sequence has been through."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.database.base import Base
from newsletter.sequences.rules import EnrollmentState


def _only(rows: str) -> dict[str, Any]:
    """An index over some rows only, on either database."""
    return {"sqlite_where": text(rows), "postgresql_where": text(rows)}


_EMPTY, _NONE = text("'{}'"), text("'[]'")


class Sequence(Base):
    """A series of emails.

    `entry` ({}: everybody may join) and `goal` ({}: none) are conditions and `exits` are some, as in `conditions`;
    `version` counts structural edits.
    """

    __tablename__ = "sequences"

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(80), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    description: Mapped[str] = mapped_column(Text, default="")
    min_gap_hours: Mapped[int] = mapped_column(default=20)  # after an outage emails never bunch (semantics 3.3)
    created_at: Mapped[datetime]
    paused_at: Mapped[datetime | None]  # nothing of it is planned until it is resumed (semantics 3.15)
    # Whoever had everything waits for new steps (semantics 3.11).
    evergreen: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    reentry: Mapped[str] = mapped_column(String(10), default="never", server_default=text("'never'"))  # Reentry
    cooldown_days: Mapped[int] = mapped_column(default=0, server_default=text("0"))  # between two rounds
    entry: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=_EMPTY)
    goal: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=_EMPTY)
    exits: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list, server_default=_NONE)
    version: Mapped[int] = mapped_column(default=1, server_default=text("1"))
    # The studio's zone that its readers' steps were planned by, and how far they have been moved into a new one.
    planned_zone: Mapped[str] = mapped_column(String(64), default="", server_default=text("''"))
    replanned_through: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    crowd_until: Mapped[datetime | None]  # people from a file join one after another; the next one not before this


class Step(Base):
    """One step of a sequence; `key` is stable and never reused, so reordering cannot resend (semantics 3.1).

    `kind` says what it does and `config` with what: {"if": CONDITION, "then": KEY, "else": KEY}, {"add": TAGS,
    "remove": TAGS}, {"to": SLUG}; KEY is a later step's key, "" for the next one, "end" for the end.
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
    kind: Mapped[str] = mapped_column(String(10), default="email", server_default=text("'email'"))  # rules.Kind
    config: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=_EMPTY)


class Trigger(Base):
    """What lets people join a sequence by itself, as in `triggers.Opening`; `config` is that of a date.

    For a date trigger `through_id` is the last subscriber whose date was read by the studio's `zone`; `through_at` says
    since when nobody is left. Whatever changes later is told by itself.
    """

    __tablename__ = "triggers"

    id: Mapped[int] = mapped_column(primary_key=True)
    sequence_id: Mapped[int] = mapped_column(ForeignKey("sequences.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(10))  # form, magnet, tag or date
    what: Mapped[str] = mapped_column(String(120), default="any")
    config: Mapped[dict[str, Any]] = mapped_column(default=dict)
    enabled: Mapped[bool] = mapped_column(default=True)
    through_id: Mapped[int] = mapped_column(default=0)
    through_at: Mapped[datetime | None]
    zone: Mapped[str] = mapped_column(String(64), default="")
    created_at: Mapped[datetime]


class TriggerDate(Base):
    """When a date trigger lets one person join next: a tick costs those who are due, not all.

    `next_on` is that moment's day on the reader's calendar, `last_on` the day by which they joined last.
    """

    __tablename__ = "trigger_dates"

    trigger_id: Mapped[int] = mapped_column(ForeignKey("triggers.id", ondelete="CASCADE"), primary_key=True)
    subscriber_id: Mapped[int] = mapped_column(
        ForeignKey("subscribers.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    next_at: Mapped[datetime | None] = mapped_column(index=True)  # empty: over, or unreadable
    next_on: Mapped[date | None]
    last_on: Mapped[date | None]
    unreadable: Mapped[bool] = mapped_column(default=False)


class Enrollment(Base):
    """One reader's way through one sequence; `round` counts re-entries.

    While `held_at` is set nothing is due, whatever `next_due_at` says (semantics 3.15).
    """

    __tablename__ = "enrollments"
    __table_args__ = (
        UniqueConstraint("sequence_id", "subscriber_id", "round"),
        Index("ix_enrollments_due", "next_due_at", "id", **_only("state = 'active' AND held_at IS NULL")),
        Index("ix_enrollments_at_step", "sequence_id", "state", "next_step_id"),
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
    held_at: Mapped[datetime | None]
    held_why: Mapped[str] = mapped_column(String(120), default="", server_default=text("''"))
    # By how much pauses have moved this way (semantics 3.15): what counts from joining counts from later by that.
    shifted_minutes: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    # Steps to pass over: they had them before an edit moved them ahead (semantics 3.1).
    skips: Mapped[list[int]] = mapped_column(JSON, default=list, server_default=_NONE)


class SequenceVersion(Base):
    """One structural edit of a sequence: whose, in words, and the whole of it before and after (semantics 3.2)."""

    __tablename__ = "sequence_versions"
    __table_args__ = (UniqueConstraint("sequence_id", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    sequence_id: Mapped[int] = mapped_column(ForeignKey("sequences.id", ondelete="CASCADE"))
    version: Mapped[int]
    at: Mapped[datetime]
    operator_id: Mapped[int | None] = mapped_column(ForeignKey("operators.id", ondelete="SET NULL"))
    what: Mapped[str] = mapped_column(Text)
    before: Mapped[dict[str, Any]]
    after: Mapped[dict[str, Any]]
    undone_at: Mapped[datetime | None]


class SequenceMove(Base):
    """Where a reader stood before an edit moved them, and to which step; an undo puts them back there.

    Steps are never taken away, so nobody need look whether these are there: it was a quarter of what PostgreSQL does
    while an edit holds the readers it moves.
    """

    __tablename__ = "sequence_moves"

    version_id: Mapped[int] = mapped_column(ForeignKey("sequence_versions.id", ondelete="CASCADE"), primary_key=True)
    enrollment_id: Mapped[int] = mapped_column(
        ForeignKey("enrollments.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    state: Mapped[str] = mapped_column(String(10))
    step_id: Mapped[int | None]
    due_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    skips: Mapped[list[int]] = mapped_column(JSON, default=list)
    to_step_id: Mapped[int | None]


class PausedReader(Base):
    """A person whose series all stand still (semantics 3.15)."""

    __tablename__ = "paused_readers"

    subscriber_id: Mapped[int] = mapped_column(ForeignKey("subscribers.id", ondelete="CASCADE"), primary_key=True)
    since: Mapped[datetime]


class PauseWork(Base):
    """What is left to do of a pause's beginning or end: enrollments are held, or let go, in slices.

    Of one sequence, of one person, or (both empty) of all; `choice` is empty for holding, else a rules.Choice.
    """

    __tablename__ = "pause_work"

    id: Mapped[int] = mapped_column(primary_key=True)
    sequence_id: Mapped[int | None] = mapped_column(ForeignKey("sequences.id", ondelete="CASCADE"))
    subscriber_id: Mapped[int | None] = mapped_column(ForeignKey("subscribers.id", ondelete="CASCADE"))
    choice: Mapped[str] = mapped_column(String(10), default="")
    at: Mapped[datetime]  # when the operator pressed the button
    after_id: Mapped[int] = mapped_column(default=0)  # done up to this enrollment
