"""CSRF, security headers, cookies and limits: what every page of the site has."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from newsletter.errors import Busy, InputError, NotFound, Refused, SuppleError, TooMany
from newsletter.web.limits import limiter
from newsletter.web.security import let
from tests.doors import addresses, apart

PAGES = ["/", "/admin/sign-in", "/no/such/page", "/mailbox", "/healthz"]


@pytest.fixture
def visitor(sqlite_app: Flask) -> FlaskClient:
    return sqlite_app.test_client()


@pytest.mark.parametrize("path", PAGES)
def test_every_answer_keeps_to_itself(visitor: FlaskClient, path: str) -> None:
    headers = visitor.get(path).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]


@pytest.mark.parametrize("path", PAGES)
def test_no_page_has_inline_script_or_style_or_asks_elsewhere(visitor: FlaskClient, path: str) -> None:
    page = visitor.get(path).text
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=\"|javascript:", page)
    for tag in re.findall(r"<script[^>]*>", page):
        assert "src=" in tag or 'type="application/ld+json"' in tag, tag
    for tag in re.findall(r"<(?:script|link|img|iframe|video|audio|source)\b[^>]*>", page):
        if 'rel="canonical"' in tag:
            continue
        for url in re.findall(r"(?:src|href|srcset)=\"([^\"]*)\"", tag):
            assert re.match(r"/(?!/)|data:|http://localhost:8000/", url), tag


def test_widening_the_policy_holds_for_one_answer_only(own_app: Flask) -> None:
    def widened() -> str:
        let("frame-ancestors", "https://example.org")
        return "framed"

    own_app.add_url_rule("/framed", "framed", widened)
    visitor = own_app.test_client()
    answer = apart(visitor.get, "/framed")
    assert "frame-ancestors https://example.org" in answer.headers["Content-Security-Policy"]
    assert "X-Frame-Options" not in answer.headers
    assert "frame-ancestors 'none'" in apart(visitor.get, "/healthz").headers["Content-Security-Policy"]


# These are pressed by machines that have no cookie, and say so by a token or by being read-only (RFC 8058; embeds).
WITHOUT_KEY = (r"/unsubscribe/", r"/api/", r"/embed/")


def test_no_form_is_taken_without_its_key(sqlite_app: Flask) -> None:
    sqlite_app.config["WTF_CSRF_ENABLED"] = True
    visitor = sqlite_app.test_client()
    taken = []
    for method, path in addresses(sqlite_app):
        if method != "POST" or any(re.match(open_, path) for open_ in WITHOUT_KEY):
            continue
        answer = visitor.post(path)
        if answer.status_code != 400 or "key that belongs to this form" not in answer.text:
            taken.append((path, answer.status_code))
    assert taken == []


def test_the_session_cookie_is_for_this_site_only(sqlite_app: Flask) -> None:
    sqlite_app.config["WTF_CSRF_ENABLED"] = True
    cookies = sqlite_app.test_client().get("/admin/sign-in").headers.getlist("Set-Cookie")
    session = [cookie for cookie in cookies if cookie.startswith("supple=")]
    assert session, cookies
    assert "HttpOnly" in session[0]
    assert "SameSite=Lax" in session[0]


PROBLEMS = [
    (InputError("It was odd.", means="Nothing changed.", remedy="Try an even one."), 400),
    (NotFound("It is gone."), 404),
    (Refused("Not you."), 403),
    (TooMany("Slowly."), 429),
    (Busy("Later."), 503),
]


@pytest.mark.parametrize(("problem", "status"), PROBLEMS)
def test_our_errors_become_pages_in_words(own_app: Flask, problem: SuppleError, status: int) -> None:
    visitor = _raising(own_app, problem)
    page, api = visitor.get("/raise"), visitor.get("/api/raise")
    assert page.status_code == api.status_code == status
    for words in (problem.happened, problem.means, problem.remedy):
        assert words in page.text
    assert api.json is not None
    assert api.json["error"] == problem.happened
    assert page.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("problem", [ValueError("alice@example.org"), SuppleError("secret words"), ZeroDivisionError()])
def test_what_nobody_foresaw_shows_a_number_and_nothing_else(own_app: Flask, problem: Exception) -> None:
    page = _raising(own_app, problem).get("/raise")
    assert page.status_code == 500
    assert re.search(r"\b[0-9a-f]{8}\b", page.text)
    for told in ("alice", "secret words", "Traceback", "ZeroDivision"):
        assert told not in page.text


def _raising(app: Flask, problem: Exception) -> FlaskClient:
    def fail() -> str:
        raise problem

    app.add_url_rule("/raise", "raise", fail)
    app.add_url_rule("/api/raise", "api_raise", fail)
    return app.test_client()


def test_unknown_pages_and_wrong_methods(visitor: FlaskClient) -> None:
    assert visitor.get("/no/such/page").status_code == 404
    wrong = visitor.delete("/healthz")
    assert wrong.status_code == 405
    assert "GET" in wrong.headers["Allow"]


def test_a_title_is_escaped_on_a_problem_page(own_app: Flask) -> None:
    page = _raising(own_app, InputError("<script>alert(1)</script>")).get("/raise").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page


def test_a_limit_answers_429_in_words(own_app: Flask) -> None:
    def limited() -> str:
        return "in"

    own_app.add_url_rule("/limited", "limited", limiter.limit("2/minute")(limited))
    visitor = own_app.test_client()
    assert [visitor.get("/limited").status_code for _ in range(3)] == [200, 200, 429]
    elsewhere = visitor.get("/limited", environ_base={"REMOTE_ADDR": "192.0.2.9"})
    assert elsewhere.status_code == 200
