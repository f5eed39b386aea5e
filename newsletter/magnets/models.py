"""Magnets, their made versions, who has them and who downloaded them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.database.base import Base


class Magnet(Base):
    """A gift: drawn here from `sheet`, or a PDF that was `uploaded` (its sheet, if there is one, rests meanwhile)."""

    __tablename__ = "magnets"

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(80), unique=True)
    title: Mapped[str] = mapped_column(String(200))
    file_name: Mapped[str] = mapped_column(String(200))  # as the reader's computer will call it; may be non-ASCII
    sheet: Mapped[dict[str, Any]] = mapped_column(default=dict)
    uploaded: Mapped[bool] = mapped_column(default=False)
    attach: Mapped[bool] = mapped_column(default=False)  # to the delivery email as well, up to 2 MB
    stamp: Mapped[bool] = mapped_column(default=True)  # the reader's first name on the page
    press_error: Mapped[str] = mapped_column(Text, default="")  # why the newest sheet could not be made
    press_hash: Mapped[str] = mapped_column(String(64), default="")  # the source that the press failed at
    press_tried_at: Mapped[datetime | None]  # when it failed at it
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class MagnetVersion(Base):
    """One made or uploaded file of a magnet; the newest of a paper size is what readers get."""

    __tablename__ = "magnet_versions"
    __table_args__ = (UniqueConstraint("magnet_id", "paper", "source_hash"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    magnet_id: Mapped[int] = mapped_column(ForeignKey("magnets.id", ondelete="CASCADE"), index=True)
    paper: Mapped[str] = mapped_column(String(10))  # a4, letter, or upload
    source_hash: Mapped[str] = mapped_column(String(64))  # of the sheet and the drawing code: same hash, same page
    blob_hash: Mapped[str] = mapped_column(ForeignKey("blobs.hash"))
    preview_hash: Mapped[str | None] = mapped_column(ForeignKey("blobs.hash"))  # a PNG of the first page
    size: Mapped[int]
    pages: Mapped[int]
    made_at: Mapped[datetime]


class MagnetGrant(Base):
    """That a subscriber has a magnet; its id is what a download link's token carries."""

    __tablename__ = "magnet_grants"
    __table_args__ = (UniqueConstraint("magnet_id", "subscriber_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    magnet_id: Mapped[int] = mapped_column(ForeignKey("magnets.id"))
    subscriber_id: Mapped[int] = mapped_column(ForeignKey("subscribers.id", ondelete="CASCADE"), index=True)
    granted_at: Mapped[datetime]


class Download(Base):
    """One download of a granted magnet."""

    __tablename__ = "downloads"

    id: Mapped[int] = mapped_column(primary_key=True)
    grant_id: Mapped[int] = mapped_column(ForeignKey("magnet_grants.id", ondelete="CASCADE"), index=True)
    at: Mapped[datetime]
    paper: Mapped[str] = mapped_column(String(10))
