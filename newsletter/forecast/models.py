"""What the calendar keeps: the days ahead as they were worked out last, and the links of calendar feeds."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.database.base import Base


class Outlook(Base):
    """The days ahead of everybody, worked out in slices of readers; nothing but a copy, which may be thrown away.

    A hundred thousand readers take longer than a request may, so each look does a second's worth and goes on from
    `after`. Readers are independent of each other, which is what makes the slices add up to the whole.
    """

    __tablename__ = "outlooks"

    id: Mapped[int] = mapped_column(primary_key=True)
    mark: Mapped[str] = mapped_column(String(64), index=True)  # what an operator set, as a hash: when it changes, anew
    data_mark: Mapped[str] = mapped_column(String(64))  # whether anybody joined or got anything since
    begun_at: Mapped[datetime]  # the moment it looks ahead from
    until: Mapped[datetime]
    after: Mapped[int] = mapped_column(default=0)  # all readers up to this id are in it
    seconds: Mapped[float] = mapped_column(default=0.0)  # of work so far
    done_at: Mapped[datetime | None]


class OutlookPart(Base):
    """One email on one day for some readers: what one slice added to an outlook.

    `item` is `step:45` or `broadcast:12`; `who` is packed by `calendar.pack`: minutes, readers and who was moved.
    """

    __tablename__ = "outlook_parts"
    __table_args__ = (Index("ix_outlook_parts_day", "outlook_id", "day", "item"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    outlook_id: Mapped[int] = mapped_column(ForeignKey("outlooks.id", ondelete="CASCADE"))
    day: Mapped[date]  # in the studio's zone
    item: Mapped[str] = mapped_column(String(40))
    people: Mapped[int]
    moved: Mapped[int]
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]
    who: Mapped[bytes] = mapped_column(LargeBinary)


class SentDay(Base):
    """How many got one email on a day that is over, where counting that took a while: a million rows take a second.

    `item` is as in OutlookPart, or empty with nobody in it: that was counted, at `first_at`, and these are all emails.
    """

    __tablename__ = "sent_days"

    day: Mapped[date] = mapped_column(primary_key=True)
    # Whose day it is, and what of it (outlooks.part_of): `Asia/Tokyo`, `Asia/Tokyo hour 7`, `Asia/Tokyo hour 7 tag 3`.
    part: Mapped[str] = mapped_column(String(64), primary_key=True)
    item: Mapped[str] = mapped_column(String(40), primary_key=True)
    people: Mapped[int]
    moved: Mapped[int]
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]


class Feed(Base):
    """A secret link under which a calendar program reads what goes out; revoked, it never works again.

    Its row stays, because the id is what the link's token says: a row made later must not wake an old link.
    """

    __tablename__ = "calendar_feeds"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80))  # for whom or what, in the operator's words
    created_at: Mapped[datetime]
    created_by: Mapped[int | None] = mapped_column(ForeignKey("operators.id", ondelete="SET NULL"))
    revoked_at: Mapped[datetime | None]
    read_at: Mapped[datetime | None]  # when a program fetched it last
