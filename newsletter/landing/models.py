"""Landing pages and comments."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.database.base import Base
from newsletter.landing.rules import CommentState


class Page(Base):
    """A landing page; the one with the smallest `position` is the home page."""

    __tablename__ = "pages"

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(80), unique=True)
    position: Mapped[int] = mapped_column(default=0)
    title: Mapped[str] = mapped_column(String(200))
    summary: Mapped[str] = mapped_column(String(300))
    body: Mapped[str] = mapped_column(Text)  # Markdown as article.py reads it
    form_id: Mapped[int | None] = mapped_column(ForeignKey("forms.id", ondelete="SET NULL"))
    video_url: Mapped[str] = mapped_column(String(500), default="")  # empty: the studio's; if that is too, the moves
    published_at: Mapped[datetime | None]
    updated_at: Mapped[datetime]


class Comment(Base):
    """What a reader said under a page; the address is for the operator only."""

    __tablename__ = "comments"

    id: Mapped[int] = mapped_column(primary_key=True)
    page_id: Mapped[int] = mapped_column(ForeignKey("pages.id", ondelete="CASCADE"), index=True)
    state: Mapped[str] = mapped_column(String(10), default=CommentState.HELD, index=True)
    name: Mapped[str] = mapped_column(String(80))
    email: Mapped[str] = mapped_column(String(254))
    email_key: Mapped[str] = mapped_column(String(254), index=True)  # as addresses are compared: finds a person's own
    text: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
