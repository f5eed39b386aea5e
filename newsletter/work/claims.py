"""Claiming rows for one worker: the only place that knows which database it talks to."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from newsletter.database.base import Base


def claim(
    session: Session,
    model: type[Base],
    key: InstrumentedAttribute[int],
    *,
    where: list[ColumnElement[bool]],
    order_by: list[Any],
    limit: int,
    values: dict[str, object],
) -> list[int]:
    """Set `values` on up to `limit` rows that match, and return their keys; two workers never get the same row."""
    chosen = select(key).where(*where).order_by(*order_by).limit(limit)
    if session.get_bind().dialect.name == "postgresql":
        # Rows another worker is just claiming are passed over instead of waited for; SQLite has one writer at a time.
        chosen = chosen.with_for_update(skip_locked=True)
    statement = (
        update(model)
        .where(key.in_(chosen))
        .values(**values)
        .returning(key)
        .execution_options(synchronize_session=False)
    )
    return sorted(session.scalars(statement))
