"""Trouble around a worker: the disk is full, the database is gone, it is stopped in order, or it is only slow."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from flask import Flask
from flask_migrate import upgrade
from sqlalchemy import update
from sqlalchemy.exc import OperationalError

from newsletter import clock
from newsletter.application import create_app
from newsletter.database.engine import db
from newsletter.delivery.models import Delivery
from newsletter.work import heartbeats
from newsletter.work.queue import call_for_help
from tests.conftest import environment
from tests.crash.postgres import OwnPostgres
from tests.crash.storm import Storm, judge, let_go, of_worker, people, queue_letter, running

PATIENCE = 40  # seconds; on a quiet machine each of these takes a few


def until(holds: Callable[[], bool], complaint: str, patience: float = PATIENCE) -> None:
    """Wait until it holds."""
    end = time.monotonic() + patience
    while not holds():
        assert time.monotonic() < end, complaint
        time.sleep(0.02)


def took(world: Storm, count: int) -> Callable[[], bool]:
    """Whether the mail server has so many emails."""
    return lambda: len(world.peer.lines("took")) >= count


def finished(world: Storm) -> None:
    """Wait until every email is on record as sent, waking the workers as any sign-up would."""
    end = time.monotonic() + PATIENCE
    while world.waiting():
        assert time.monotonic() < end, f"these do not go out: {world.under_way()}"
        call_for_help()
        time.sleep(0.2)


@contextmanager
def broadcast_under_way(app: Flask, folder: Path, *, workers: int = 1, **more: float) -> Iterator[tuple[Storm, int]]:
    """An email to 120 readers of which the first 20 are out; the number of its workers, and judgement at the end."""
    everyone = people(120)
    with running(
        app, folder, seed=1, workers=workers, delay=more.get("delay", 0.04), speed=more.get("speed", 1)
    ) as world:
        number = queue_letter()
        until(took(world, 20), "nothing is sent")
        yield world, number
        judge(world.tally, world.peer, [(email, f"broadcast:{number}") for email in everyone])
        assert world.tally.violations == [], world.tally
        assert len(world.peer.lines("took")) >= len(everyone) - world.tally.uncertain


def test_sigterm_loses_nothing_and_leaves_nothing_uncertain(app: Flask, tmp_path: Path) -> None:
    with broadcast_under_way(app, tmp_path, workers=3, delay=0.1) as (world, _):
        statuses: Counter[int] = Counter()
        while world.waiting() > 20:
            pid = world.dice.choice(world.zygote.of("worker"))
            world.zygote.kill(pid, signal.SIGTERM)
            statuses[world.zygote.wait_for(pid)] += 1
            assert world.held_by(pid) == 0
            world.zygote.fork("worker")
            time.sleep(world.dice.random() * 0.4)
        finished(world)
    assert set(statuses) <= {0, signal.SIGTERM}, statuses  # the latter: before it could listen
    assert statuses[0] > 1
    assert world.tally.uncertain == 0
    assert world.tally.states == {"accepted": 120}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with little room."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("only root can mount a small disk: " + done.stderr.decode())
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def on_sqlite(template: Path, folder: Path) -> Flask:
    """An application whose database and queue are in a folder."""
    shutil.copy(template, folder / "supple.db")
    return create_app(environment(folder))


def test_a_full_disk_loses_and_doubles_nothing(migrated_sqlite: Path, small_disk: Path, tmp_path: Path) -> None:
    app = on_sqlite(migrated_sqlite, small_disk)
    with app.app_context():
        with broadcast_under_way(app, tmp_path) as (world, _):
            db.session.remove()
            filler = small_disk / "filler"
            _fill(filler)
            _while_in_trouble(world)
            filler.unlink()
            finished(world)
        let_go(app)
    assert world.tally.states == {"accepted": 120}
    assert world.tally.uncertain == 0


def test_a_database_file_that_may_not_grow_loses_and_doubles_nothing(migrated_sqlite: Path, tmp_path: Path) -> None:
    """The same where nobody is root: the kernel refuses to let the worker's files grow."""
    app = on_sqlite(migrated_sqlite, tmp_path)
    with app.app_context():
        with broadcast_under_way(app, tmp_path) as (world, _):
            (pid,) = world.zygote.of("worker")
            _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, hard))
            _while_in_trouble(world)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))
            finished(world)
        let_go(app)
    assert world.tally.states == {"accepted": 120}
    assert world.tally.uncertain == 0


def _fill(path: Path) -> None:
    """Leave not a byte of room."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"\0" * 4096)


def _while_in_trouble(world: Storm) -> None:
    """Some seconds: the worker lives on, and does not send what it cannot write down."""
    time.sleep(1.5)
    before = len(world.peer.lines("took"))
    time.sleep(1.5)
    assert len(world.peer.lines("took")) == before < 120
    world.zygote.listen(0)
    assert world.zygote.died == []


def test_a_database_that_is_gone_for_a_minute(tmp_path: Path) -> None:
    """A minute of the workers' clock, which runs twenty times as fast."""
    with OwnPostgres() as server:
        app = create_app(environment(tmp_path, DATABASE_URL=server.url))
        with app.app_context():
            upgrade()
            with broadcast_under_way(app, tmp_path, workers=2, speed=20) as (world, _):
                db.session.remove()
                server.stop()
                _while_in_trouble(world)
                server.start()
                db.engine.dispose()
                finished(world)
            assert world.tally.states == {"accepted": 120}
            assert world.tally.uncertain == 0
            let_go(app)


def test_a_lease_that_ends_while_its_worker_is_only_slow(app: Flask, tmp_path: Path) -> None:
    """The slow one is taken for dead and its work is done by another; when it goes on, it sends nothing of that."""
    with broadcast_under_way(app, tmp_path, workers=2) as (world, _):
        slow, held = _stop_one(world)
        until(lambda: not _woken(world, slow), "the others do not take its work over")
        world.zygote.kill(slow, signal.SIGCONT)
        finished(world)
    assert held > 0
    assert world.tally.uncertain <= world.tally.bound


def _stop_one(world: Storm) -> tuple[int, int]:
    """Stop a worker that has emails claimed, outside any transaction, and end its leases; its pid and how many."""
    while True:
        for pid in world.zygote.of("worker"):
            world.zygote.kill(pid, signal.SIGSTOP)
            held = world.held_by(pid)
            with suppress(OperationalError), db.engine.begin() as connection:
                words = (
                    "SET LOCAL lock_timeout = 300"
                    if db.engine.dialect.name == "postgresql"
                    else "PRAGMA busy_timeout=300"
                )
                connection.exec_driver_sql(words)
                ended = update(Delivery).where(of_worker(pid)).values(lease_until=clock.now())
                if held and connection.execute(ended).rowcount:
                    return pid, held
            world.zygote.kill(pid, signal.SIGCONT)
            time.sleep(0.05)


def _woken(world: Storm, pid: int) -> int:
    call_for_help()
    return world.held_by(pid)


def test_two_workers_never_have_the_same_name() -> None:
    """Not even two of one process id: in two containers of one image host name and process ids are the same."""
    names = set()
    for _ in range(2):
        heartbeats._name.cache_clear()
        names.add(heartbeats.worker_name())
    assert heartbeats.worker_name() in names
    assert len(names) == 2
    assert {name.split(":")[1] for name in names} == {str(os.getpid())}
