"""The queue wakes workers; it may lose a task or run one twice, and nothing is lost or doubled by it.

The same on SQLite, PostgreSQL and Redis behind one QUEUE_URL.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import psycopg
import pytest
from flask import Flask
from huey import Huey
from sqlalchemy import select

from newsletter import worker
from newsletter.application import create_app
from newsletter.audience.models import Subscriber
from newsletter.database.engine import db, transaction
from newsletter.delivery.models import Delivery, MailboxMessage
from newsletter.delivery.rules import Lane, State
from newsletter.signup.models import Form
from newsletter.work.queue import Queue, call_for_help, make_queue, queue
from tests.conftest import SECRET, environment
from tests.crash.processes import PeerProcess
from tests.crash.storm import Storm, running
from tests.people import NOW, consent, note_writer, person, planned, register
from tests.work.stores import Postgres, Store, store

KINDS = ("sqlite", "postgresql", "redis")
PATIENCE = 60  # seconds
# From the commit to the mail server with a worker that sleeps: 0.1 s when nothing else runs here. One that nobody woke
# would look again after a minute, so this tells the two apart on a busy machine as well.
QUICK = 15


@pytest.fixture(scope="module", params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """The queue's store, one after the other."""
    with store(request.param, tmp_path_factory.mktemp("queue")) as made:
        yield made


@pytest.fixture
def queued(place: Store, migrated_sqlite: Path, tmp_path: Path) -> Iterator[Flask]:
    """The application with its queue there, empty."""
    (tmp_path / "supple.db").write_bytes(migrated_sqlite.read_bytes())
    app = create_app(environment(tmp_path, QUEUE_URL=place.url))
    register(app, {"note": note_writer()})
    with app.app_context():
        queue().huey.flush()
        yield app
        queue().huey.storage.close()
        db.session.remove()
        db.engine.dispose()


def drain(huey: Huey) -> int:
    """Do what waits in the queue, as its consumer would; returns how many tasks there were."""
    count = 0
    while huey.pending_count():  # asking for a task that is not there would wait for one
        huey.execute(huey.dequeue())
        count += 1
    return count


def plan(number: int = 1) -> None:
    with transaction() as session:
        reader = session.get(Subscriber, 1) or person(session)
        planned(session, reader, reason=f"note:{number}", lane=Lane.TRANSACTIONAL)


def states() -> list[str]:
    db.session.rollback()
    return list(db.session.scalars(select(Delivery.state)))


def test_workers_that_start_at_once_make_the_queue_together(place: Store) -> None:
    for _ in range(5):
        if isinstance(place, Postgres):
            with psycopg.connect(place.url) as fresh:
                fresh.execute("DROP TABLE IF EXISTS huey_kv, huey_schedule, huey_task, huey_counter")
        together = Barrier(6)

        def start(together: Barrier = together) -> Huey:
            together.wait()
            return make_queue(place.url)

        with ThreadPoolExecutor(together.parties) as pool:
            made = [one.result() for one in [pool.submit(start) for _ in range(together.parties)]]
        for huey in made:
            assert huey.pending_count() == 0
            huey.storage.close()


def test_a_wake_up_reaches_the_worker(place: Store, queued: Flask) -> None:
    turns: list[str] = []
    asking, working = Queue(place.url, lambda: None), Queue(place.url, lambda: turns.append("turn"))
    asking.wake()
    asking.wake()
    assert turns == []
    assert drain(working.huey) == 2
    assert turns == ["turn", "turn"]
    assert drain(working.huey) == 0
    for one in (asking, working):
        one.huey.storage.close()


def test_every_minute_it_wakes_by_itself(queued: Flask) -> None:
    assert [task.name for task in queue().huey._registry.periodic_tasks] == ["tick"]


def test_planning_something_due_wakes_the_worker_after_the_commit(queued: Flask) -> None:
    with transaction() as session:
        planned(session, person(session))
        assert queue().huey.pending_count() == 0
    assert queue().huey.pending_count() == 1


def test_undone_planning_wakes_nobody(queued: Flask) -> None:
    with pytest.raises(ValueError, match="undone"), transaction() as session:  # noqa: PT012
        planned(session, person(session))
        raise ValueError("undone")
    assert queue().huey.pending_count() == 0


def test_a_lost_wake_up_is_harmless(queued: Flask) -> None:
    plan()
    queue().huey.flush()
    assert drain(queue().huey) == 0
    assert states() == [State.PLANNED]
    worker.take_turn()  # the next minute's
    assert states() == [State.ACCEPTED]


def test_a_doubled_task_is_harmless(queued: Flask) -> None:
    plan()
    task = queue().huey.dequeue()
    for _ in range(3):
        queue().huey.execute(task)
    assert states() == [State.ACCEPTED]
    assert len(db.session.scalars(select(MailboxMessage.id)).all()) == 1


def test_one_call_for_help_waits_at_most(queued: Flask) -> None:
    for _ in range(5):
        call_for_help()
    assert queue().huey.pending_count() == 1
    drain(queue().huey)
    call_for_help()
    assert queue().huey.pending_count() == 1


@pytest.fixture
def working(queued: Flask, tmp_path: Path) -> Iterator[Storm]:
    """A mail server, and two workers that sleep."""
    with transaction() as session:
        session.add(Form(slug="storm", name="storm", button="Send it", wording="Yes.", created_at=NOW))
    with running(queued, tmp_path, seed=1, workers=2, delay=0, speed=1) as world:
        time.sleep(1)
        yield world


def arrived(peer: PeerProcess, count: int) -> float:
    """Seconds until the mail server has so many emails."""
    begin = time.monotonic()
    while len(peer.lines("took")) < count:
        assert time.monotonic() - begin < PATIENCE, "the email did not come"
        time.sleep(0.01)
    return time.monotonic() - begin


def sign_up(world: Storm, number: int) -> None:
    """Plan a confirmation, as a visitor does; a worker of its own process knows the letter."""
    with transaction() as session:
        reader = person(session, f"reader{number}@example.org")
        asked = consent(session, reader)
        planned(session, reader, reason=f"confirm:{asked.id}", lane=Lane.TRANSACTIONAL)


def test_a_sleeping_worker_is_awake_at_once_and_survives_while_its_queue_is_gone(place: Store, working: Storm) -> None:
    waits = []
    for number in range(1, 8):
        sign_up(working, number)
        waits.append(arrived(working.peer, number))
        time.sleep(0.3)
    assert sorted(waits)[len(waits) // 2] < QUICK, waits
    with place.gone():
        sign_up(working, 8)  # succeeds; nobody can be woken
        time.sleep(2)
    until = time.monotonic() + PATIENCE
    while len(working.peer.lines("took")) < 8:
        assert time.monotonic() < until, "no worker woke up again"
        call_for_help()
        time.sleep(0.2)
    working.zygote.listen(0)
    assert working.zygote.died == []


def test_a_queue_that_cannot_be_reached_does_not_fail_the_sign_up(app: Flask) -> None:
    app.extensions["make_queue"] = lambda: Queue("postgresql://nobody@127.0.0.1:9/none", lambda: None)
    plan()
    assert db.session.get(Subscriber, 1) is not None


def test_limits_go_on_while_redis_is_gone(tmp_path: Path, migrated_sqlite: Path) -> None:
    """The limits are counted in the same Redis; without it each process counts for itself instead of refusing all."""
    (tmp_path / "supple.db").write_bytes(migrated_sqlite.read_bytes())
    with store("redis", tmp_path) as made:
        app = create_app({"DATA_DIR": str(tmp_path), "SECRET_KEY": SECRET, "QUEUE_URL": made.url})
        with app.app_context():
            assert app.test_client().get("/signup/thanks").status_code == 200
            with made.gone():
                assert app.test_client().get("/confirm/nonsense").status_code < 500
            db.engine.dispose()
