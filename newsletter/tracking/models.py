"""The links of our emails, and the clicks on them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.database.base import Base


class Link(Base):
    """An address that stands in an email of ours: the only ones that the door of clicks ever leads to.

    Never deleted, because emails are kept for years. `digest` is rules.digest(url): an address may be too long for an
    index.
    """

    __tablename__ = "links"

    id: Mapped[int] = mapped_column(primary_key=True)
    url: Mapped[str] = mapped_column(Text)
    digest: Mapped[str] = mapped_column(String(32), unique=True)


class Click(Base):
    """That a link in one email was opened; `robot` means by a program and not by its reader."""

    __tablename__ = "clicks"
    # With `at`: a click is held against those of the same email within a second of it.
    __table_args__ = (Index("ix_clicks_delivery", "delivery_id", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    delivery_id: Mapped[int]  # the ledger is further up, so no foreign key
    subscriber_id: Mapped[int] = mapped_column(ForeignKey("subscribers.id", ondelete="CASCADE"), index=True)
    link_id: Mapped[int] = mapped_column(ForeignKey("links.id"), index=True)
    at: Mapped[datetime]
    robot: Mapped[bool] = mapped_column(default=False)
