"""The Huey queue: it wakes workers and keeps the schedule. The ledger is the truth, so a lost task costs nothing."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from typing import Any
from urllib.parse import urlsplit

import psycopg
import structlog
from flask import Flask, current_app
from huey import Huey, PostgresHuey, RedisHuey, SqliteHuey, crontab

from newsletter.database.engine import POSTGRES

log = structlog.get_logger()


def make_queue(url: str) -> Huey:
    """The queue that QUEUE_URL names: SQLite, PostgreSQL or Redis."""
    scheme = urlsplit(url).scheme
    common: dict[str, Any] = {"results": False, "utc": True}
    if scheme.startswith("redis"):
        return RedisHuey("supple", url=url, **common)
    if scheme.startswith("postgresql"):
        return _postgres(url.replace("postgresql+psycopg://", "postgresql://"), common)
    # Without fsync: a wake-up lost in a power cut costs a minute, and the ledger has its own, durable, file.
    return SqliteHuey("supple", filename=url.removeprefix("sqlite:///"), fsync=False, **common)


def _postgres(dsn: str, common: dict[str, Any]) -> Huey:
    # Workers that start at once all make the tables, and "if not exists" does not wait for another that is just making
    # them: it fails, in one of four ways. So they take turns; the lock ends with its connection.
    with psycopg.connect(dsn, autocommit=True, **POSTGRES) as turn:
        turn.execute("SELECT pg_advisory_lock(hashtext('huey'))")
        return PostgresHuey("supple", dsn=dsn, **common, **POSTGRES)


class Queue:
    """One application's queue with its two tasks, both of which take a turn of all due work."""

    def __init__(self, url: str, turn: Callable[[], object]) -> None:
        self.huey = make_queue(url)
        self.stop_flag = Event()  # the running worker's own, so that long work can end early and in order

        def take_turn() -> None:
            turn()

        self.wake = self.huey.task(name="wake")(take_turn)
        self.huey.periodic_task(crontab(), name="tick")(take_turn)


def init(app: Flask, url: str, turn: Callable[[], object]) -> None:
    """Give `app` its queue, opened at the first use; `turn` does what is due."""
    app.extensions["make_queue"] = lambda: Queue(url, turn)


def queue() -> Queue:
    """The running application's queue."""
    extensions = current_app.extensions
    if "queue" not in extensions:
        extensions["queue"] = extensions["make_queue"]()
    found: Queue = extensions["queue"]
    return found


def stopping() -> bool:
    """Whether this worker was asked to stop; long work looks here between its pieces."""
    return queue().stop_flag.is_set()


def wake() -> None:
    """Ask the workers to look at once; without it they look every minute."""
    queue().wake()


def call_for_help() -> None:
    """Ask one more worker to look, unless one is asked already: a wake-up wakes only one of them."""
    try:
        if not queue().huey.pending_count():
            queue().wake()
    except Exception:  # a queue that cannot be reached costs speed, never the work itself
        log.warning("the queue cannot be reached")
