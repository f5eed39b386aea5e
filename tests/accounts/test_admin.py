"""Signing in and out, the first operator, the own account, settings and the log, as a browser meets them."""

from __future__ import annotations

import io
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image

from newsletter import clock, tokens
from newsletter.accounts import passwords, queries
from newsletter.accounts.models import Operator
from newsletter.database.engine import db
from newsletter.settings import current
from newsletter.tokens import Purpose
from tests.accounts.people import ALICE, PASSWORD, make_alice, sign_in, signed_in
from tests.accounts.test_rules import form


@pytest.fixture
def alice(sqlite_app: Flask) -> FlaskClient:
    """Alice's browser, signed in."""
    return signed_in(sqlite_app)


def test_alice_comes_in_and_her_sign_in_is_noted(alice: FlaskClient) -> None:
    assert "Hello, Alice" in alice.get("/admin/").text
    assert db.session().get_one(Operator, 1).signed_in_at is not None


def test_an_address_may_be_typed_in_capitals(sqlite_app: Flask) -> None:
    make_alice()
    assert sign_in(sqlite_app.test_client(), email=" Alice@Example.org ") == 302


@pytest.mark.parametrize(
    ("email", "password"),
    [(ALICE, "wrong mat at seven"), ("charlie@example.org", PASSWORD), ("", ""), ("x", "y" * 5000)],
)
def test_a_wrong_password_and_an_unknown_address_get_the_same_answer(
    sqlite_app: Flask, email: str, password: str
) -> None:
    make_alice()
    answer = sqlite_app.test_client().post("/admin/sign-in", data={"email": email, "password": password})
    assert answer.status_code == 401
    assert "The address or the password is not right." in answer.text


def test_an_unknown_address_costs_a_hash_like_a_known_one(sqlite_app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted, not timed: a clock in a test is a coin toss on a busy machine."""
    make_alice()
    verified: list[str] = []

    class Counting(type(passwords.HASHER)):  # type: ignore[misc]
        def verify(self, kept: str, password: str) -> bool:
            verified.append(kept)
            return bool(super().verify(kept, password))

    monkeypatch.setattr(passwords, "HASHER", Counting(time_cost=1, memory_cost=8, parallelism=1))
    sign_in(sqlite_app.test_client(), email="charlie@example.org")
    sign_in(sqlite_app.test_client(), password="wrong mat at seven")
    assert len(verified) == 2
    assert len({kept.rsplit("$", 2)[0] for kept in verified}) == 1, "made with the same parameters"


def test_guessing_from_one_place_ends_after_ten_tries(sqlite_app: Flask) -> None:
    make_alice()
    charlie = sqlite_app.test_client()
    answers = [sign_in(charlie, email=f"guess{number}@example.org") for number in range(11)]
    assert answers == [401] * 10 + [429]


def test_guessing_one_address_from_many_places_ends_too(sqlite_app: Flask) -> None:
    make_alice()
    charlie = sqlite_app.test_client()

    def guess(number: int) -> int:
        data = {"email": ALICE, "password": f"guess number {number}"}
        return charlie.post("/admin/sign-in", data=data, environ_base={"REMOTE_ADDR": f"192.0.2.{number}"}).status_code

    assert [guess(number) for number in range(11)] == [401] * 10 + [429]


def test_another_spelling_of_an_address_gives_no_further_guesses(sqlite_app: Flask) -> None:
    make_alice()
    charlie = sqlite_app.test_client()
    answers = []
    for number in range(11):
        email = ("alice@example.org", "ALICE@example.org", "alice@\uff45xample.org", "alice@example\u3002org")[
            number % 4
        ]
        origin = {"REMOTE_ADDR": f"192.0.2.{number}"}
        data = {"email": email, "password": f"guess number {number}"}
        answers.append(charlie.post("/admin/sign-in", data=data, environ_base=origin).status_code)
    assert answers == [401] * 10 + [429]


def test_signing_in_often_locks_nobody_out(sqlite_app: Flask) -> None:
    make_alice()
    assert [sign_in(sqlite_app.test_client()) for _ in range(12)] == [302] * 12


@pytest.mark.parametrize("asked", ["https://evil.example/", "//evil.example/admin/", "/\\evil.example", "http://["])
def test_signing_in_leads_to_no_other_site(sqlite_app: Flask, asked: str) -> None:
    make_alice()
    browser = sqlite_app.test_client()
    answer = browser.post("/admin/sign-in", data={"email": ALICE, "password": PASSWORD, "next": asked})
    assert answer.location == "/admin/"
    assert browser.get("/admin/sign-in", query_string={"next": asked}).location == "/admin/"


def test_signing_in_leads_back_to_the_page_one_wanted(sqlite_app: Flask) -> None:
    make_alice()
    browser = sqlite_app.test_client()
    wanted = urlsplit(browser.get("/admin/subscribers?q=bob").location)
    assert (wanted.path, wanted.query) == ("/admin/sign-in", "next=/admin/subscribers?q%3Dbob")
    asked = "/admin/subscribers?q=bob"
    answer = browser.post("/admin/sign-in", data={"email": ALICE, "password": PASSWORD, "next": asked})
    assert answer.location == asked


def test_what_was_planted_in_the_session_before_signing_in_is_gone(sqlite_app: Flask) -> None:
    make_alice()
    browser = sqlite_app.test_client()
    with browser.session_transaction() as planted:
        planted["planted"] = "by Charlie"
    sign_in(browser)
    with browser.session_transaction() as kept:
        assert "planted" not in kept


def test_staying_signed_in_is_a_choice(sqlite_app: Flask) -> None:
    make_alice()
    for stay in ("", "yes"):
        answer = sqlite_app.test_client().post(
            "/admin/sign-in", data={"email": ALICE, "password": PASSWORD, "stay": stay}
        )
        cookie = answer.headers["Set-Cookie"]
        assert ("Expires=" in cookie) is (stay == "yes")
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie


def test_signing_out_ends_every_copy_of_the_cookie(sqlite_app: Flask, alice: FlaskClient) -> None:
    kept = alice.get_cookie("supple")
    assert kept is not None
    assert alice.get("/admin/sign-out").status_code == 405
    assert alice.post("/admin/sign-out").status_code == 302
    assert alice.get("/admin/").status_code == 302
    charlie = sqlite_app.test_client()
    charlie.set_cookie("supple", kept.value)
    assert charlie.get("/admin/").status_code == 302


def test_a_changed_password_ends_every_other_session(sqlite_app: Flask, alice: FlaskClient) -> None:
    phone = sqlite_app.test_client()
    sign_in(phone)
    assert phone.get("/admin/").status_code == 200
    new = {"current": PASSWORD, "new": "a different mat", "again": "a different mat"}
    assert alice.post("/admin/account/password", data=new).status_code == 302
    assert alice.get("/admin/").status_code == 200
    assert phone.get("/admin/").status_code == 302
    assert sign_in(sqlite_app.test_client()) == 401
    assert sign_in(sqlite_app.test_client(), password="a different mat") == 302


@pytest.mark.parametrize(
    ("current_password", "new", "again", "words"),
    [
        ("wrong", "a different mat", "a different mat", "not your current password"),
        (PASSWORD, "a different mat", "another mat", "not the same"),
        (PASSWORD, "short", "short", "at least 10 characters"),
    ],
)
def test_a_password_is_not_changed_by_mistake(
    alice: FlaskClient, current_password: str, new: str, again: str, words: str
) -> None:
    data = {"current": current_password, "new": new, "again": again}
    answer = alice.post("/admin/account/password", data=data)
    assert answer.status_code == 400
    assert words in answer.text
    assert alice.get("/admin/").status_code == 200


def setup_path(age: timedelta = timedelta(0)) -> str:
    return f"/admin/setup/{tokens.sign(current().secret_key, Purpose.SETUP, at=clock.now() - age)}"


def test_the_setup_link_makes_the_first_operator_once(sqlite_app: Flask) -> None:
    link = queries.setup_url(db.session())
    assert link is not None
    path = urlsplit(link).path
    browser = sqlite_app.test_client()
    assert "Make your account" in browser.get(path).text
    assert browser.post(path, data={"email": ALICE, "password": PASSWORD}).location == "/admin/"
    assert browser.get("/admin/").status_code == 200
    charlie = sqlite_app.test_client()
    assert charlie.get(path).status_code == 410
    answer = charlie.post(path, data={"email": "charlie@example.org", "password": "let me in please"})
    assert answer.status_code == 410


def test_a_weak_password_is_asked_again_and_the_link_stays_good(sqlite_app: Flask) -> None:
    browser = sqlite_app.test_client()
    answer = browser.post(setup_path(), data={"email": ALICE, "password": "short"})
    assert answer.status_code == 400
    assert f'value="{ALICE}"' in answer.text
    assert browser.post(setup_path(), data={"email": ALICE, "password": PASSWORD}).status_code == 302


def test_an_old_foreign_or_broken_setup_link_is_refused(sqlite_app: Flask) -> None:
    charlie = sqlite_app.test_client()
    foreign = tokens.sign("x" * 40, Purpose.SETUP, at=clock.now())
    other = tokens.sign(current().secret_key, Purpose.CONFIRM, at=clock.now())
    for path in (setup_path(timedelta(days=8)), f"/admin/setup/{foreign}", f"/admin/setup/{other}", "/admin/setup/x"):
        assert charlie.get(path).status_code == 410
        answer = charlie.post(path, data={"email": "charlie@example.org", "password": "let me in please"})
        assert answer.status_code == 410
    assert not queries.is_set_up(db.session())


def test_the_name_is_changed(alice: FlaskClient) -> None:
    assert alice.post("/admin/account/name", data={"name": "  Alice\nLund "}).status_code == 302
    assert 'value="Alice Lund"' in alice.get("/admin/account").text


def test_settings_are_saved_shown_and_logged(alice: FlaskClient) -> None:
    typed = form(name="Mill Lane <b>Movement</b>", accent="#356b4a", timezone="Europe/Lisbon", postal_address="Lane 3")
    answer = alice.post("/admin/settings", data=typed)
    # Semantics 3.8: whom another zone moves is shown before it is kept; everything else is kept already.
    assert answer.location == "/admin/settings/zone?timezone=Europe/Lisbon"
    page = alice.get("/admin/settings").text
    assert "Mill Lane &lt;b&gt;Movement&lt;/b&gt;" in page
    assert '<option value="UTC" selected>' in page
    assert alice.post("/admin/settings/zone", data={"timezone": "Europe/Lisbon"}).status_code == 302
    page = alice.get("/admin/settings").text
    assert '<option value="Europe/Lisbon" selected>' in page
    assert 'href="/theme/356B4A.css"' in page
    log = alice.get("/admin/activity").text
    assert "Changed the settings" in log
    assert "postal address" in log
    assert "Lane 3" not in log


def test_a_wrong_setting_is_shown_beside_its_field_and_nothing_is_saved(alice: FlaskClient) -> None:
    answer = alice.post("/admin/settings", data=form(name="New name", video_url="javascript:alert(1)"))
    assert answer.status_code == 400
    assert 'id="video_url-error"' in answer.text
    assert 'value="New name"' in answer.text  # what was typed is not lost
    assert queries.studio(db.session()).name == "Your Studio"


def upload(browser: FlaskClient, content: bytes, name: str = "logo.png") -> int:
    return browser.post("/admin/settings/logo", data={"logo": (io.BytesIO(content), name)}).status_code


def test_a_logo_is_taken_in_and_removed(alice: FlaskClient) -> None:
    made = io.BytesIO()
    Image.new("RGB", (300, 100), "#356B4A").save(made, "JPEG")
    assert upload(alice, made.getvalue(), "a logo.exe") == 302
    kept = queries.studio(db.session()).logo_hash
    assert kept
    assert f"/media/{kept}.png" in alice.get("/admin/settings").text
    assert alice.post("/admin/settings/logo", data={"remove": "yes"}).status_code == 302
    assert queries.studio(db.session()).logo_hash is None


def test_a_logo_that_is_none_is_refused(alice: FlaskClient) -> None:
    assert upload(alice, b"<svg onload='alert(1)'/>", "logo.png") == 400
    assert alice.post("/admin/settings/logo").status_code == 400
    assert queries.studio(db.session()).logo_hash is None


def test_pages_keep_their_face_while_the_database_is_down(sqlite_app: Flask) -> None:
    with db.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE studio RENAME TO elsewhere")
    answer = sqlite_app.test_client().get("/admin/no-such-page")
    assert answer.status_code == 404
    assert "find that" in answer.text
