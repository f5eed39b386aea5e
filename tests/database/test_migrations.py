"""Migrations make exactly what the models say, go back and forth without losing a person, and run with rows present."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask
from flask_migrate import downgrade, upgrade
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    Date,
    DateTime,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    create_engine,
    func,
    inspect,
    select,
    table,
    text,
)
from sqlalchemy.types import TypeEngine

from newsletter import clock
from newsletter.accounts import queries as accounts
from newsletter.application import create_app
from newsletter.audience.models import Subscriber
from newsletter.database.base import Base
from newsletter.database.engine import db, transaction
from newsletter.delivery import routing
from newsletter.sequences.models import Enrollment, Sequence, Step
from tests.conftest import environment
from tests.people import person, planned


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_app(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Flask]:
    """An application on a database without a single table."""
    if request.param == "postgresql":
        url: str = request.getfixturevalue("postgres_url")
        _make_database(url, "fresh")
        made = create_app(environment(tmp_path, DATABASE_URL=url.replace("/postgres?", "/fresh?")))
    else:
        made = create_app(environment(tmp_path))
    made.extensions["make_queue"] = lambda: None
    with made.app_context():
        yield made
        db.session.remove()
        db.engine.dispose()


def _make_database(url: str, name: str) -> None:
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()


def tables() -> set[str]:
    return {name for name in inspect(db.engine).get_table_names() if not name.startswith("huey_")} - {"alembic_version"}


def differences() -> list[object]:
    with db.engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "include_object": lambda _thing, name, kind, *_: not (kind == "table" and name.startswith("huey_")),
            },
        )
        return list(compare_metadata(context, Base.metadata))


def test_an_empty_database_becomes_what_the_models_say(empty_app: Flask) -> None:
    assert tables() == set()
    upgrade()
    assert tables() == set(Base.metadata.tables)
    assert differences() == []


def test_upgrading_again_changes_nothing_and_keeps_the_rows(empty_app: Flask) -> None:
    upgrade()
    with transaction() as session:
        person(session)
    upgrade()
    assert differences() == []
    assert db.session.get(Subscriber, 1) is not None


def test_down_to_nothing_and_up_again(empty_app: Flask) -> None:
    upgrade()
    with transaction() as session:
        planned(session, person(session))
    db.session.remove()
    downgrade(revision="base")
    assert tables() == set()
    upgrade()
    assert differences() == []
    with transaction() as session:
        person(session)


SOME: dict[type[TypeEngine[Any]], Any] = {
    Boolean: False,
    Date: date(2026, 3, 4),
    DateTime: datetime(2026, 3, 4, 9, 30, tzinfo=UTC),
    Float: 1.5,
    Integer: 1,
    JSON: {},
    LargeBinary: b"x",
    String: "x",
}


def _something(column: Column[Any]) -> Any:
    """A value that fits the column: 1 for every number, so that foreign keys find their row."""
    return next(value for kind, value in SOME.items() if isinstance(column.type, kind))


def _a_row_everywhere() -> set[str]:
    """Put one row into every table there is; the names of the tables."""
    found = MetaData()
    with db.engine.begin() as connection:
        found.reflect(connection)
        ours = [table for table in found.sorted_tables if not table.name.startswith(("huey_", "alembic_"))]
        for table in ours:
            needed = [column for column in table.columns if not column.nullable or column.foreign_keys]
            connection.execute(table.insert().values({column.name: _something(column) for column in needed}))
    return {table.name for table in ours}


def test_the_first_release_is_upgraded_with_rows_in_every_table(empty_app: Flask) -> None:
    """Only `relays` goes: it knew no more than whether each server had a problem just now."""
    upgrade(revision="0001")
    before = _a_row_everywhere()
    upgrade()
    assert differences() == []
    assert before - tables() == {"relays"}
    with db.engine.connect() as connection:
        counts = {
            name: connection.scalar(select(func.count()).select_from(table(name))) for name in before - {"relays"}
        }
        tallied = connection.execute(text("SELECT batch, state, count FROM delivery_tallies")).all()
    assert [name for name, count in counts.items() if count != 1] == []
    assert tallied == [("lane:1", "x", 1)], "the rows of the first release are counted"
    with transaction() as session:
        assert [way.name for way in routing.ways(session, clock.now())] == ["mailbox"]


def test_the_second_release_is_upgraded_with_rows_in_every_table(empty_app: Flask) -> None:
    upgrade(revision="0002")
    before = _a_row_everywhere()
    with db.engine.connect() as connection:
        had = {name: _rows_of(connection, name) for name in before}
    upgrade()
    assert differences() == []
    assert before - tables() == set()
    with db.engine.connect() as connection:
        has = {name: _rows_of(connection, name) for name in before}
    for name, (row,) in had.items():
        (now,) = has[name]
        assert {column: now[column] for column in row} == row, name
    with transaction() as session:
        (series,) = session.scalars(select(Sequence))
        (step,) = session.scalars(select(Step))
        (way,) = session.scalars(select(Enrollment))
        assert (series.goal, series.exits, series.reentry, series.evergreen) == ({}, [], "never", False)
        assert series.entry == {}, "everybody may join, as before"
        assert (step.kind, step.config) == ("email", {})
        assert (way.held_at, way.skips) == (None, [])
        studio = accounts.studio(session)
        assert (studio.one_a_day, studio.first, studio.overdue_hours) == (True, "series", 48)


def test_back_to_the_second_release_and_up_again_with_rows(empty_app: Flask) -> None:
    upgrade(revision="0002")
    _a_row_everywhere()
    upgrade()
    db.session.remove()
    downgrade(revision="0002")
    with db.engine.connect() as connection:
        assert len(_rows_of(connection, "enrollments")) == len(_rows_of(connection, "steps")) == 1
    upgrade()
    assert differences() == []


def test_the_third_release_is_upgraded_and_goes_back_with_its_rows(empty_app: Flask) -> None:
    """Whoever is in a series stays in it, and everybody may join."""
    upgrade(revision="0003")
    before = _a_row_everywhere()
    with db.engine.connect() as connection:
        had = {name: _rows_of(connection, name) for name in before}
    upgrade()
    assert differences() == []
    with transaction() as session:
        series = session.scalars(select(Sequence)).one()
        assert series.entry == {}
        series.entry = {"tag": "client"}
    db.session.remove()
    downgrade(revision="0003")
    with db.engine.connect() as connection:
        assert {name: _rows_of(connection, name) for name in before} == had
    upgrade()
    assert differences() == []


def _rows_of(connection: Connection, name: str) -> list[dict[str, Any]]:
    """Every row of a table as the database has it at this revision."""
    found = Table(name, MetaData(), autoload_with=connection)
    return [dict(row) for row in connection.execute(select(found)).mappings()]


def test_a_migration_that_fails_leaves_the_database_as_it_was(empty_app: Flask) -> None:
    """All migrations of one upgrade are one transaction, on both databases."""
    with db.engine.begin() as connection:
        connection.execute(text("CREATE TABLE studio (id INTEGER PRIMARY KEY)"))
    with pytest.raises(Exception, match="studio"):
        upgrade()
    assert tables() == {"studio"}
