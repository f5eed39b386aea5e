"""The calendar in the back office, on both databases: what was sent, what comes, to whom and why."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from newsletter import clock, worker
from newsletter.accounts import actions as accounts
from newsletter.audience import actions as audience
from newsletter.broadcasts import actions as broadcasts
from newsletter.broadcasts import rules as broadcast_rules
from newsletter.database.engine import db, transaction
from newsletter.delivery.models import Delivery
from newsletter.delivery.rules import Lane, State
from newsletter.forecast import looking, outlooks, records
from newsletter.forecast.models import Outlook
from tests.accounts.people import signed_in
from tests.sequences.conftest import MONDAY, at, join, person, run, step

CALENDAR = "/admin/calendar"


@pytest.fixture
def operator(app: Flask) -> FlaskClient:
    """A signed-in operator's browser, on both databases."""
    return signed_in(app)


def look(client: FlaskClient, now: str = "2026-03-02T10:00", path: str = CALENDAR, **asked: str) -> str:
    with clock.standing_at(at(now)):
        answer = client.get(path, query_string=asked)
    assert answer.status_code == 200, answer.text
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text.partition("<main")[2])).replace(
        "\N{NO-BREAK SPACE}", " "
    )


def broadcast(subject: str, send_at: str, audience_of: str = "all") -> int:
    with transaction() as session:
        made = broadcasts.write(session, broadcast_rules.Text(subject, "", "Some words."), by=None, now=MONDAY)
        broadcasts.aim(session, made.id, broadcast_rules.audience(audience_of), at(send_at))
        with clock.standing_at(MONDAY):
            broadcasts.queue(session, made.id, MONDAY)
        return made.id


def test_charlie_the_stranger_is_refused(sqlite_app: Flask) -> None:
    charlie = sqlite_app.test_client()
    for path in ("", "/2026-03-04/step/1", "/2026-03-04/broadcast/1", "/2026-03-04/other/0", "/people/1", "/links"):
        assert charlie.get(f"/admin/calendar{path}").location.startswith("/admin/sign-in"), path
    for path in ("/find", "/ahead", "/again", "/links", "/links/1/revoke"):
        assert charlie.post(f"/admin/calendar{path}").status_code == 403, path
    assert db.session.query(Outlook).count() == 0


def test_an_empty_calendar_says_so_and_what_to_do(operator: FlaskClient) -> None:
    page = look(operator)
    assert "March 2026" in page
    assert "Nothing goes out on these days" in page
    assert "Nothing goes out No email is for this day" in look(operator, view="day", on="2026-03-10")


def test_3_21_the_days_ahead_show_emails_and_how_many_people(operator: FlaskClient, series: int) -> None:
    for name in ("Alice", "Bob"):
        join(series, person(name))
    page = look(operator, view="week", on="2026-03-04")
    assert "Wednesday, 4 March 2 emails 07:00 Hello Core series, email 1 2 people" in page
    assert "07:00 More for you Core series, email 2 2 people" in page
    assert "Last Core series, email 3" not in page  # a day later, but in the next week
    assert "Last" in look(operator, view="week", on="2026-03-09")


def test_past_days_show_what_was_really_sent(operator: FlaskClient, series: int) -> None:
    alice = person("Alice")
    join(series, alice)
    run(at("2026-03-05T10:00"))
    bob = person("Bob")
    join(series, bob, at("2026-03-05T10:00"))
    page = look(operator, now="2026-03-05T12:00", view="week", on="2026-03-04")
    assert "Hello Core series, email 1 sent to 1 person" in page
    page = look(operator, now="2026-03-05T12:00", view="week", on="2026-03-02")
    assert "Saturday, 7 March 1 email 07:00 Hello Core series, email 1 1 person" in page


def test_today_shows_both(operator: FlaskClient, series: int) -> None:
    join(series, person("Alice"))
    join(series, person("Bob", "America/New_York"))
    run(at("2026-03-04T08:00"))
    page = look(operator, now="2026-03-04T09:00", view="week")
    assert "1 sent, 1 to come" in page
    page = look(operator, now="2026-03-04T09:00", view="day")
    assert "07:00 Hello" in page
    assert "12:00 Hello" in page


def test_a_months_day_is_brief_and_leads_to_the_whole_day(operator: FlaskClient) -> None:
    person("Alice")
    for number in range(7):
        broadcast(f"Number {number}", f"2026-03-1{number}T09:00")
    page = look(operator)
    assert all(f"Number {number}" in page for number in range(7))
    assert "4 more" not in page


def test_more_than_a_cell_holds_is_a_press_away(operator: FlaskClient) -> None:
    with transaction() as session:
        accounts.ensure_studio(session).one_a_day = False
    person("Alice")
    for number in range(7):
        broadcast(f"Number {number}", f"2026-03-10T0{number}:00")
    page = look(operator)
    assert "3 more" in page
    assert page.count("Number") == 4
    assert look(operator, view="day", on="2026-03-10").count("Number") == 7


def test_one_series_or_only_broadcasts(operator: FlaskClient, series: int) -> None:
    join(series, person("Alice"))
    broadcast("News", "2026-03-10T09:00")
    assert "News" in look(operator)
    page = look(operator, only="core-series")
    assert "News" not in page
    assert "Hello" in page
    page = look(operator, only="broadcasts")
    assert "News" in page
    assert "Hello" not in page


def test_only_who_has_a_tag(operator: FlaskClient, series: int) -> None:
    alice, bob = person("Alice"), person("Bob")
    join(series, alice)
    join(series, bob)
    with transaction() as session:
        audience.add_tag(session, alice, "yoga", MONDAY)
    assert "1 person" in look(operator, view="week", tag="yoga")
    assert "1 person" in look(operator, view="day", on="2026-03-04", tag="yoga")
    assert "2 people" in look(operator, view="week")
    page = look(operator, path=f"/admin/calendar/2026-03-04/step/{step(series, 'hello').id}", tag="yoga")
    assert "alice@example.org" in page
    assert "bob@example.org" not in page
    run(at("2026-03-05T10:00"))
    assert "sent to 1 person" in look(operator, now="2026-03-05T12:00", view="week", tag="yoga")


def test_one_reader_is_found_without_their_address_in_any_address(operator: FlaskClient, series: int) -> None:
    alice, bob = person("Alice"), person("Bob")
    join(series, bob)
    with clock.standing_at(MONDAY):
        answer = operator.post("/admin/calendar/find", data={"address": "Alice@example.org ", "view": "week"})
    assert answer.status_code == 302
    assert f"reader={alice}" in answer.location
    assert "view=week" in answer.location
    assert "example" not in answer.location
    assert "Nothing of what you chose" in look(operator, view="week", reader=str(alice))
    assert "Hello Core series, email 1 1 person" in look(operator, view="week", reader=str(bob))
    answer = operator.post("/admin/calendar/find", data={"address": "nobody"}, follow_redirects=True)
    assert "Nobody with this address" in answer.text
    assert operator.get(CALENDAR, query_string={"reader": "999"}).status_code == 404


def test_3_17_who_gets_it_and_why_it_was_moved(operator: FlaskClient, series: int) -> None:
    join(series, person("Alice"))
    person("Bob")
    number = broadcast("News", "2026-03-04T12:00")
    page = look(operator, path=f"/admin/calendar/2026-03-04/step/{step(series, 'hello').id}")
    assert "1 person will get it Why: email 1 of Core series, 2 days after joining" in page
    assert "Alice alice@example.org" in page
    page = look(operator, path=f"/admin/calendar/2026-03-04/broadcast/{number}")
    assert "bob@example.org" in page
    assert "alice@example.org" not in page
    page = look(operator, path=f"/admin/calendar/2026-03-05/broadcast/{number}")
    assert "alice@example.org" in page
    assert "moved from Wednesday because of Core series, email 1" in page
    assert "1 person would have got it on another day" in look(operator, view="day", on="2026-03-05")
    for moment in ("2026-03-04T07:00", "2026-03-04T12:00", "2026-03-05T12:00"):
        with clock.standing_at(at(moment)):
            worker.take_turn()
    page = look(operator, now="2026-03-06T12:00", path=f"/admin/calendar/2026-03-05/broadcast/{number}")
    assert "1 person got it" in page
    assert "moved from Wednesday, to keep to one email a day" in page


def test_names_are_paged(operator: FlaskClient, series: int) -> None:
    for number in range(27):
        join(series, person(f"Reader{number:02}"))
    path = f"/admin/calendar/2026-03-04/step/{step(series, 'hello').id}"
    first, second = look(operator, path=path), look(operator, path=path, page="2")
    assert "27 people will get it" in first
    assert len(set(re.findall(r"reader\d\d@", first))) == 25
    assert not set(re.findall(r"reader\d\d@", first)) & set(re.findall(r"reader\d\d@", second))
    assert "Page 2 of 2" in second


def test_who_got_it(operator: FlaskClient, series: int) -> None:
    join(series, person("Alice"))
    run(at("2026-03-05T10:00"))
    path = f"/admin/calendar/2026-03-04/step/{step(series, 'hello').id}"
    page = look(operator, now="2026-03-05T12:00", path=path)
    assert "1 person got it" in page
    assert "4 March 2026, 07:00 Hello" in page
    assert "Nobody gets it on this day" in look(operator, path=path.replace("03-04", "03-11"))
    assert "Nobody gets it on this day" in look(operator, path="/admin/calendar/2026-03-11/step/999")
    assert "Nobody gets it on this day" in look(operator, path="/admin/calendar/2026-03-11/other/0")


def test_further_than_a_month_is_not_worked_out(operator: FlaskClient, series: int) -> None:
    assert "looks 31 days ahead" in look(operator, on="2026-04-20")
    assert "Not worked out yet" in look(operator, view="day", on="2026-05-20")
    assert "looks 31 days ahead" not in look(operator)


def test_nonsense_in_the_address_is_left_out(operator: FlaskClient) -> None:
    page = look(operator, view="year", on="soon", only="x", tag="y", reader="me", past="")
    assert "March 2026" in page


@pytest.mark.parametrize(("zone", "day"), [("UTC", "4 March"), ("Pacific/Kiritimati", "5 March")])
def test_days_are_those_of_the_studios_zone(operator: FlaskClient, zone: str, day: str) -> None:
    with transaction() as session:
        accounts.ensure_studio(session).timezone = zone
    person("Alice", "UTC")
    broadcast("News", "2026-03-04T12:00")
    assert f"{day} 1 email" in look(operator, view="week", on="2026-03-04")


def test_confirmations_and_gifts_stand_last_and_are_not_counted(operator: FlaskClient, series: int) -> None:
    alice = person("Alice")
    sent = at("2026-03-01T08:00")
    with transaction() as session:
        session.add(
            Delivery(
                reason="magnet:1", subscriber_id=alice, lane=Lane.TRANSACTIONAL, state=State.ACCEPTED, due_at=sent,
                planned_at=sent, message_id="m@x", accepted_at=sent, ended_at=sent, subject="Your gift",
            )
        )  # fmt: skip
    page = look(operator, view="week", on="2026-03-01")
    assert "Sunday, 1 March 08:00 Sign-ups and gifts" in page
    assert "Your gift" in look(operator, path="/admin/calendar/2026-03-01/other/0")


def test_the_calendar_is_in_the_navigation(operator: FlaskClient) -> None:
    assert re.search(r'href="/admin/calendar" aria-current="page"', operator.get(CALENDAR).text)


def test_whatever_day_is_asked_for_has_a_page(operator: FlaskClient) -> None:
    for view in ("month", "week", "day"):
        for days in (-400, -31, 0, 31, 400):
            look(operator, view=view, on=(date(2026, 3, 2) + timedelta(days=days)).isoformat())


def test_a_large_list_shows_how_far_it_is_and_goes_on_by_itself(
    operator: FlaskClient, series: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No request waits for the whole: the page's script asks for more until all is worked out."""
    for name in ("Alice", "Bob"):
        join(series, person(name))
    with monkeypatch.context() as hurried:
        hurried.setattr(looking.look, "__defaults__", (0.0,))
        page = look(operator)
        assert "Working out what is ahead for every single reader: 0 % done" in page
        assert "The numbers below are still growing" in page
        assert "Hello" not in page
        assert "Nothing goes out" not in page
        assert "Nobody gets it" not in look(
            operator, path=f"/admin/calendar/2026-03-04/step/{step(series, 'hello').id}"
        )
        with clock.standing_at(at("2026-03-02T10:00")):
            assert operator.post("/admin/calendar/ahead").json == {"share": 0, "done": False}
    with clock.standing_at(at("2026-03-02T10:00")):
        assert operator.post("/admin/calendar/ahead").json == {"share": 100, "done": True}
    page = look(operator)
    assert "Working out" not in page
    assert "Hello" in page


@pytest.mark.parametrize("asked", [{"view": "week"}, {"view": "week", "tag": "yoga"}, {"view": "day", "tag": "yoga"}])
def test_the_past_of_a_large_list_shows_how_far_it_is_counted(
    operator: FlaskClient, series: int, monkeypatch: pytest.MonkeyPatch, asked: dict[str, str]
) -> None:
    alice = person("Alice")
    join(series, alice)
    with transaction() as session:
        audience.add_tag(session, alice, "yoga", MONDAY)
    run(at("2026-03-05T10:00"))
    monkeypatch.setattr(looking, "WORTH_KEEPING", -1.0)
    asked = asked | {"on": "2026-03-04"}
    with monkeypatch.context() as hurried:
        hurried.setattr(looking.look_back, "__defaults__", (0.0,))
        page = look(operator, now="2026-03-20T12:00", **asked)
        assert "Counting what was sent : 0 % done" in page
        assert "Hello" not in page
    with clock.standing_at(at("2026-03-20T12:00")):
        assert operator.post("/admin/calendar/ahead", data=asked).json == {"share": 100, "done": True}
    monkeypatch.setattr(records, "sent", lambda *_, **__: pytest.fail("counted twice"))
    page = look(operator, now="2026-03-20T12:00", **asked)
    assert "Counting" not in page
    assert re.search(r"Hello .*sent to 1 person", page)


def test_it_is_worked_out_again_on_demand_and_the_page_stays_where_it_was(operator: FlaskClient, series: int) -> None:
    alice = person("Alice")
    join(series, alice)
    look(operator)
    before = db.session.scalars(select(Outlook.id)).one()
    with clock.standing_at(at("2026-03-02T10:00")):
        answer = operator.post(
            "/admin/calendar/again", data={"view": "week", "on": "2026-03-04", "only": "core-series"}
        )
    assert answer.location == "/admin/calendar?view=week&on=2026-03-04&only=core-series"
    db.session.rollback()
    assert db.session.scalars(select(Outlook.id)).one() != before


def test_the_script_that_asks_for_more_reads_no_cells(
    operator: FlaskClient, series: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It asks seven times a second; what the page shows is read once, when all of it is there."""
    join(series, person("Alice"))
    for name in ("cells", "cells_of"):
        monkeypatch.setattr(outlooks, name, lambda *_: pytest.fail("read for nothing"))
    monkeypatch.setattr(records, "tagged", lambda _: pytest.fail("counted for nothing"))
    for asked in ({}, {"view": "day"}, {"tag": "yoga"}):
        with clock.standing_at(at("2026-03-02T10:00")):
            assert operator.post("/admin/calendar/ahead", data=asked).json == {"share": 100, "done": True}


def test_a_day_by_the_hour_makes_no_object_for_each_reader(
    operator: FlaskClient, series: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """300,000 readers' emails took 7.7 seconds while each was a Who and a Cell of its own."""
    alice = person("Alice")
    for number in (alice, person("Bob"), person("Zoe", "America/New_York")):
        join(series, number)
    with transaction() as session:
        audience.add_tag(session, alice, "yoga", MONDAY)
    monkeypatch.setattr(outlooks, "unpack", lambda _: pytest.fail("one by one"))
    page = look(operator, view="day", on="2026-03-04")
    assert re.search(r"07:00 Hello .*?2 people .*12:00 Hello .*?1 person", page)
    assert "1 person" in look(operator, view="day", on="2026-03-04", tag="yoga")
