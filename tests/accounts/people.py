"""Alice, an operator, and how she signs in."""

from __future__ import annotations

from flask import Flask
from flask.testing import FlaskClient

from newsletter import clock
from newsletter.accounts import actions
from newsletter.accounts.models import Operator
from newsletter.database.engine import transaction

ALICE = "alice@example.org"
PASSWORD = "warm mat at seven"


def make_alice() -> Operator:
    """Alice's account."""
    with transaction() as session:
        return actions.create_operator(session, ALICE, PASSWORD, clock.now(), "Alice Berg")


def sign_in(browser: FlaskClient, password: str = PASSWORD, email: str = ALICE, **more: str) -> int:
    """Fill in the sign-in form and press the button; the status of the answer."""
    return browser.post("/admin/sign-in", data={"email": email, "password": password} | more).status_code


def signed_in(app: Flask) -> FlaskClient:
    """A new browser in which Alice has just signed in."""
    make_alice()
    browser = app.test_client()
    assert sign_in(browser) == 302
    return browser
