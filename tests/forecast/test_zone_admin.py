"""Another zone of the studio: its effect on readers who named none, before it is kept (semantics 3.8)."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from newsletter import clock
from newsletter.accounts import queries as accounts
from newsletter.database.engine import db
from newsletter.forecast import zone_impact
from newsletter.sequences import jobs
from tests.sequences.conftest import at, join, person, run, sent

NOW = at("2026-03-03T12:00")


def look(client: FlaskClient, zone: str) -> str:
    with clock.standing_at(NOW):
        return re.sub(r"\s+", " ", client.get("/admin/settings/zone", query_string={"timezone": zone}).text)


def test_3_8_the_page_says_whom_another_zone_moves_and_the_days_are_as_it_said(
    operator: FlaskClient, series: int
) -> None:
    alice, bob = person("Alice"), person("Bob", "Asia/Tokyo")
    for reader in (alice, bob):
        join(series, reader)
    page = look(operator, "America/New_York")
    assert "1 person under way named none" in page
    assert "1 person</strong> gets it 5 hours later" in page
    assert "alice@example.org" in page
    assert "bob@example.org" not in page
    assert accounts.studio(db.session()).timezone == "UTC", "looking changes nothing"
    with clock.standing_at(NOW):
        answer = operator.post("/admin/settings/zone", data={"timezone": "America/New_York"})
        assert answer.location == "/admin/settings"
        while jobs.plan_due():
            pass
    run(at("2026-03-20T00:00"))
    assert sent(alice)[0] == ("Hello", "Wed 04.03. 12:00"), "7:00 in New York"
    assert sent(bob)[0] == ("Hello", "Tue 03.03. 22:00"), "7:00 in Tokyo, as before"


def test_a_zone_that_moves_nobody_says_so(operator: FlaskClient) -> None:
    assert "Nobody gets anything at another time." in look(operator, "Europe/Lisbon")


@pytest.mark.parametrize("name", ["", "Europe/Atlantis", "../etc/passwd"])
def test_what_is_no_zone_is_refused(operator: FlaskClient, name: str) -> None:
    assert operator.get("/admin/settings/zone", query_string={"timezone": name}).status_code == 400
    assert operator.post("/admin/settings/zone", data={"timezone": name}).status_code == 400


def test_charlie_the_stranger_is_refused(sqlite_app: Flask) -> None:
    charlie = sqlite_app.test_client()
    assert charlie.get("/admin/settings/zone?timezone=UTC").location.startswith("/admin/sign-in")
    assert charlie.post("/admin/settings/zone", data={"timezone": "Asia/Tokyo"}).status_code == 403
    assert accounts.studio(db.session()).timezone == "UTC"


def test_a_count_of_the_first_readers_is_called_at_least_that(
    operator: FlaskClient, series: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("Alice", "Bob"):
        join(series, person(name))
    assert "at least" not in look(operator, "America/New_York")
    monkeypatch.setattr(zone_impact, "LOOKED", 1)
    page = look(operator, "America/New_York")
    assert "<small>at least</small> 1</dd>" in page
    assert "Nobody of the first 1 loses an email." in page
