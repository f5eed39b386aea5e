"""The press at work in the background."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import clock
from newsletter.accounts import actions as accounts
from newsletter.database import blobs
from newsletter.database.engine import db, transaction
from newsletter.magnets import actions, jobs, pressroom, queries, sheet
from newsletter.magnets.models import Magnet, MagnetVersion
from newsletter.magnets.rules import Paper
from newsletter.magnets.sheet import Sheet
from tests.magnets.conftest import NOW

ROOT = Path(__file__).resolve().parent.parent.parent
SHORT = replace(sheet.starter(), items=sheet.starter().items[:1])
TOO_LONG = replace(
    sheet.starter(),
    items=tuple(
        replace(item, steps=("Breathe in and out, slowly and with care. " * 5,) * 4) for item in SHORT.items * 8
    ),
)


# What does not depend on the database runs on one; a press takes seconds.
BOTH_DATABASES = pytest.mark.usefixtures("app")
ONE_DATABASE = pytest.mark.usefixtures("sqlite_app")


@pytest.fixture(autouse=True)
def _today() -> object:
    with clock.standing_at(NOW):
        yield


def made(sheet_of: Sheet) -> int:
    with transaction() as session:
        return actions.create(session, sheet_of, NOW).id


def seen() -> Session:
    db.session.rollback()
    return db.session()


def magnet(magnet_id: int) -> Magnet:
    return seen().get_one(Magnet, magnet_id, populate_existing=True)


def files(magnet_id: int) -> list[MagnetVersion]:
    found = select(MagnetVersion).where(MagnetVersion.magnet_id == magnet_id).order_by(MagnetVersion.id)
    return list(seen().scalars(found))


@BOTH_DATABASES
def test_pressed_once_per_version() -> None:
    magnet_id = made(SHORT)
    assert jobs.press_due() == 1
    assert [Paper(file.paper) for file in files(magnet_id)] == [Paper.A4, Paper.LETTER]
    assert jobs.press_due() == 0
    file = files(magnet_id)[0]
    kept = blobs.get(seen(), file.blob_hash)
    assert kept is not None
    assert kept.content_type == "application/pdf"
    assert kept.size == file.size == len(kept.content)
    assert blobs.get(seen(), file.preview_hash or "") is not None


@ONE_DATABASE
def test_no_transaction_or_read_is_open_while_it_presses(monkeypatch: pytest.MonkeyPatch) -> None:
    made(SHORT)
    really, open_then = pressroom.printed, []

    def watched(*words: object) -> object:
        open_then.append(db.session().in_transaction())
        return really(*words)  # type: ignore[arg-type]

    monkeypatch.setattr(pressroom, "printed", watched)
    jobs.press_due()
    assert open_then == [False]


@BOTH_DATABASES
def test_a_changed_word_or_studio_makes_a_new_version() -> None:
    magnet_id = made(SHORT)
    jobs.press_due()
    with transaction() as session:
        actions.edit(session, magnet_id, replace(SHORT, title="Another title"), "", NOW)
    with clock.standing_at(NOW + timedelta(hours=1)):
        assert jobs.press_due() == 1
    first = files(magnet_id)[0]
    with transaction() as session:
        actions.edit(session, magnet_id, SHORT, "", NOW)
    with clock.standing_at(NOW + timedelta(hours=2)):
        assert jobs.press_due() == 1
        assert len(files(magnet_id)) == 4  # the old words have their old files, which are the newest again
    newest = queries.newest(seen(), magnet(magnet_id))
    assert newest is not None
    assert newest.blob_hash == first.blob_hash
    with transaction() as session:
        accounts.ensure_studio(session).signature = "Yours, the studio"
    assert jobs.press_due() == 1


@ONE_DATABASE
def test_what_does_not_fit_is_said_and_the_last_good_version_stays() -> None:
    magnet_id = made(SHORT)
    jobs.press_due()
    good = {file.blob_hash for file in files(magnet_id)}
    with transaction() as session:
        actions.edit(session, magnet_id, TOO_LONG, "", NOW)
    assert jobs.press_due() == 0
    assert "does not fit on one page" in magnet(magnet_id).press_error
    assert {file.blob_hash for file in files(magnet_id)} == good
    assert jobs.press_due() == 0
    assert magnet(magnet_id).press_tried_at == NOW  # and it was not tried again at once
    with transaction() as session:
        actions.edit(session, magnet_id, SHORT, "", NOW)
    jobs.press_due()
    assert magnet(magnet_id).press_error == ""


@ONE_DATABASE
def test_a_sheet_that_cannot_be_read_is_said_in_words() -> None:
    magnet_id = made(SHORT)
    with transaction() as session:
        session.get_one(Magnet, magnet_id).sheet = {"title": "Nothing else"}
    assert jobs.press_due() == 0
    assert "no moves" in magnet(magnet_id).press_error


@ONE_DATABASE
def test_one_bad_gift_does_not_keep_the_others_waiting() -> None:
    bad, good = made(TOO_LONG), made(SHORT)
    assert jobs.press_due() == 1
    assert files(bad) == []
    assert len(files(good)) == 2


@ONE_DATABASE
def test_rebuild_presses_again_and_serves_meanwhile() -> None:
    magnet_id = made(SHORT)
    jobs.press_due()
    with transaction() as session:
        actions.rebuild(session, magnet_id)
    assert queries.newest(seen(), magnet(magnet_id)) is not None
    assert jobs.press_due() == 1
    assert jobs.press_due() == 0


@ONE_DATABASE
def test_an_uploaded_gift_is_left_alone() -> None:
    magnet_id = made(SHORT)
    with transaction() as session:
        actions.replace(session, magnet_id, b"%PDF-1.7 uploaded", 1, None, now=NOW)
    assert jobs.press_due() == 0


FULL_DISK = """
import resource, sys
from newsletter.application import create_app
from newsletter.magnets import jobs, pressroom
app = create_app()
start = pressroom.subprocess.Popen

def on_a_full_disk(*words, **more):
    # Only the press inherits it: the database must be able to write down what happened.
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
    try:
        return start(*words, **more)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

pressroom.subprocess.Popen = on_a_full_disk
with app.app_context():
    sys.exit(jobs.press_due())
"""


def test_a_full_disk_is_said_in_words_and_readers_keep_the_last_version(app: Flask, tmp_path: Path) -> None:
    """The kernel refuses every write over 1 kB in a process of its own, as on a full disk."""
    magnet_id = made(SHORT)
    jobs.press_due()
    good = {file.blob_hash for file in files(magnet_id)}
    with transaction() as session:
        actions.edit(session, magnet_id, replace(SHORT, title="Another title"), "", NOW)
    db.session.remove()
    settings = app.extensions["settings"]
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",  # it would be cut off like any other file
        "DATA_DIR": str(tmp_path),
        "DATABASE_URL": settings.database_url.replace("+psycopg", ""),
        "SECRET_KEY": settings.secret_key,
        "BASE_URL": settings.base_url,
    }
    worker = subprocess.run([sys.executable, "-c", FULL_DISK], env=environ, capture_output=True, text=True, timeout=180)
    assert worker.returncode == 0, worker.stderr
    why = magnet(magnet_id).press_error
    assert "could not make the PDF" in why
    assert "File too large" in why or "No space" in why
    assert {file.blob_hash for file in files(magnet_id)} == good
    with clock.standing_at(magnet(magnet_id).press_tried_at + timedelta(minutes=16)):  # type: ignore[operator]
        assert jobs.press_due() == 1
    assert magnet(magnet_id).press_error == ""
