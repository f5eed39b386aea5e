"""The list of subscribers as the back office asks for it: searched, filtered, sorted, counted, and as a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import Session, selectinload

from newsletter.audience.models import Subscriber, SubscriberTag, Tag
from newsletter.audience.rules import Status
from newsletter.web.paging import LIKE_ESCAPE, containing

SORTS = {
    "newest": (Subscriber.created_at.desc(), Subscriber.id.desc()),
    "oldest": (Subscriber.created_at, Subscriber.id),
    "address": (Subscriber.email_key, Subscriber.id),
    "name": (func.lower(Subscriber.first_name), func.lower(Subscriber.last_name), Subscriber.id),
}
CHUNK = 500  # rows of a file per read: half a megabyte of memory, whatever the list's length
COLUMNS = (
    "email",
    "first_name",
    "last_name",
    "timezone",
    "tags",
    "status",
    "marketing",
    "source",
    "created_at",
    "confirmed_at",
    "unsubscribed_at",
)
# A spreadsheet takes a cell that begins with one of these for a formula (OWASP, "CSV Injection").
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


@dataclass(frozen=True)
class Question:
    """What the operator asked the list for; empty fields ask for nothing."""

    text: str = ""
    status: str = ""
    tag: str = ""
    sort: str = "newest"

    @classmethod
    def of(cls, asked: Mapping[str, str]) -> Question:
        """Read a request's fields; what makes no sense is left out."""
        status, sort = asked.get("status", ""), asked.get("sort", "")
        return cls(
            text=asked.get("q", "").replace("\0", "").strip()[:200],
            status=status if status in set(Status) else "",
            tag=asked.get("tag", "").replace("\0", "")[:80],
            sort=sort if sort in SORTS else "newest",
        )


def people(question: Question) -> Select[Subscriber]:
    """The subscribers that answer `question`, in its order, with their tags; erased ones only when asked for."""
    found = select(Subscriber).where(*_narrowed(question)).options(selectinload(Subscriber.tags))
    return found.order_by(*SORTS[question.sort])


def counts(session: Session, question: Question) -> dict[str, int]:
    """How many people of each status answer `question`, whatever status it asks for."""
    anyone = Question(question.text, "", question.tag)
    grouped = select(Subscriber.status, func.count()).where(*_narrowed(anyone, erased=True)).group_by(Subscriber.status)
    return {str(status): count for status, count in session.execute(grouped)}


def _narrowed(question: Question, *, erased: bool = False) -> list[ColumnElement[bool]]:
    narrowed: list[ColumnElement[bool]] = []
    if question.status:
        narrowed.append(Subscriber.status == question.status)
    elif not erased:
        narrowed.append(Subscriber.status != Status.ERASED)
    if question.tag:
        tagged = select(SubscriberTag.subscriber_id).join(Tag).where(Tag.name == question.tag)
        narrowed.append(Subscriber.id.in_(tagged))
    if question.text:
        pattern = containing(question.text.casefold())
        full_name = func.lower(Subscriber.first_name + " " + Subscriber.last_name)
        narrowed.append(
            or_(Subscriber.email_key.like(pattern, escape=LIKE_ESCAPE), full_name.like(pattern, escape=LIKE_ESCAPE))
        )
    return narrowed


def rows(session: Session, question: Question) -> Iterator[list[str]]:
    """The people as rows under COLUMNS, by id; read in chunks, and no read stays open between two of them."""
    after = 0
    while True:
        chunk = session.scalars(
            select(Subscriber)
            .where(*_narrowed(question), Subscriber.id > after)
            .options(selectinload(Subscriber.tags))
            .order_by(Subscriber.id)
            .limit(CHUNK)
        ).all()
        made = _rows(chunk)
        after = chunk[-1].id if chunk else after
        session.rollback()
        yield from made
        if len(made) < CHUNK:
            return


def _rows(chunk: Sequence[Subscriber]) -> list[list[str]]:
    return [[_cell(person, column) for column in COLUMNS] for person in chunk]


def _cell(person: Subscriber, column: str) -> str:
    if column == "tags":
        return safe_cell(", ".join(tag.name for tag in person.tags))
    return safe_cell(_written(getattr(person, column)))


def _written(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)


def safe_cell(text: str) -> str:
    """`text` as a spreadsheet shows it and never runs it: a formula's first sign gets an apostrophe before it."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
