"""The commands, as the person at the terminal meets them."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import select

from newsletter import clock
from newsletter.accounts import actions as accounts
from newsletter.accounts.models import AuditEntry
from newsletter.audience import actions as audience
from newsletter.audience.models import Subscriber
from newsletter.broadcasts.models import Broadcast
from newsletter.database.engine import db, transaction
from newsletter.delivery.models import MailboxMessage
from tests.people import ALICE, BOB, CHARLIE, person

WORDS = "---\nsubject: A Sunday stretch\n---\nHello {{ subscriber.first_name or 'there' }}.\n"


def run(app: Flask, *arguments: str) -> Result:
    """Run a flask command, with nothing of an earlier one left."""
    db.session.remove()
    return app.test_cli_runner().invoke(args=list(arguments))


def noted() -> list[tuple[str, int | None, dict[str, object]]]:
    """What the audit log says was done, by whom."""
    found = select(AuditEntry.action, AuditEntry.operator_id, AuditEntry.detail).order_by(AuditEntry.id)
    return [tuple(row) for row in db.session.execute(found)]


@pytest.fixture
def letter(tmp_path: Path) -> str:
    """An email as a file."""
    file = tmp_path / "sunday.md"
    file.write_text(WORDS, encoding="utf-8")
    return str(file)


@pytest.fixture
def readers(app: Flask) -> None:
    """Alice, tagged yoga, and Bob, who left."""
    with transaction() as session:
        alice = person(session, ALICE)
        person(session, BOB, status="unsubscribed")
        audience.add_tag(session, alice.id, "yoga", clock.now())


def test_broadcast_goes_to_whom_it_names(app: Flask, readers: None, letter: str) -> None:
    done = run(app, "broadcast", letter, "--to", "tag:yoga")
    assert done.exit_code == 0, done.output
    assert run(app, "worker", "--once").exit_code == 0
    lines = run(app, "ledger", "--format", "jsonl").stdout.splitlines()
    sent = [json.loads(line) for line in lines]
    assert [(row["email"], row["state"], row["attempts"]) for row in sent] == [(ALICE, "accepted", 1)]
    assert noted() == [("broadcast.queued", None, {"audience": "tag:yoga"})]
    assert sent[0].keys() >= {"id", "email", "reason", "state", "message_id", "due_at", "accepted_at", "attempts"}


def test_3_21_the_forecast_says_how_many_first_and_who_where_it_is_asked(
    app: Flask, readers: None, letter: str
) -> None:
    with transaction() as session:
        person(session, CHARLIE)
    tomorrow = clock.now() + timedelta(days=1)
    assert run(app, "broadcast", letter, "--to", "all", "--at", tomorrow.isoformat()).exit_code == 0
    counts = run(app, "forecast")
    assert counts.exit_code == 0, counts.output
    cells = [cell.strip() for cell in counts.output.replace("\n", "│").split("│")]
    assert "2" in cells, "Alice and Charlie; Bob left"
    assert "Sunday" in counts.output
    assert "alice" not in counts.output.lower()
    named = run(app, "forecast", "--names").output
    assert "Sunday" in named
    assert "alice" in named
    assert "charlie" in named
    rows = json.loads(run(app, "forecast", "--format", "json").stdout)
    assert sorted(row["subscriber"] for row in rows) == [ALICE, CHARLIE]


@pytest.mark.parametrize("to", ["tag:nobody", "segment:warm", "tag:", "everyone"])
def test_broadcast_to_nobody_is_refused_in_words(app: Flask, readers: None, letter: str, to: str) -> None:
    done = run(app, "broadcast", letter, "--to", to)
    assert done.exit_code == 1
    assert "Error: " in done.output
    assert "Traceback" not in done.output
    assert db.session.scalars(select(Broadcast)).all() == []


def test_broadcast_at_a_moment_waits_for_it(app: Flask, readers: None, letter: str) -> None:
    tomorrow = clock.now() + timedelta(days=1)
    assert run(app, "broadcast", letter, "--to", "all", "--at", tomorrow.isoformat()).exit_code == 0
    run(app, "worker", "--once")
    assert db.session.scalars(select(MailboxMessage)).all() == []
    run(app, "worker", "--once", "--as-of", (tomorrow + timedelta(minutes=1)).isoformat())
    assert [message.recipient for message in db.session.scalars(select(MailboxMessage))] == [ALICE]


def test_emails_come_from_the_studio_by_its_own_name(app: Flask, readers: None, letter: str) -> None:
    with transaction() as session:
        accounts.ensure_studio(session).name = "Alice moves"
    run(app, "broadcast", letter, "--to", "all")
    run(app, "worker", "--once")
    assert b"From: Alice moves <studio@example.org>" in db.session.scalars(select(MailboxMessage)).one().content


def test_as_of_goes_with_once(app: Flask) -> None:
    done = run(app, "worker", "--as-of", "2026-01-31T07:00:00+01:00")
    assert done.exit_code == 2
    assert "--once" in done.output


def test_import_says_why_a_row_is_refused(app: Flask, readers: None, tmp_path: Path) -> None:
    people = tmp_path / "people.csv"
    people.write_text("email,first_name\ndora@example.org,Dora\nnonsense,\nbob@example.org,Bob\n", encoding="utf-8")
    done = run(app, "import", str(people), "--tag", "autumn", "--attest", "signed a list in class")
    assert "1 added, 0 updated, 2 refused" in done.output
    assert "line 3:" in done.output
    assert "line 4:" in done.output
    found = db.session.scalars(select(Subscriber.email).order_by(Subscriber.id)).all()
    assert found == [ALICE, BOB, "dora@example.org"]
    assert noted() == [("subscribers.imported", None, {"added": 1, "updated": 0, "refused": 2})]


def test_the_doctor_names_what_is_wrong_and_what_to_do(app: Flask) -> None:
    done = run(app, "doctor")
    assert done.exit_code == 1
    assert "No worker is running" in done.output
    assert "flask worker" in done.output
