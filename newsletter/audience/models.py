"""Subscribers and what is known of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from newsletter.audience.rules import Status
from newsletter.database.base import Base


class Subscriber(Base):
    """A reader; `email_key` is the address as it is compared.

    `marketing` says whether they agreed to follow-ups and broadcasts; deliver-only people have it off.
    """

    __tablename__ = "subscribers"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(254))
    email_key: Mapped[str] = mapped_column(String(254), unique=True)
    first_name: Mapped[str] = mapped_column(String(120), default="")
    last_name: Mapped[str] = mapped_column(String(120), default="")
    timezone: Mapped[str] = mapped_column(String(64), default="")  # empty: the studio's
    fields: Mapped[dict[str, Any]] = mapped_column(default=dict)
    status: Mapped[str] = mapped_column(String(20), default=Status.PENDING, index=True)
    marketing: Mapped[bool] = mapped_column(default=False)
    source: Mapped[str] = mapped_column(String(120), default="")
    created_at: Mapped[datetime] = mapped_column(index=True)
    confirmed_at: Mapped[datetime | None]
    unsubscribed_at: Mapped[datetime | None]

    tags: Mapped[list[Tag]] = relationship(secondary="subscriber_tags", order_by="Tag.name", viewonly=True)


class Consent(Base):
    """What a person agreed to, when, where and in which words (semantics 1.8); kept after unsubscribing."""

    __tablename__ = "consents"

    id: Mapped[int] = mapped_column(primary_key=True)
    subscriber_id: Mapped[int] = mapped_column(ForeignKey("subscribers.id", ondelete="CASCADE"), index=True)
    form_id: Mapped[int | None] = mapped_column(index=True)  # a signup form; that room is further up, so no foreign key
    email: Mapped[str] = mapped_column(String(254))
    marketing: Mapped[bool]  # False: "send me the PDF" without the box for follow-ups
    wording: Mapped[str] = mapped_column(Text)
    wording_version: Mapped[str] = mapped_column(String(32))
    page_url: Mapped[str] = mapped_column(String(500))
    ip: Mapped[str] = mapped_column(String(45))
    user_agent: Mapped[str] = mapped_column(String(400))
    requested_at: Mapped[datetime] = mapped_column(index=True)
    confirmation_sent_at: Mapped[datetime | None]
    confirmed_at: Mapped[datetime | None]
    withdrawn_at: Mapped[datetime | None]


class Tag(Base):
    """A label on subscribers."""

    __tablename__ = "tags"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)


class SubscriberTag(Base):
    """That a subscriber has a tag, and since when."""

    __tablename__ = "subscriber_tags"

    subscriber_id: Mapped[int] = mapped_column(ForeignKey("subscribers.id", ondelete="CASCADE"), primary_key=True)
    tag_id: Mapped[int] = mapped_column(ForeignKey("tags.id", ondelete="CASCADE"), primary_key=True, index=True)
    tagged_at: Mapped[datetime]


class Suppression(Base):
    """An address nothing may be sent to, as a keyed hash, so that an import cannot bring an erased person back."""

    __tablename__ = "suppressions"

    id: Mapped[int] = mapped_column(primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64), unique=True)
    reason: Mapped[str] = mapped_column(String(40))
    created_at: Mapped[datetime]


class SubscriberEvent(Base):
    """One line of a person's history in plain words: confirmed, unsubscribed, imported, tagged."""

    __tablename__ = "subscriber_events"

    id: Mapped[int] = mapped_column(primary_key=True)
    subscriber_id: Mapped[int] = mapped_column(ForeignKey("subscribers.id", ondelete="CASCADE"), index=True)
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(40))
    detail: Mapped[str] = mapped_column(String(300), default="")


class Occasion(Base):
    """Something that just happened with a person and may let them join a series; gone as soon as it was looked at.

    Rows that are taken away instead of a mark that moves on: a mark would skip what another transaction commits late.
    """

    __tablename__ = "occasions"

    id: Mapped[int] = mapped_column(primary_key=True)
    subscriber_id: Mapped[int] = mapped_column(ForeignKey("subscribers.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(10))  # rules.Happened
    what: Mapped[str] = mapped_column(String(80), default="")  # the form's or gift's short name, or the tag
    at: Mapped[datetime]  # not looked at before
    crowd: Mapped[bool] = mapped_column(default=False)  # one of many at once, from a file (semantics 3.19)
