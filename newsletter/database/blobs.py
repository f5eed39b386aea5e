"""Stored files, kept in the database by the hash of their content.

In the database, not beside it: a backup is one file, every machine sees every gift, and a row never points at nothing.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from datetime import datetime

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from newsletter.database.models import Blob


def content_hash(content: bytes) -> str:
    """The name `content` is kept under."""
    return hashlib.sha256(content).hexdigest()[:32]


def put(session: Session, content: bytes, content_type: str, now: datetime) -> str:
    """Keep `content`; the same bytes are kept once. Returns its hash."""
    name = content_hash(content)
    if session.get(Blob, name) is None:
        made = Blob(hash=name, content_type=content_type, size=len(content), content=content, created_at=now)
        # Two workers may press the same page at once: then the other one's bytes are these bytes.
        with suppress(IntegrityError), session.begin_nested():
            session.add(made)
    return name


def get(session: Session, name: str) -> Blob | None:
    """The stored file of that hash, if there is one."""
    return session.get(Blob, name)
