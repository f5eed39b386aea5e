"""What goes wrong around a visitor: nothing is lost, and the visitor still gets the thank-you page."""

from __future__ import annotations

import os
import sqlite3
import stat
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from newsletter import addresses, clock, worker
from newsletter.database import engine
from newsletter.database.engine import db
from newsletter.delivery import queries as ledger
from newsletter.delivery.models import Delivery
from newsletter.settings import Smtp, current
from newsletter.signup import jobs, letters, spool
from newsletter.signup.actions import Press
from tests.journeys.conftest import free_port
from tests.signup.conftest import Visitor, person

ALICE, BOB = "alice@example.org", "bob@example.org"


def delivery_of(email: str) -> Delivery:
    """The one email that a person has in the ledger."""
    db.session.rollback()
    found = person(email)
    assert found is not None
    return db.session.scalars(select(Delivery).where(Delivery.subscriber_id == found.id)).one()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that gives up after a moment, so that the test does not take ten seconds."""
    monkeypatch.setattr(engine, "BUSY_SECONDS", 0)


# PostgreSQL has no lock on the whole database.
@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_database_locked_keeps_the_sign_up_and_thanks(visitor: Visitor, impatient: None) -> None:
    db.session.remove()
    db.engine.dispose()
    file = current().data_dir / "supple.db"
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        answer = visitor.sign_up(ALICE)
        assert (answer.status_code, answer.location) == (303, "/signup/thanks")
        assert visitor.client.get("/signup/thanks").status_code == 200
    finally:
        other.execute("ROLLBACK")
        other.close()
    [kept] = (current().data_dir / "spool").iterdir()
    assert stat.S_IMODE(os.stat(kept).st_mode) == 0o600
    assert person(ALICE) is None
    [email] = visitor.emails(ALICE)
    assert "/confirm/" in email.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert not list((current().data_dir / "spool").iterdir())


def test_1_11_mail_server_down_keeps_the_email_and_tells_the_operator(visitor: Visitor, app: Flask) -> None:
    settings = current()
    nowhere = Smtp("127.0.0.1", free_port(), "", "", implicit_tls=False, starttls="never")
    app.extensions["settings"] = replace(settings, smtp=nowhere)
    assert visitor.sign_up(ALICE).status_code == 303
    worker.take_turn()
    [problem] = ledger.relay_problems(db.session())
    assert "cannot be used" in problem.problem
    assert "nothing is lost" in problem.problem
    app.extensions["settings"] = settings
    row = delivery_of(ALICE)
    assert (row.state, row.attempts) == ("planned", 0)
    with clock.standing_at(clock.now() + timedelta(minutes=2)):
        assert len(visitor.emails(ALICE)) == 1


def test_broken_template_waits_with_its_reason_and_hurts_nobody_else(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "confirm.md").write_text("---\nsubject: Hello\n---\n{{ links.confirn }}\n")
    visitor.sign_up(BOB)
    assert len(visitor.emails(BOB)) == 1
    with monkeypatch.context() as patched:
        patched.setattr(letters, "SYSTEM", tmp_path)
        letters._compiled.cache_clear()
        assert visitor.sign_up(ALICE).status_code == 303
        worker.take_turn()
        letters._compiled.cache_clear()
    row = delivery_of(ALICE)
    assert row.state == "deferred"
    assert "confirn" in row.state_why
    assert "line 4" in row.state_why
    with clock.standing_at(clock.now() + timedelta(hours=1)):
        assert len(visitor.emails(ALICE)) == 1, "mended, it goes by itself"


def test_the_thank_you_page_does_not_need_a_working_template(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "confirm.md").write_text("---\nsubject: Hello {{ nonsense\n---\nx\n")
    with monkeypatch.context() as patched:
        patched.setattr(letters, "SYSTEM", tmp_path)
        letters._compiled.cache_clear()
        visitor.sign_up(ALICE)
        assert visitor.client.get("/signup/thanks").status_code == 200
    letters._compiled.cache_clear()


def test_1_11_a_kept_sign_up_that_cannot_be_taken_in_holds_nobody_up(visitor: Visitor) -> None:
    folder, now = current().data_dir / "spool", clock.now()
    for at, email, form in ((now - timedelta(minutes=1), BOB, "gone"), (now, ALICE, "stretches")):
        press = Press(addresses.parse(email), follow=False, page_url="", ip="192.0.2.7", user_agent="A browser")
        spool.keep(folder, form, press, at)
    assert jobs.take_spooled() == 1
    assert person(ALICE) is not None
    assert [file.suffix for file in folder.iterdir()] == [".refused"]
