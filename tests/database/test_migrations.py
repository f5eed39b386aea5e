"""Migrations make exactly what the models say, go back and forth without losing a person, and run with rows present."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask
from flask_migrate import downgrade, upgrade
from sqlalchemy import create_engine, inspect, text

from newsletter.application import create_app
from newsletter.audience.models import Subscriber
from newsletter.database.base import Base
from newsletter.database.engine import db, transaction
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


def test_a_migration_that_fails_leaves_the_database_as_it_was(empty_app: Flask) -> None:
    """All migrations of one upgrade are one transaction, on both databases."""
    with db.engine.begin() as connection:
        connection.execute(text("CREATE TABLE studio (id INTEGER PRIMARY KEY)"))
    with pytest.raises(Exception, match="studio"):
        upgrade()
    assert tables() == {"studio"}
