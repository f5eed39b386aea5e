"""What just happened with people, kept until an upper room has looked at it: a tag, a sign-up, a download, a date.

Written in the transaction in which it happens, so it is neither lost nor told of something that was rolled back.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, delete, insert, literal, select, true
from sqlalchemy.orm import Session

from newsletter.audience.models import Occasion
from newsletter.audience.rules import Happened
from newsletter.database.engine import after_commit
from newsletter.work.queue import wake


@dataclass(frozen=True, order=True)
class Told:
    """One thing that happened; `crowd` means that it happened to many at once, as in an import."""

    id: int
    subscriber_id: int
    kind: Happened
    what: str
    at: datetime
    crowd: bool


def happened(session: Session, subscriber_id: int, kind: Happened, what: str, at: datetime) -> None:
    """Tell that something happened with one person; `what` is the short name of a form or gift, or a tag."""
    to_many(session, {subscriber_id: [what]}, kind, at, crowd=False)


def to_many(
    session: Session, what: Mapping[int, Collection[str]], kind: Happened, at: datetime, *, crowd: bool = True
) -> None:
    """Tell that something happened with many people, by their ids; a crowd's consequences come one after another."""
    rows = [
        {"subscriber_id": subscriber_id, "kind": kind, "what": name, "at": at, "crowd": crowd}
        for subscriber_id, names in what.items()
        for name in names
    ]
    if rows:
        session.execute(insert(Occasion), rows)
        after_commit(session, wake)


def to_selected(session: Session, people: Select[int], kind: Happened, what: str, at: datetime) -> None:
    """Tell that something happened with everybody whose id is selected, as a crowd; in one statement, however many."""
    values = people.add_columns(*(literal(value) for value in (str(kind), what)), literal(at, Occasion.at.type), true())
    columns = [
        column.key for column in (Occasion.subscriber_id, Occasion.kind, Occasion.what, Occasion.at, Occasion.crowd)
    ]
    session.execute(insert(Occasion).from_select(columns, values))
    after_commit(session, wake)


def any_waiting(session: Session, now: datetime) -> bool:
    """Whether anything is there to be taken."""
    return session.scalar(select(Occasion.id).where(Occasion.at <= now).limit(1)) is not None


def take(session: Session, limit: int, now: datetime) -> list[Told]:
    """Take away up to `limit` of what has happened by now, the oldest first; it is back if the transaction fails.

    Two workers never get the same, and none waits for the other.
    """
    # As a common table expression it is asked once; as a plain subquery PostgreSQL may ask it per row.
    oldest = (
        select(Occasion.id)
        .where(Occasion.at <= now)
        .order_by(Occasion.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("oldest")
    )
    columns = Occasion.id, Occasion.subscriber_id, Occasion.kind, Occasion.what, Occasion.at, Occasion.crowd
    taken = delete(Occasion).where(Occasion.id.in_(select(oldest.c.id))).returning(*columns)
    rows = session.connection().execute(taken)
    return sorted(Told(row.id, row.subscriber_id, Happened(row.kind), row.what, row.at, row.crowd) for row in rows)


def forget(session: Session, subscriber_id: int) -> None:
    """Drop what just happened with a person who is erased."""
    session.execute(delete(Occasion).where(Occasion.subscriber_id == subscriber_id))
