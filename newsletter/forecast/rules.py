"""What a forecast is made of, and what may be left out of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Row:
    """One email that will be sent: when (UTC), to which address, and why; `sequence` and `step` are names in URLs.

    Both are None for a broadcast. `moved_from` is when it was due before it made room for another (semantics 3.17).
    """

    at: datetime
    subscriber: str
    subject: str
    sequence: str | None
    step: str | None
    reason: str
    subscriber_id: int = 0
    broadcast_id: int = 0
    moved_from: datetime | None = None


@dataclass(frozen=True, slots=True)
class Bare:
    """One email that will be sent, without names: of a step, or of a broadcast (the other id is 0)."""

    at: datetime
    subscriber_id: int
    step_id: int = 0
    broadcast_id: int = 0
    moved_from: datetime | None = None


@dataclass(frozen=True, slots=True)
class Count:
    """How many people get a step or a broadcast (the other id is 0) in one minute, `moved` of them from another day."""

    at: datetime
    step_id: int
    broadcast_id: int
    people: int
    moved: int


@dataclass(frozen=True)
class Only:
    """What a forecast is asked for: readers by id, sequences by slug, broadcasts; None: all of them."""

    subscribers: frozenset[int] | None = None
    sequences: frozenset[str] | None = None
    broadcasts: bool = True


EVERYTHING = Only()
