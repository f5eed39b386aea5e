"""An operator who forgot the password gets a new one on the command line."""

from __future__ import annotations

import pytest
from flask import Flask

from newsletter.accounts import passwords, queries
from newsletter.database.engine import db
from tests.accounts.people import make_alice

ALICE = "alice@example.org"


def reset(app: Flask, *arguments: str, typed: str = "four words in a row") -> str:
    """Run `flask create-admin`."""
    done = app.test_cli_runner().invoke(args=["create-admin", *arguments, "--password-stdin"], input=f"{typed}\n")
    return done.output


def test_a_new_password_ends_every_session(app: Flask) -> None:
    make_alice()
    before = queries.operator_by_email(db.session(), ALICE)
    assert before is not None
    key = before.session_key
    assert "can sign in now" in reset(app, ALICE, "--reset")
    db.session.rollback()
    after = queries.operator_by_email(db.session(), ALICE)
    assert after is not None
    assert passwords.matches(after.password_hash, "four words in a row")
    assert after.session_key != key


@pytest.mark.parametrize(
    ("arguments", "password", "words"),
    [
        (("charlie@example.org", "--reset"), "four words in a row", "There is no operator"),
        ((ALICE, "--reset"), "short", "cannot be used"),
        ((ALICE,), "four words in a row", "already"),
    ],
)
def test_what_cannot_be_done_is_said_plainly(app: Flask, arguments: tuple[str, ...], password: str, words: str) -> None:
    make_alice()
    said = reset(app, *arguments, typed=password)
    assert words in said
    assert "Traceback" not in said
