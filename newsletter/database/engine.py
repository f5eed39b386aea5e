"""The engine behind Flask-SQLAlchemy, and the only way to write: `with transaction() as session`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from sqlite3 import Connection as SqliteConnection
from typing import Any

import structlog
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Connection, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from newsletter.database.base import Base
from newsletter.errors import Busy

log = structlog.get_logger()
db = SQLAlchemy(metadata=Base.metadata, session_options={"expire_on_commit": False})

# A writer on SQLite waits this long for the other writer; a transaction here lasts milliseconds, so 10 s means trouble.
BUSY_SECONDS = 10
# And asks so often whether it is done (seconds).
TURN = 0.001
# A machine that is cut off from the network in the middle of a transaction would keep its rows locked for two hours,
# which is how long the kernel believes in a silent connection; and would itself wait as long for an answer. Nobody here
# leaves a transaction idle: whoever does for 20 s is gone, and those who wait for its locks outlast that.
POSTGRES: dict[str, Any] = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
    "options": "-c idle_in_transaction_session_timeout=20s -c lock_timeout=30s "
    "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3",
}


def init(app: Flask, url: str) -> None:
    """Give `app` its database at `url`."""
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    kind: dict[str, Any] = (
        {"connect_args": {"timeout": BUSY_SECONDS}}
        if url.startswith("sqlite")
        else {"pool_pre_ping": True, "connect_args": POSTGRES}
    )
    # Without it an error's text tells the values of the statement, names and addresses among them.
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = kind | {"hide_parameters": True, "json_deserializer": _from_json}
    db.init_app(app)
    with app.app_context():
        if url.startswith("sqlite"):
            event.listen(db.engine, "connect", _sqlite_connect)
            event.listen(db.engine, "begin", _sqlite_begin)


def _from_json(written: str) -> Any:
    # Most readers have no fields of their own; to read "{}" takes 1.5 us, to see it 0.1, and each email asks.
    return {} if written == "{}" else json.loads(written)


def _sqlite_connect(raw: SqliteConnection, _record: object) -> None:
    raw.isolation_level = None  # BEGIN is ours to say, see _sqlite_begin
    for pragma in ("journal_mode=WAL", "foreign_keys=ON", "synchronous=FULL", f"busy_timeout={BUSY_SECONDS * 1000}"):
        raw.execute(f"PRAGMA {pragma}")


def _sqlite_begin(connection: Connection) -> None:
    # A writer that begins as a reader cannot wait for its turn: SQLite refuses at once. IMMEDIATE makes it queue.
    if connection.get_execution_options().get("writes", False):
        _queue_up(connection)
    else:
        connection.exec_driver_sql("BEGIN")


def _queue_up(connection: Connection) -> None:
    """Begin to write as soon as nobody else does.

    SQLite itself looks again after up to 100 ms: two workers that write a few milliseconds each slept through 40% of
    the time. Raises OperationalError when it is nobody's turn for long.
    """
    raw: Any = connection.connection.driver_connection
    raw.execute("PRAGMA busy_timeout=0")
    try:
        until = time.monotonic() + BUSY_SECONDS
        while not raw.in_transaction:
            try:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            except OperationalError:
                if time.monotonic() > until:
                    raise
                time.sleep(TURN)
    finally:
        raw.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}")


@contextmanager
def transaction() -> Iterator[Session]:
    """One write: committed at the end of the block, rolled back on any error. Only a front opens one.

    Raises Busy when the database does not answer in time.
    """
    session: Session = db.session()
    if session.info.get("writing"):
        raise RuntimeError("a transaction inside a transaction: only a front opens one")
    session.rollback()  # ends a read begun earlier in this request, so that the write sees the present
    session.info["writing"] = True
    hooks: list[Callable[[], None]] = []
    session.info |= {"before_commit": {}, "after_commit": hooks}
    try:
        session.connection(execution_options={"writes": True})
        yield session
        for last in session.info["before_commit"].values():
            last()
        session.commit()
    except OperationalError as problem:
        session.rollback()
        if "no such" in str(problem.orig):
            raise  # a missing table or column is a database that was not migrated, not a busy one
        raise Busy("The database did not answer in time.", remedy="Try again in a moment.") from problem
    except BaseException:
        session.rollback()
        raise
    finally:
        session.info["writing"] = False
    for hook in hooks:
        _run_hook(hook)


def _run_hook(hook: Callable[[], None]) -> None:
    try:
        hook()
    except Exception:
        # The write is done and safe; a wake-up that fails costs a minute until the sweep, never an error page.
        log.exception("after-commit hook failed")


def before_commit(session: Session, name: str, last: Callable[[], None]) -> None:
    """Run `last` as the end of the running transaction; another of the same `name` takes its place.

    For rows that many transactions write, like counters: locked last, they are held shortest and never in a deadlock.
    """
    hooks: dict[str, Callable[[], None]] = session.info.setdefault("before_commit", {})
    hooks[name] = last


def after_commit(session: Session, hook: Callable[[], None]) -> None:
    """Run `hook` once when the running transaction has committed; asked twice, it runs once."""
    hooks: list[Any] = session.info.setdefault("after_commit", [])
    if hook not in hooks:
        hooks.append(hook)
