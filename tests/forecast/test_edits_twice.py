"""An edit whose button is pressed twice is made once, and who pressed it is told that it is made."""

from __future__ import annotations

from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from newsletter import clock
from newsletter.accounts import actions as accounts
from newsletter.database.engine import db, transaction
from newsletter.forecast import edits_admin
from newsletter.sequences.models import SequenceVersion
from tests.sequences.conftest import at, join, person, sequence, step

PASSWORD = "long enough to be hard to guess"
NOW = at("2026-03-03T12:00")


def signed_in(app: Flask, name: str) -> FlaskClient:
    """The browser of an operator of that name."""
    address = f"{name.lower()}@example.org"
    with transaction() as session:
        accounts.create_operator(session, address, PASSWORD, clock.now(), name)
    browser = app.test_client()
    assert browser.post("/admin/sign-in", data={"email": address, "password": PASSWORD}).status_code == 302
    return browser


def press(browser: FlaskClient, series: int, what: dict[str, object]) -> tuple[int, str]:
    """The answer to the button of an edit's page, and what the operator reads in the end."""
    with clock.standing_at(NOW):
        answer = browser.post(f"/admin/sequences/{series}/edits/apply", data=what)
        page = browser.get(answer.location).text if answer.status_code == 302 else answer.text
    return answer.status_code, unescape(page)


def versions_made() -> int:
    return len(db.session.scalars(select(SequenceVersion)).all())


@pytest.fixture
def gone(sqlite_app: Flask, series: int) -> dict[str, object]:
    """The form by which email 2 is deleted, of a series with a reader in it."""
    join(series, person("Charlie"))
    return {"edit": "delete", "step": step(series, "more").id, "version": sequence(series).version}


def test_3_2_the_second_press_of_a_double_click_is_told_that_it_is_done(
    sqlite_app: Flask, series: int, gone: dict[str, object]
) -> None:
    alice = signed_in(sqlite_app, "Alice")
    assert press(alice, series, gone)[0] == 302
    code, page = press(alice, series, gone)
    assert (code, versions_made()) == (302, 1)
    assert "Done: Email 2 “More for {{ subscriber.first_name or 'you' }}” is deleted." in page


def test_3_2_a_second_press_while_the_first_one_works_changes_nothing_more(
    sqlite_app: Flask, series: int, gone: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = signed_in(sqlite_app, "Alice")
    working, foresee = [True], edits_admin.editing.foresee

    def interrupted(*args: object, **more: object) -> object:
        found = foresee(*args, **more)  # type: ignore[arg-type]
        if working.pop():
            working.append(False)
            db.session.rollback()
            assert press(alice, series, gone)[0] == 302
        else:
            working.append(False)
        return found

    monkeypatch.setattr(edits_admin.editing, "foresee", interrupted)
    code, page = press(alice, series, gone)
    assert (code, versions_made()) == (302, 1)
    assert "Done: Email 2" in page


def test_3_2_somebody_elses_edit_or_another_one_is_no_second_press(
    sqlite_app: Flask, series: int, gone: dict[str, object]
) -> None:
    alice, bob = signed_in(sqlite_app, "Alice"), signed_in(sqlite_app, "Bob")
    other = gone | {"step": step(series, "last").id}
    assert press(alice, series, gone)[0] == 302
    for browser, what in ((bob, gone), (alice, other)):
        code, page = press(browser, series, what)
        assert code == 409
        assert "Alice changed it meanwhile: Email 2" in page
    assert versions_made() == 1
