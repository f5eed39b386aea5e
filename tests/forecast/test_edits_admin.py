"""Editing a series in the back office: its effect first, then the change, its log, and its way back."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from newsletter import clock
from newsletter.accounts import actions as accounts
from newsletter.accounts.models import AuditEntry
from newsletter.database.engine import db, transaction
from newsletter.messages.source import parse
from newsletter.sequences import editing, versions
from newsletter.sequences.edits import Delete
from newsletter.sequences.models import SequenceVersion
from tests.sequences.conftest import MONDAY, at, emails, enrollment, join, person, rooms, sent, sequence, step, turn

__all__ = ["rooms"]

PASSWORD = "long enough to be hard to guess"
NOW = at("2026-03-03T12:00")


@pytest.fixture
def operator(sqlite_app: Flask) -> FlaskClient:
    """A signed-in operator's browser."""
    with transaction() as session:
        accounts.create_operator(session, "coach@example.org", PASSWORD, clock.now(), name="Alice")
    client = sqlite_app.test_client()
    assert client.post("/admin/sign-in", data={"email": "coach@example.org", "password": PASSWORD}).status_code == 302
    return client


def ask(client: FlaskClient, sequence_id: int, path: str = "edits", **fields: object) -> tuple[int, str]:
    """What an operator sees who sends an edit's form at NOW."""
    with clock.standing_at(NOW):
        answer = client.post(f"/admin/sequences/{sequence_id}/{path}", data=fields)
        if answer.status_code == 302:
            return 302, unescape(client.get(answer.location).text)
    return answer.status_code, unescape(re.sub(r"\s+", " ", answer.text))


def timing(amount: int, unit: str = "days", window: tuple[str, str] = ("07:00", "09:00")) -> dict[str, object]:
    return {
        "amount": amount,
        "unit": unit,
        "counts_from": "previous",
        "window_start": window[0],
        "window_end": window[1],
        "day": list("0123456"),
    }


def test_3_2_a_longer_delay_shows_who_moves_and_changes_nothing_yet(operator: FlaskClient, series: int) -> None:
    alice = person("Alice")
    join(series, alice)
    hello = step(series, "hello").id
    code, page = ask(operator, series, edit="change", step=hello, version=1, **timing(3))
    assert code == 200
    assert "Email 1 goes 3 days after joining instead of 2 days" in page
    assert "1 person</strong> gets it 1 day later" in page
    assert "alice@example.org" in page
    assert enrollment(alice).next_due_at == at("2026-03-04T07:00")
    code, page = ask(operator, series, "edits/apply", edit="change", step=hello, version=1, **timing(3))
    assert code == 302
    assert "Done: Email 1 goes 3 days after joining instead of 2 days." in page
    assert enrollment(alice).next_due_at == at("2026-03-05T07:00")
    turn(at("2026-03-05T07:00"))
    assert sent(alice) == [("Hello", "Thu 05.03. 07:00")]
