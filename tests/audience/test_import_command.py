"""`flask import FILE.csv [--tag T] [--sequence NAME] [--attest TEXT]`."""

from __future__ import annotations

from pathlib import Path

from flask import Flask
from sqlalchemy import select

from newsletter.audience import queries
from newsletter.audience.models import Subscriber
from newsletter.audience.rules import Status
from newsletter.database.engine import db
from tests.people import ALICE, BOB, CHARLIE


def file(tmp_path: Path, text: str) -> str:
    path = tmp_path / "people.csv"
    path.write_text(text)
    return str(path)


def test_people_come_in_and_refused_rows_are_told_with_their_reasons(app: Flask, tmp_path: Path) -> None:
    source = file(tmp_path, f"email;first_name\n{ALICE};Alice\n{BOB};Bob\nnonsense;Charlie\n{CHARLIE};Charlie;x\n")
    asked = app.test_cli_runner().invoke(args=["import", source, "--tag", "Open day", "--attest", "On paper"])
    assert asked.exit_code == 0, asked.output
    assert "2 added, 0 updated, 2 refused" in asked.output
    assert "line 4: This does not look like an email address." in asked.output
    assert "line 5: This row has 3 columns" in asked.output
    db.session.rollback()
    assert set(db.session.scalars(select(Subscriber.status))) == {Status.CONFIRMED}
    assert queries.tag_names(db.session(), 1) == ["open day"]


def test_a_file_without_addresses_ends_in_words(app: Flask, tmp_path: Path) -> None:
    asked = app.test_cli_runner().invoke(args=["import", file(tmp_path, "name\nAlice\n")])
    assert asked.exit_code == 1
    assert "no column called email" in asked.output
    assert "Traceback" not in asked.output


def test_an_unknown_series_changes_nothing(app: Flask, tmp_path: Path) -> None:
    asked = app.test_cli_runner().invoke(args=["import", file(tmp_path, f"email\n{ALICE}\n"), "--sequence", "no such"])
    assert asked.exit_code == 1
    assert "no such" in asked.output
    assert db.session.scalars(select(Subscriber)).all() == []
