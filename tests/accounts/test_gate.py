"""Charlie, a stranger, is refused at every door of the back office; forms want their key."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

from newsletter import clock, tokens
from newsletter.settings import current
from newsletter.tokens import Purpose
from tests.accounts.people import ALICE, PASSWORD, make_alice, signed_in

OPEN = {"accounts.sign_in", "accounts.setup"}


def back_office(app: Flask, method: str) -> Iterator[str]:
    """The address of every back-office route that takes `method`, with made-up ids."""
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/admin") and method in (rule.methods or ()) and rule.endpoint not in OPEN:
            yield re.sub(r"<[^>]+>", "1", re.sub(r"<any\((\w+).*?\):\w+>", r"\1", rule.rule))


def test_charlie_who_looks_is_sent_to_the_door(sqlite_app: Flask) -> None:
    charlie = sqlite_app.test_client()
    paths = list(back_office(sqlite_app, "GET"))
    assert len(paths) > 5
    for path in paths:
        answer = charlie.get(path)
        assert answer.status_code == 302, path
        assert answer.location.startswith("/admin/sign-in?next=/admin"), path


def test_charlie_who_acts_is_refused(sqlite_app: Flask) -> None:
    charlie = sqlite_app.test_client()
    paths = list(back_office(sqlite_app, "POST"))
    assert len(paths) > 5
    for path in paths:
        assert charlie.post(path).status_code == 403, path


def test_every_form_wants_its_key(sqlite_app: Flask) -> None:
    browser = signed_in(sqlite_app)
    sqlite_app.config["WTF_CSRF_ENABLED"] = True
    token = tokens.sign(current().secret_key, Purpose.SETUP, at=clock.now())
    for path in [*back_office(sqlite_app, "POST"), "/admin/sign-in", f"/admin/setup/{token}"]:
        answer = browser.post(path)
        assert answer.status_code == 400, path
        assert "key that belongs to this form" in answer.text, path


def key_in(page: str) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found is not None
    return found[1]


def test_with_its_key_a_form_works(sqlite_app: Flask) -> None:
    make_alice()
    sqlite_app.config["WTF_CSRF_ENABLED"] = True
    browser = sqlite_app.test_client()
    key = key_in(browser.get("/admin/sign-in").text)
    answer = browser.post("/admin/sign-in", data={"email": ALICE, "password": PASSWORD, "csrf_token": key})
    assert answer.status_code == 302
    key = key_in(browser.get("/admin/account").text)
    assert browser.post("/admin/account/name", data={"name": "Alice", "csrf_token": key}).status_code == 302


@pytest.fixture
def alice(sqlite_app: Flask) -> FlaskClient:
    return signed_in(sqlite_app)


def test_no_page_of_the_back_office_stays_in_a_cache(alice: FlaskClient) -> None:
    for path in ("/admin/", "/admin/subscribers", "/admin/settings", "/admin/account"):
        assert alice.get(path).headers["Cache-Control"] == "no-store", path


def test_no_page_has_a_script_or_a_style_in_it(alice: FlaskClient) -> None:
    for path in ("/admin/", "/admin/subscribers", "/admin/subscribers/add", "/admin/settings", "/admin/account"):
        page = alice.get(path).text
        assert not re.search(r"<style|<script(?![^>]*\bsrc=)|\sstyle=|\son[a-z]+=", page), path


def test_a_cookie_that_nobody_signed_opens_nothing(sqlite_app: Flask) -> None:
    make_alice()
    charlie = sqlite_app.test_client()
    charlie.set_cookie("supple", "eyJfdXNlcl9pZCI6IjE6eCJ9.aaaaaa.bbbbbb")
    assert charlie.get("/admin/").status_code == 302
