"""The calendar feed behind a secret link: what it says, whom it names (nobody), and how it is taken back."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from newsletter import clock, tokens, worker
from newsletter.accounts.models import AuditEntry
from newsletter.database.engine import db
from newsletter.forecast import jobs, looking, records
from newsletter.forecast.models import Feed, Outlook
from newsletter.tokens import Purpose
from tests.conftest import SECRET
from tests.sequences.conftest import MONDAY, at, join, person, run

LINKS = "/admin/calendar/links"


def made(operator: FlaskClient, name: str = "My phone") -> str:
    """The path of a new link."""
    with clock.standing_at(MONDAY):
        assert operator.post(LINKS, data={"name": name}).status_code == 302
        page = operator.get(LINKS).text
    found = re.findall(r"http://localhost:8000(/calendar/[\w-]+\.ics)", page)
    assert found
    return str(found[0])


def fetched(app: Flask, path: str, now: str = "2026-03-02T10:00") -> str:
    with clock.standing_at(at(now)):
        answer = app.test_client().get(path)
    assert answer.status_code == 200
    return answer.text.replace("\r\n ", "")


def test_it_says_what_goes_out_when_and_to_how_many(sqlite_app: Flask, operator: FlaskClient, series: int) -> None:
    for name in ("Alice", "Bob"):
        join(series, person(name))
    path = made(operator)
    feed = fetched(sqlite_app, path)
    assert feed.startswith("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n")
    assert feed.endswith("END:VEVENT\r\nEND:VCALENDAR\r\n")
    assert "SUMMARY:Hello (2 people)\r\n" in feed
    assert "DTSTART:20260304T070000Z\r\nDTEND:20260304T071500Z\r\n" in feed
    assert "Will go to 2 people\\, if nobody joins or leaves." in feed
    assert feed.count("BEGIN:VEVENT") == 3


def test_it_names_no_reader(sqlite_app: Flask, operator: FlaskClient, series: int) -> None:
    join(series, person("Alice"))
    path = made(operator)
    run(at("2026-03-04T10:00"))
    feed = fetched(sqlite_app, path, "2026-03-04T12:00")
    assert "Sent to 1 person." in feed
    assert "SUMMARY:More for you (1 person)" in feed
    assert "alice" not in feed.lower()


def test_an_event_keeps_its_name_while_its_time_changes(sqlite_app: Flask, operator: FlaskClient, series: int) -> None:
    """Otherwise a program would show the email twice, once at its old time."""
    path = made(operator)
    join(series, person("Alice"))
    before = fetched(sqlite_app, path)
    join(series, person("Bob", "America/New_York"))
    after = fetched(sqlite_app, path, "2026-03-02T10:01")
    uid = re.findall(r"UID:(20260304\S+)", before)
    assert uid == re.findall(r"UID:(20260304\S+)", after)
    assert "Hello (1 person)" in before
    assert "Hello (2 people)" in after


def test_no_copy_stays_and_no_other_site_learns_the_link(sqlite_app: Flask, operator: FlaskClient) -> None:
    answer = sqlite_app.test_client().get(made(operator))
    assert answer.mimetype == "text/calendar"
    assert "no-store" in answer.headers["Cache-Control"]
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["X-Robots-Tag"] == "noindex"


def test_charlie_the_stranger_gets_nothing(sqlite_app: Flask, operator: FlaskClient) -> None:
    path, charlie = made(operator), sqlite_app.test_client()
    row = db.session.scalars(select(Feed)).one()
    wrong = [
        path[:-5] + ("A" if path[-5] != "A" else "B") + ".ics",
        "/calendar/x.ics",
        f"/calendar/{tokens.sign(SECRET, Purpose.CLICK, row.id, at=MONDAY)}.ics",
        f"/calendar/{tokens.sign(SECRET, Purpose.CALENDAR, row.id + 1, at=MONDAY)}.ics",
        f"/calendar/{tokens.sign(SECRET, Purpose.CALENDAR, row.id, 2, at=MONDAY)}.ics",
    ]
    for address in wrong:
        answer = charlie.get(address)
        assert (answer.status_code, "VCALENDAR" in answer.text) == (404, False), address


def test_a_link_taken_back_never_works_again(sqlite_app: Flask, operator: FlaskClient) -> None:
    mine, hers = made(operator, "My phone"), made(operator, "Assistant")
    first = db.session.scalars(select(Feed).order_by(Feed.id)).first()
    assert first is not None
    assert operator.post(f"/admin/calendar/links/{first.id}/revoke").status_code == 302
    answer = sqlite_app.test_client().get(mine)
    unknown = sqlite_app.test_client().get("/calendar/x.ics")
    assert (answer.status_code, answer.text) == (404, unknown.text)
    assert fetched(sqlite_app, hers)
    assert operator.post(f"/admin/calendar/links/{first.id}/revoke").status_code == 404
    assert "My phone" not in operator.get(LINKS).text.partition("Your links")[2]
    actions = list(db.session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)))
    assert actions[-3:] == ["calendar.link_made", "calendar.link_made", "calendar.link_revoked"]


def test_a_link_needs_a_name(operator: FlaskClient) -> None:
    answer = operator.post(LINKS, data={"name": "  "})
    assert answer.status_code == 400
    assert "The link needs a name" in answer.text
    for number in range(20):
        made(operator, f"Phone {number}")
    assert "20 links already" in operator.post(LINKS, data={"name": "One more"}).text


def test_the_page_says_when_a_program_read_it(sqlite_app: Flask, operator: FlaskClient) -> None:
    path = made(operator)
    assert "No program has read it yet" in operator.get(LINKS).text
    fetched(sqlite_app, path)
    assert "Read by a program" in operator.get(LINKS).text


def test_half_worked_out_numbers_are_not_given(
    sqlite_app: Flask, operator: FlaskClient, series: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    join(series, person("Alice"))
    path = made(operator)
    monkeypatch.setattr(looking.look, "__defaults__", (0.0,))
    with clock.standing_at(MONDAY):
        answer = sqlite_app.test_client().get(path)
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0


def test_the_worker_keeps_a_feed_fresh_that_is_read(sqlite_app: Flask, operator: FlaskClient, series: int) -> None:
    def worked(hours: float) -> int:
        with clock.standing_at(MONDAY + timedelta(hours=hours)):
            return jobs.refresh()

    assert worked(0) == 0
    path = made(operator)
    assert worked(0) == 0, "nobody reads it"
    fetched(sqlite_app, path)
    assert worked(0.9) == 0
    join(series, person("Alice"))
    assert worked(1.1) == 1
    assert db.session.scalars(select(Outlook)).one().begun_at == MONDAY + timedelta(hours=1.1)
    assert worked(1.2) == 0
    assert worked(72) == 0, "nobody has read it for two days"
    assert jobs.refresh in worker.SLOW


def test_the_last_days_are_counted_once_and_not_with_every_fetch(
    sqlite_app: Flask, operator: FlaskClient, series: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    join(series, person("Alice"))
    path = made(operator)
    run(at("2026-03-07T10:00"))
    monkeypatch.setattr(looking, "WORTH_KEEPING", -1.0)
    before = fetched(sqlite_app, path, "2026-03-08T12:00")
    assert before.count("Sent to 1 person.") == 2
    counted, counting = [], records.sent

    def noted(*given: Any, **more: Any) -> Any:
        counted.append(f"{given[1]}")
        return counting(*given, **more)

    monkeypatch.setattr(records, "sent", noted)
    assert fetched(sqlite_app, path, "2026-03-08T12:00") == before
    assert counted == ["2026-03-08"], "today only"


def test_half_counted_days_are_not_given(
    sqlite_app: Flask, operator: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made(operator)
    monkeypatch.setattr(looking.look_back, "__defaults__", (0.0,))
    with clock.standing_at(MONDAY):
        answer = sqlite_app.test_client().get(path)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")
