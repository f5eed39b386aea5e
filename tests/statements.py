"""What the database is asked, for tests of how much and along which index."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from newsletter.database.engine import db


@contextmanager
def questions() -> Iterator[list[tuple[str, Any]]]:
    """The statements of this block with their parameters, without those that begin a transaction."""
    asked: list[tuple[str, Any]] = []

    def listen(_connection: object, _cursor: object, statement: str, given: Any, _context: object, many: bool) -> None:
        if not statement.startswith("BEGIN"):  # which SQLite is told and PostgreSQL is not
            asked.append((statement, given[0] if many and isinstance(given, list) else given))

    with heard("before_cursor_execute", listen):
        yield asked


@contextmanager
def heard(what: str, listen: Any) -> Iterator[None]:
    """Call `listen` at each event `what` of the database's engine, for the length of the block."""
    event.listen(db.engine, what, listen)
    try:
        yield
    finally:
        event.remove(db.engine, what, listen)
