"""Counting clicks can be switched off, and readers are told which it is."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from newsletter import tokens
from newsletter.accounts import queries as accounts
from newsletter.database.engine import db, transaction
from newsletter.settings import current
from newsletter.tokens import Purpose
from newsletter.tracking import actions
from tests.accounts.people import signed_in
from tests.people import NOW
from tests.tracking.conftest import MOVES, Post

SETTINGS = {
    "name": "Your Studio",
    "accent": "#A84A27",
    "timezone": "UTC",
    "download_days": "365",
    "purge_days": "30",
    "reminder": "yes",
    "one_a_day": "yes",
    "first": "series",
    "overdue_hours": "48",
}


@pytest.fixture
def operator(app: Flask) -> FlaskClient:
    """A signed-in operator's browser."""
    return signed_in(app)


def counts() -> bool:
    db.session.rollback()
    return accounts.studio(db.session()).track_clicks


def test_the_operator_switches_it_off_and_on_again(operator: FlaskClient) -> None:
    assert 'name="track_clicks" type="checkbox" value="yes" checked' in operator.get("/admin/settings").text
    operator.post("/admin/settings", data=SETTINGS)
    assert counts() is False
    assert 'name="track_clicks" type="checkbox" value="yes" aria' in operator.get("/admin/settings").text
    operator.post("/admin/settings", data=SETTINGS | {"track_clicks": "yes"})
    assert counts() is True


def preferences(browser: FlaskClient, post: Post) -> str:
    token = tokens.sign(current().secret_key, Purpose.PREFERENCES, post.alice, at=NOW)
    return browser.get(f"/preferences/{token}").text


def test_readers_are_told_which_it_is(operator: FlaskClient, app: Flask, post: Post) -> None:
    reader = app.test_client()
    assert "When you press a link in our news and series, we keep which one and when" in preferences(reader, post)
    operator.post("/admin/settings", data=SETTINGS)
    told = preferences(reader, post)
    assert "When you press a link" not in told
    assert "we never know" in told


def test_4_a_reader_sees_their_own_clicks(app: Flask, client: FlaskClient, post: Post) -> None:
    with transaction() as session:
        actions.record_clicks(session, [post.click(), post.click(post.hips, bob=True)])
    token = tokens.sign(current().secret_key, Purpose.PREFERENCES, post.alice, at=NOW)
    assert MOVES in client.get(f"/preferences/{token}/data").text
    held = client.get(f"/preferences/{token}/data?format=json").get_json()
    assert [one["link"] for one in held["clicks"]] == [MOVES]


def test_the_operator_sees_a_persons_clicks(operator: FlaskClient, post: Post) -> None:
    with transaction() as session:
        actions.record_clicks(session, [post.click(), post.click(post.hips, bob=True)])
    page = operator.get(f"/admin/subscribers/{post.alice}").text
    assert "Pressed the link to example.org/moves" in page
    assert "example.org/hips" not in page
