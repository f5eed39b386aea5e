"""`with transaction()` is the only way to write: all or nothing, one at a time, never one inside another."""

from __future__ import annotations

import sqlite3
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import event, func, select

from newsletter.application import create_app
from newsletter.database import blobs
from newsletter.database.engine import after_commit, db, transaction
from newsletter.database.models import Blob
from newsletter.errors import Busy
from tests.conftest import environment
from tests.threads import at_once

NOW = datetime(2026, 3, 4, 9, 30, tzinfo=UTC)


def kept() -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(Blob)) or 0


def test_a_block_that_ends_is_committed(app: Flask) -> None:
    with transaction() as session:
        blobs.put(session, b"a", "text/plain", NOW)
    assert kept() == 1


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_takes_everything_back(app: Flask, error: type[BaseException]) -> None:
    with pytest.raises(error), transaction() as session:  # noqa: PT012
        blobs.put(session, b"a", "text/plain", NOW)
        raise error
    assert kept() == 0
    with transaction() as session:
        blobs.put(session, b"b", "text/plain", NOW)
    assert kept() == 1


def test_a_transaction_inside_a_transaction_is_refused_and_the_outer_one_undone(app: Flask) -> None:
    with pytest.raises(RuntimeError, match="only a front"), transaction() as session:  # noqa: PT012
        blobs.put(session, b"a", "text/plain", NOW)
        with transaction():
            pass
    assert kept() == 0
    with transaction():
        pass


def test_a_write_sees_the_present_not_an_earlier_read(app: Flask) -> None:
    assert kept() == 0
    at_once(app, 1, lambda _: _put(b"from elsewhere"))
    with transaction() as session:
        assert session.scalar(select(func.count()).select_from(Blob)) == 1


def test_hooks_run_once_after_the_commit_and_never_without_one(app: Flask) -> None:
    seen: list[int] = []

    def hook() -> None:
        seen.append(kept())

    with transaction() as session:
        blobs.put(session, b"a", "text/plain", NOW)
        after_commit(session, hook)
        after_commit(session, hook)
        assert seen == []
    assert seen == [1]
    with pytest.raises(ValueError, match="undone"), transaction() as session:  # noqa: PT012
        after_commit(session, hook)
        raise ValueError("undone")
    with transaction():
        pass
    assert seen == [1]


def test_a_hook_that_fails_does_not_undo_the_write(app: Flask) -> None:
    def hook() -> None:
        raise OSError("the queue is gone")

    with transaction() as session:
        blobs.put(session, b"a", "text/plain", NOW)
        after_commit(session, hook)
    assert kept() == 1


def _put(content: bytes) -> None:
    with transaction() as session:
        blobs.put(session, content, "text/plain", NOW)


def test_writers_queue_up_instead_of_failing(app: Flask) -> None:
    """Each reads, waits and writes: on SQLite a writer that began as a reader would be refused at once."""

    def write(number: int) -> None:
        with transaction() as session:
            session.scalar(select(func.count()).select_from(Blob))
            time.sleep(0.02)
            blobs.put(session, b"%d" % number, "text/plain", NOW)

    at_once(app, 6, write)
    assert kept() == 6


def test_the_same_file_from_two_writers_at_once_is_kept_once(app: Flask) -> None:
    def write(_number: int) -> str:
        with transaction() as session:
            name = blobs.put(session, b"the same", "text/plain", NOW)
            time.sleep(0.02)
            return name

    assert len(set(at_once(app, 4, write))) == 1
    assert kept() == 1


def test_a_reader_is_not_stopped_by_a_writer(app: Flask) -> None:
    def read(_number: int) -> int:
        return db.session.scalar(select(func.count()).select_from(Blob)) or 0

    with transaction() as session:
        blobs.put(session, b"a", "text/plain", NOW)
        assert at_once(app, 1, read) == [0]
    assert at_once(app, 1, read) == [1]


def impatient(app: Flask) -> None:
    """Waiting ten seconds for a locked database shows nothing that a tenth does not."""
    event.listen(db.engine, "connect", lambda raw, _record: raw.execute("PRAGMA busy_timeout=100"))


def test_a_locked_database_is_busy_and_the_visitor_gets_a_page(own_app: Flask, tmp_path: Path) -> None:
    impatient(own_app)
    _door(own_app)
    holder = sqlite3.connect(tmp_path / "supple.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(Busy), transaction():
        pass
    answer = own_app.test_client().post("/write")
    assert answer.status_code == 503
    assert "Try again in a moment" in answer.text
    assert "Traceback" not in answer.text
    holder.execute("ROLLBACK")
    holder.close()
    assert own_app.test_client().post("/write").text == "done"


def _door(app: Flask) -> None:
    def write() -> str:
        _put(b"a")
        return "done"

    app.add_url_rule("/write", "write", write, methods=["POST"])


@pytest.mark.parametrize("path", ["/", "/healthz", "/admin/sign-in", "/no/such/page"])
def test_without_its_database_the_site_says_so_in_words(path: str, tmp_path: Path) -> None:
    app = create_app(environment(tmp_path, DATABASE_URL="postgresql://nobody@127.0.0.1:9/none"))
    answer = app.test_client().get(path)
    assert answer.status_code in {404, 503}
    assert "nobody" not in answer.text
    assert "Traceback" not in answer.text
