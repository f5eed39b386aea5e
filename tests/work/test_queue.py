"""The queue wakes workers; it may lose a task or run one twice, and nothing is lost or doubled by it."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask
from huey import Huey
from sqlalchemy import select

from newsletter.audience.models import Subscriber
from newsletter.database.engine import db, transaction
from newsletter.delivery import queries
from newsletter.delivery.models import Delivery
from newsletter.delivery.rules import State
from newsletter.work.queue import Queue, queue
from tests.people import NOW, person, planned


@pytest.fixture(params=["sqlite", "postgresql"])
def queue_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The queue on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'queue.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


def drain(huey: Huey) -> int:
    """Do what waits in the queue, as its consumer would; returns how many tasks there were."""
    count = 0
    while huey.pending_count():  # asking for a task that is not there would wait for one
        huey.execute(huey.dequeue())
        count += 1
    return count


def test_a_wake_up_reaches_the_worker(queue_url: str) -> None:
    turns: list[str] = []
    asking, working = Queue(queue_url, lambda: None), Queue(queue_url, lambda: turns.append("turn"))
    working.huey.flush()
    asking.wake()
    asking.wake()
    assert turns == []
    assert drain(working.huey) == 2
    assert turns == ["turn", "turn"]
    assert drain(working.huey) == 0
    for one in (asking, working):
        one.huey.storage.close()


def test_every_minute_it_wakes_by_itself(queue_url: str) -> None:
    made = Queue(queue_url, lambda: None)
    assert [task.name for task in made.huey._registry.periodic_tasks] == ["tick"]
    made.huey.storage.close()


def test_planning_something_due_wakes_the_worker_after_the_commit(app: Flask) -> None:
    huey = queue().huey
    with transaction() as session:
        planned(session, person(session))
        assert huey.pending_count() == 0
    assert huey.pending_count() == 1


def test_undone_planning_wakes_nobody(app: Flask) -> None:
    with pytest.raises(ValueError, match="undone"), transaction() as session:  # noqa: PT012
        planned(session, person(session))
        raise ValueError("undone")
    assert queue().huey.pending_count() == 0


def test_a_lost_wake_up_is_harmless(app: Flask) -> None:
    with transaction() as session:
        planned(session, person(session))
    queue().huey.flush()
    assert drain(queue().huey) == 0
    assert db.session.scalars(select(Delivery.state)).all() == [State.PLANNED]
    assert queries.next_due(db.session()) == NOW


def test_a_queue_that_cannot_be_reached_does_not_fail_the_sign_up(app: Flask) -> None:
    app.extensions["make_queue"] = lambda: Queue("postgresql://nobody@127.0.0.1:9/none", lambda: None)
    with transaction() as session:
        planned(session, person(session))
    assert db.session.get(Subscriber, 1) is not None
