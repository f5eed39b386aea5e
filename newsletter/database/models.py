"""Stored files."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.database.base import Base


class Blob(Base):
    """One stored file; `hash` is the first 32 hexadecimal digits of its SHA-256."""

    __tablename__ = "blobs"

    hash: Mapped[str] = mapped_column(String(32), primary_key=True)
    content_type: Mapped[str] = mapped_column(String(80))
    size: Mapped[int]
    content: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)  # read only when served
    created_at: Mapped[datetime]
