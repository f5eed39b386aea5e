"""Claiming rows for one worker, and adding rows once: the only place that knows which database it talks to."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import JSON, ColumnElement, Integer, Row, Select, TextClause, cast, column, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.types import TypeEngine

from newsletter.database.base import Base


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
    chosen = select(key).where(*where).order_by(*order_by).limit(limit)
    if session.get_bind().dialect.name == "postgresql":
        # Rows another worker is just claiming are passed over instead of waited for; SQLite has one writer at a time.
        chosen = chosen.with_for_update(skip_locked=True)
    # As a common table expression it is asked once; as a plain subquery PostgreSQL may ask it per row and so
    # claim more than `limit`.
    once = chosen.cte("chosen")
    statement = update(model).where(key.in_(select(once.c[0]))).values(**values).returning(key, *returning)
    # On the connection: through the session each row would cost a search for an object to refresh.
    return list(session.connection().execute(statement))


def among(session: Session, key: InstrumentedAttribute[int], ids: Collection[int]) -> ColumnElement[bool]:
    """Whether `key` is one of `ids`, as one parameter: writing out 400 of them costs 15 to 50 us for each."""
    if session.get_bind().dialect.name == "postgresql":
        return key == func.any(cast(list(ids), postgresql.ARRAY(Integer)))
    return key.in_(select(func.json_each(json.dumps(list(ids))).table_valued("value").c.value))


def table_of(session: Session, rows: Sequence[Mapping[str, Any]], columns: Mapping[str, type[TypeEngine[Any]]]) -> Any:
    """These rows as a table of such columns to join with, as one parameter: a set of changes in one statement."""
    if session.get_bind().dialect.name == "postgresql":
        typed = [column(name, kind) for name, kind in columns.items()]
        return func.json_to_recordset(cast(list(rows), JSON)).table_valued(*typed).render_derived(with_types=True)
    each = func.json_each(json.dumps(rows)).table_valued("value")
    named = [func.json_extract(each.c.value, f"$.{name}", type_=kind()).label(name) for name, kind in columns.items()]
    return select(*named).select_from(each).subquery()


def insert_rows(
    session: Session,
    model: type[Base],
    rows: Sequence[Mapping[str, Any]],
    *,
    unique: list[InstrumentedAttribute[Any]],
) -> None:
    """Insert these rows at once, passing over those whose `unique` columns exist already."""
    if rows:
        insert = (postgresql if session.get_bind().dialect.name == "postgresql" else sqlite).insert(model)
        statement = insert.on_conflict_do_nothing(index_elements=[column.key for column in unique])
        session.connection().execute(statement, [dict(row) for row in rows])


def insert_missing(
    session: Session,
    model: type[Base],
    columns: list[InstrumentedAttribute[Any]],
    rows: Select[*tuple[Any, ...]],
    *,
    unique: list[InstrumentedAttribute[Any]],
) -> int:
    """Insert the selected rows, passing over those whose `unique` columns exist already; returns how many are new."""
    insert = (postgresql if session.get_bind().dialect.name == "postgresql" else sqlite).insert(model)
    statement = insert.from_select([column.key for column in columns], rows)
    elements = [column.key for column in unique]
    statement = statement.on_conflict_do_nothing(index_elements=elements)
    # Without the option SQLAlchemy forgets the count of an INSERT on PostgreSQL and answers -1.
    return session.connection().execute(statement, execution_options={"preserve_rowcount": True}).rowcount


def add_to(
    session: Session, model: type[Base], amounts: Sequence[Mapping[str, Any]], *, unique: Sequence[str], amount: str
) -> None:
    """Add each row's `amount` to the row with the same `unique` columns, or insert it."""
    if amounts:
        insert = (postgresql if session.get_bind().dialect.name == "postgresql" else sqlite).insert(model)
        total = getattr(model, amount) + insert.excluded[amount]
        statement = insert.on_conflict_do_update(index_elements=unique, set_={amount: total})
        session.connection().execute(statement, [dict(row) for row in amounts])
