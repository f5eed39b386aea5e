"""The three stores of the queue, each of which can be gone for a while."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import redis

from tests.crash.postgres import OwnPostgres
from tests.crash.processes import free_port


class Store(Protocol):
    """Where a queue is kept."""

    url: str

    @contextmanager
    def gone(self) -> Iterator[None]:
        """It cannot be reached inside the block."""
        ...


class Sqlite:
    """A file; gone means that somebody else has locked it."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "queue.db"
        self.url = f"sqlite:///{self.file}"

    @contextmanager
    def gone(self) -> Iterator[None]:
        """Locked for everybody."""
        lock = sqlite3.connect(self.file, isolation_level=None)
        lock.execute("PRAGMA busy_timeout=5000")
        lock.execute("BEGIN EXCLUSIVE")
        try:
            yield
        finally:
            lock.close()


class Postgres:
    """A server of its own, stopped and started."""

    def __init__(self, server: OwnPostgres) -> None:
        self.server, self.url = server, server.url

    @contextmanager
    def gone(self) -> Iterator[None]:
        """Stopped."""
        self.server.stop()
        try:
            yield
        finally:
            self.server.start()


class Redis:
    """A server of its own on loopback, that keeps nothing on disk."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("redis-server")
        assert program, "Redis is missing: as root, apt-get install redis-server"
        port = free_port()
        self.url = f"redis://127.0.0.1:{port}/0"
        words = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(folder)]
        self._command = [program, *words, "--loglevel", "warning"]
        self.start()

    def start(self) -> None:
        """Start it (again)."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        client, until = redis.Redis.from_url(self.url), time.monotonic() + 60
        while True:
            try:
                client.ping()
                break
            except redis.RedisError:
                assert time.monotonic() < until, "Redis did not start"
                time.sleep(0.02)
        client.close()

    def stop(self) -> None:
        """Kill it: what waited in it is lost."""
        self._process.kill()
        self._process.wait()

    @contextmanager
    def gone(self) -> Iterator[None]:
        """Stopped."""
        self.stop()
        try:
            yield
        finally:
            self.start()


@contextmanager
def store(kind: str, folder: Path) -> Iterator[Store]:
    """A store of that kind (`sqlite`, `postgresql`, `redis`)."""
    if kind == "sqlite":
        yield Sqlite(folder)
    elif kind == "postgresql":
        with OwnPostgres() as server:
            yield Postgres(server)
    else:
        made = Redis(folder)
        try:
            yield made
        finally:
            made.stop()
