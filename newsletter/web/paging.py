"""Lists in pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from flask import request
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

Row = TypeVar("Row")
PAGE_SIZE = 25
LIKE_ESCAPE = "\\"


@dataclass(frozen=True)
class Listing(Generic[Row]):
    """One page of a list: `number` counts from 1, `total` is all rows that match."""

    rows: Sequence[Row]
    number: int
    total: int
    size: int = PAGE_SIZE

    @property
    def pages(self) -> int:
        """How many pages there are, at least one."""
        return max(1, -(-self.total // self.size))


def list_page(session: Session, statement: Select[*tuple[Any, ...]], *, scalars: bool = True) -> Listing[Any]:
    """The page of `statement` that the request's `page` asks for."""
    total = session.scalar(select(func.count()).select_from(statement.order_by(None).subquery())) or 0
    number = min(page_asked(), max(1, -(-total // PAGE_SIZE)))
    part = statement.limit(PAGE_SIZE).offset((number - 1) * PAGE_SIZE)
    rows: Sequence[Any] = session.scalars(part).all() if scalars else session.execute(part).all()
    return Listing(rows, number, total)


def page_asked() -> int:
    """The number of the page that the request asks for, at least 1."""
    return max(request.args.get("page", 1, type=int), 1)


def containing(text: str) -> str:
    """A LIKE pattern for rows that contain `text`, with escape character LIKE_ESCAPE."""
    text = text.replace("\0", "")  # PostgreSQL takes no NUL in a text; a search for one would be an error page
    for special in (LIKE_ESCAPE, "%", "_"):
        text = text.replace(special, LIKE_ESCAPE + special)
    return f"%{text}%"
