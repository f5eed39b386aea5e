"""The only reader of the time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

_standing: ContextVar[datetime | None] = ContextVar("standing", default=None)


def now() -> datetime:
    """The present moment, aware UTC, or the moment the clock was made to stand at."""
    return _standing.get() or datetime.now(UTC)


@contextmanager
def standing_at(moment: datetime) -> Iterator[None]:
    """Let it be `moment` (aware) inside the block: for `flask worker --as-of`, the forecast and tests."""
    if moment.tzinfo is None:
        raise ValueError("a moment needs a time zone")
    before = _standing.set(moment.astimezone(UTC))
    try:
        yield
    finally:
        _standing.reset(before)
