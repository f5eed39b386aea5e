"""Claiming rows for one worker, and adding rows once: the only place that knows which database it talks to."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import (
    JSON,
    BindParameter,
    ColumnElement,
    Insert,
    Integer,
    Row,
    Select,
    TextClause,
    bindparam,
    cast,
    column,
    func,
    select,
    true,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.types import TypeEngine

from newsletter.database.base import Base

Key = TypeVar("Key", int, str)


def kind_of(session: Session) -> str:
    """Which database a session speaks to, as statements that are composed once are kept by."""
    return session.get_bind().dialect.name


def claim(
    session: Session,
    model: type[Base],
    key: InstrumentedAttribute[int],
    *,
    where: Sequence[ColumnElement[bool] | TextClause],
    order_by: list[Any],
    limit: int,
    values: dict[str, object],
    returning: Sequence[InstrumentedAttribute[Any]] = (),
) -> list[Row[Any]]:
    """Set `values` on up to `limit` rows that match; two workers never get the same row.

    Returns a row of the key and what else is asked for in `returning`, as it is after the change.
    """
    statement = claiming(
        kind_of(session), model, key, where=where, order_by=order_by, values=values, returning=returning
    )
    # On the connection: through the session each row would cost a search for an object to refresh.
    return list(session.connection().execute(statement, {"limit": limit}))


def claiming(
    kind: str,
    model: type[Base],
    key: InstrumentedAttribute[int],
    *,
    where: Sequence[ColumnElement[bool] | TextClause],
    order_by: list[Any],
    values: dict[str, Any],
    returning: Sequence[InstrumentedAttribute[Any]] = (),
) -> Any:
    """The statement of `claim`, to be composed once and run with its `limit`."""
    chosen = select(key).where(*where).order_by(*order_by).limit(bindparam("limit", type_=Integer))
    if kind == "postgresql":
        # Rows another worker is just claiming are passed over instead of waited for; SQLite has one writer at a time.
        chosen = chosen.with_for_update(skip_locked=True)
    # As a common table expression it is asked once; as a plain subquery PostgreSQL may ask it per row and so
    # claim more than `limit`.
    once = chosen.cte("chosen")
    return update(model).where(key.in_(select(once.c[0]))).values(**values).returning(key, *returning)


def among(session: Session, key: InstrumentedAttribute[Key], ids: Collection[Key]) -> ColumnElement[bool]:
    """Whether `key` is one of `ids`, as one parameter: writing out 400 of them costs 15 to 50 us for each."""
    kind = kind_of(session)
    return _among(kind, key, bindparam(None, listed(kind, ids), type_=_list_of(kind, key)))


def among_given(kind: str, key: InstrumentedAttribute[int]) -> ColumnElement[bool]:
    """Whether `key` is one of the `ids` that the statement is run with, as `listed` writes them."""
    return _among(kind, key, bindparam("ids", type_=_list_of(kind, key)))


def _list_of(kind: str, key: InstrumentedAttribute[Any]) -> TypeEngine[Any] | None:
    return postgresql.ARRAY(key.type) if kind == "postgresql" else None


def _among(kind: str, key: InstrumentedAttribute[Any], ids: BindParameter[Any]) -> ColumnElement[bool]:
    if kind == "postgresql":
        return key == func.any(ids)
    return key.in_(select(func.json_each(ids).table_valued("value").c.value))


def listed(kind: str, values: Collection[Any]) -> Any:
    """Ids for `among_given`, or rows for `rows_given`, as the one parameter that they travel in."""
    return list(values) if kind == "postgresql" else json.dumps(list(values))


def rows_given(kind: str, columns: Mapping[str, type[TypeEngine[Any]]]) -> Any:
    """The `rows` that a statement is run with, as a table to join with: a set of changes in one statement."""
    if kind == "postgresql":
        typed = [column(name, type_) for name, type_ in columns.items()]
        rows = bindparam("rows", type_=JSON)
        return func.json_to_recordset(cast(rows, JSON)).table_valued(*typed).render_derived(with_types=True)
    each = func.json_each(bindparam("rows")).table_valued("value")
    named = [func.json_extract(each.c.value, f"$.{name}", type_=type_()).label(name) for name, type_ in columns.items()]
    return select(*named).select_from(each).subquery()


def _insert(kind: str, model: type[Base]) -> Any:
    """An INSERT that can say what to do about a row that exists already."""
    return (postgresql if kind == "postgresql" else sqlite).insert(model)


def insert_rows(
    session: Session,
    model: type[Base],
    rows: Sequence[Mapping[str, Any]],
    *,
    unique: list[InstrumentedAttribute[Any]],
) -> None:
    """Insert these rows at once, passing over those whose `unique` columns exist already."""
    if rows:
        statement = _insert(kind_of(session), model).on_conflict_do_nothing(
            index_elements=[column.key for column in unique]
        )
        session.connection().execute(statement, [dict(row) for row in rows])


def insert_new(
    session: Session,
    model: type[Base],
    rows: Sequence[Mapping[str, Any]],
    *,
    unique: list[InstrumentedAttribute[Any]],
    key: InstrumentedAttribute[int],
) -> list[int]:
    """The same as `insert_rows`; returns the keys of the rows that are new."""
    if not rows:
        return []
    elements = [column.key for column in unique]
    statement = _insert(kind_of(session), model).on_conflict_do_nothing(index_elements=elements).returning(key)
    return list(session.connection().execute(statement, [dict(row) for row in rows]).scalars())


def insert_missing(
    session: Session,
    model: type[Base],
    columns: list[InstrumentedAttribute[Any]],
    rows: Select[*tuple[Any, ...]],
    *,
    unique: list[InstrumentedAttribute[Any]],
    mostly_new: bool = False,
) -> int:
    """Insert the selected rows, passing over those whose `unique` columns exist already; returns how many are new.

    `mostly_new` says that hardly ever any of them exists, of many rows.
    """
    kind = kind_of(session)
    # SQLite needs a condition there, to tell ON CONFLICT from the ON of a join.
    statement = _insert(kind, model).from_select([column.key for column in columns], rows.where(true()))
    if mostly_new and kind == "postgresql":
        # To look for another one costs PostgreSQL almost as much for each row as the row itself.
        with suppress(IntegrityError), session.connection().begin_nested():
            return _many(session, statement)
    return _many(session, statement.on_conflict_do_nothing(index_elements=[column.key for column in unique]))


def _many(session: Session, statement: Insert) -> int:
    # Without the option SQLAlchemy forgets the count of an INSERT on PostgreSQL and answers -1.
    return session.connection().execute(statement, execution_options={"preserve_rowcount": True}).rowcount


def add_to(
    session: Session, model: type[Base], amounts: Sequence[Mapping[str, Any]], *, unique: Sequence[str], amount: str
) -> None:
    """Add each row's `amount` to the row with the same `unique` columns, or insert it."""
    if amounts:
        statement = _adding(kind_of(session), model, tuple(unique), amount)
        session.connection().execute(statement, [dict(row) for row in amounts])


@cache
def _adding(kind: str, model: type[Base], unique: tuple[str, ...], amount: str) -> Insert:
    insert = _insert(kind, model)
    total = getattr(model, amount) + insert.excluded[amount]
    adding: Insert = insert.on_conflict_do_update(index_elements=unique, set_={amount: total})
    return adding
