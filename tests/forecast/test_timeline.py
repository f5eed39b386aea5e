"""One reader's line: what they got, now, and what they will get."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from newsletter import clock
from newsletter.audience.models import Subscriber
from newsletter.audience.rules import Status
from newsletter.broadcasts import actions as broadcasts
from newsletter.broadcasts import rules as broadcast_rules
from newsletter.database.engine import transaction
from newsletter.delivery.rules import OVERDUE, State
from newsletter.forecast import records, timeline
from newsletter.sequences import jobs
from tests.sequences.conftest import MONDAY, at, emails, join, person, run, turn


def page(client: FlaskClient, reader: int, now: str, **asked: str) -> str:
    with clock.standing_at(at(now)):
        answer = client.get(f"/admin/calendar/people/{reader}", query_string=asked)
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text.partition("<main")[2]))


def test_3_21_past_and_future_stand_in_one_line(operator: FlaskClient, series: int) -> None:
    alice = person("Alice")
    join(series, alice)
    run(at("2026-03-04T08:00"))
    with transaction() as session:
        made = broadcasts.write(session, broadcast_rules.Text("News", "", "Words."), by=None, now=MONDAY)
        broadcasts.aim(session, made.id, broadcast_rules.audience("all"), at("2026-03-09T09:00"))
        with clock.standing_at(at("2026-03-04T08:00")):
            broadcasts.queue(session, made.id, MONDAY)
    line = page(operator, alice, "2026-03-04T12:00")
    words = ["Joined the series", "Email “Hello”: sent", "Now", "“ More for Alice", "“ Last", "“ News"]
    words = [word.replace("“ ", "“") for word in words]
    places = [line.find(word) for word in words]
    assert -1 not in places, (words, line)
    assert places == sorted(places)
    assert "Email 2 of Core series, 2 days after email 1, 7:00–9:00" in line
    assert "in 1 day 6 March 2026, 07:00" in line


def test_an_email_on_its_way_stands_in_the_future_only(operator: FlaskClient, series: int) -> None:
    """The forecast and the ledger both know it; told twice it would look like two emails."""
    alice = person("Alice")
    join(series, alice)
    run(at("2026-03-04T06:59"))
    with clock.standing_at(at("2026-03-04T07:00")):
        jobs.plan_due()
    assert len(emails(alice)) == 1
    line = page(operator, alice, "2026-03-04T06:59")
    assert line.count("Hello") == 1
    assert "Will get “Hello”" in line.replace("“ ", "“").replace(" ”", "”")


def test_who_left_gets_nothing_and_the_line_says_why(operator: FlaskClient, series: int) -> None:
    alice = person("Alice")
    join(series, alice)
    turn(MONDAY)
    with transaction() as session:
        session.get_one(Subscriber, alice).status = Status.UNSUBSCRIBED
    assert "Nothing comes: they are unsubscribed." in page(operator, alice, "2026-03-02T12:00")
    bob = person("Bob")
    assert "Nothing is planned for them in the next 31 days" in page(operator, bob, "2026-03-02T12:00")


def test_a_long_past_is_shown_on_demand(operator: FlaskClient, series: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "PAST", 2)
    alice = person("Alice")
    join(series, alice)
    run(at("2026-03-12T08:00"))
    line = page(operator, alice, "2026-03-12T12:00")
    assert "Show the 3 moments before" in line
    assert "Joined" not in line
    line = page(operator, alice, "2026-03-12T12:00", all="yes")
    assert "Joined the series" in line
    assert "moments before" not in line


def test_a_reader_who_is_not_there(operator: FlaskClient) -> None:
    assert operator.get("/admin/calendar/people/99").status_code == 404


def test_the_subscribers_page_leads_to_the_line(operator: FlaskClient) -> None:
    alice = person("Alice")
    assert f"/admin/calendar/people/{alice}#now" in operator.get(f"/admin/subscribers/{alice}").text


def test_3_16_an_email_that_is_held_is_not_nothing(operator: FlaskClient, series: int) -> None:
    alice = person("Alice")
    join(series, alice)
    with clock.standing_at(at("2026-03-04T07:00")):
        jobs.plan_due()
    turn(at("2026-03-04T07:00") + timedelta(days=4))
    (mail,) = emails(alice)
    assert (mail.state, mail.due_at) == (State.PLANNED, OVERDUE)
    with clock.standing_at(at("2026-03-08T12:00")):
        answer = operator.get(f"/admin/calendar/people/{alice}")
    assert 'href="/admin/ledger/overdue"' in answer.text.partition('id="now"')[2]
    line = page(operator, alice, "2026-03-08T12:00")
    assert "1 email is held, too late to go without your word" in line
    assert "Nothing is planned" not in line


def test_the_steps_of_a_line_are_read_at_once(
    operator: FlaskClient, series: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = person("Alice")
    join(series, alice)
    asked, reading = [], records.steps_of

    def noted(*given: Any) -> Any:
        asked.append(given[1])
        return reading(*given)

    monkeypatch.setattr(records, "steps_of", noted)
    assert page(operator, alice, "2026-03-02T12:00").count("Will get") == 3
    assert asked == [{"core-series"}]
