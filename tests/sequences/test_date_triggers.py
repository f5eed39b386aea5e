"""Dates of people that let them join, on both databases."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from newsletter.accounts import queries as accounts
from newsletter.audience import actions as audience
from newsletter.audience import by_hand
from newsletter.audience.models import Subscriber
from newsletter.database.engine import db, transaction
from newsletter.sequences import entering, jobs, openings
from newsletter.sequences.models import Sequence, Trigger, TriggerDate
from tests.sequences.conftest import MONDAY, at, enrollment, join, load, person, run
from tests.sequences.joining import begins, bring, coming, enter, joined, tag, waiting
from tests.statements import questions


def test_a_birthday_begins_the_series_on_its_day_every_year(app: Flask, series: int) -> None:
    with transaction() as session:
        row = session.get_one(Sequence, series)
        row.reentry, row.cooldown_days = "always", 30
    alice = person("Alice", "Europe/Berlin", fields={"birthday": "1990-03-04"})
    begins(series, "date", "Birthday")
    enter()
    enter(at("2026-03-04T07:59"))
    assert joined(alice) == []
    enter(at("2026-03-04T08:00"))
    assert joined(alice) == [("date:birthday", at("2026-03-04T08:00"))]
    run(at("2026-03-20T00:00"))
    enter(at("2027-03-04T08:00"))
    assert [moment for _, moment in joined(alice)] == [at("2026-03-04T08:00"), at("2027-03-04T08:00")]


def test_3_8_an_operator_who_changes_a_persons_zone_moves_what_was_not_sent(app: Flask, series: int) -> None:
    alice = person("Alice", "Europe/Berlin", fields={"birthday": "1990-05-17"})
    begins(series, "date", "birthday")
    join(series, alice)
    enter()
    assert (enrollment(alice).next_due_at, coming(alice)) == (at("2026-03-04T06:00"), at("2026-05-17T07:00"))
    with transaction() as session:
        by_hand.correct(session, alice, "Alice", "", "Asia/Tokyo", MONDAY)
    enter()
    assert (enrollment(alice).next_due_at, coming(alice)) == (at("2026-03-03T22:00"), at("2026-05-17T00:00"))


def test_3_8_the_studios_new_zone_moves_the_dates_of_who_has_none(app: Flask, series: int) -> None:
    alice, bob = (
        person(name, zone, fields={"birthday": "17.05."}) for name, zone in (("Alice", ""), ("Bob", "Europe/Berlin"))
    )
    begins(series, "date", "birthday")
    enter()
    assert (coming(alice), coming(bob)) == (at("2026-05-17T09:00"), at("2026-05-17T07:00"))
    with transaction() as session:
        studio = accounts.studio(session)
        studio.timezone = "Asia/Tokyo"
        session.add(studio)
    enter()
    assert (coming(alice), coming(bob)) == (at("2026-05-17T00:00"), at("2026-05-17T07:00"))


def test_a_start_date_lets_people_join_once_days_before_it(app: Flask, series: int) -> None:
    with transaction() as session:
        session.get_one(Sequence, series).reentry = "always"
    alice = person("Alice", fields={"start": "2026-03-10"})
    bob = person("Bob", fields={"start": "2026-03-01"})  # over
    charlie = person("Charlie", fields={"start": "next spring"})
    number = begins(series, "date", "start", yearly=False, days=-2, at="07:30")
    enter(at("2026-03-08T07:30"))
    assert joined(alice) == [("date:start", at("2026-03-08T07:30"))]
    assert (joined(bob), joined(charlie)) == ([], [])
    assert openings.figures(db.session(), [number], MONDAY, at("2026-05-01T00:00")) == {number: (0, 1)}
    enter(at("2028-03-08T07:30"))
    assert len(joined(alice)) == 1


def test_a_date_known_only_later_counts_and_a_changed_one_too(app: Flask, series: int) -> None:
    begins(series, "date", "birthday")
    enter()
    bring("email,birthday\nalice@example.org,1990-03-10\n")
    enter()
    alice = db.session.scalars(select(Subscriber.id)).one()
    assert coming(alice) == at("2026-03-10T09:00")
    bring("email,birthday\nalice@example.org,1990-03-11\n")
    enter()
    assert coming(alice) == at("2026-03-11T09:00")
    enter(at("2026-03-11T09:00"))
    assert joined(alice) == [("date:birthday", at("2026-03-11T09:00"))]
    assert coming(alice) == at("2027-03-11T09:00")


def test_the_dates_of_everybody_who_is_here_are_read_in_slices(
    app: Flask, series: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "CHUNK", 2)
    people = [person(f"Reader{number}", fields={"birthday": "1990-05-17"}) for number in range(5)]
    begins(series, "date", "birthday")
    enter()
    assert [coming(one) for one in people] == [at("2026-05-17T09:00")] * 5
    trigger = db.session.scalars(select(Trigger)).one()
    assert trigger.through_at == MONDAY


def test_a_resting_date_passes_and_comes_again_next_year(app: Flask, series: int) -> None:
    alice = person("Alice", fields={"birthday": "1990-03-04"})
    number = begins(series, "date", "birthday")
    enter()
    with transaction() as session:
        entering.switch(session, series, number, enabled=False)
    enter(at("2026-03-05T00:00"))
    assert (joined(alice), coming(alice)) == ([], at("2027-03-04T09:00"))


def test_an_erased_person_leaves_no_date_and_no_happening(app: Flask, series: int) -> None:
    begins(series, "date", "birthday")
    alice = person("Alice", fields={"birthday": "1990-05-17"})
    enter()
    tag(alice)
    with transaction() as session:
        audience.erase(
            session, alice, forget=app.extensions["forget"], secret="a secret of thirty-two characters!", now=MONDAY
        )
    assert waiting() == 0
    assert db.session.scalars(select(TriggerDate)).all() == []
    enter(at("2026-05-17T09:00"))
    assert joined(alice) == []


def test_no_statement_of_the_sweep_walks_through_the_people(sqlite_app: Flask, tmp_path: Path) -> None:
    """A tick costs who is due, however many wait: asked of the database's own plan."""
    begins(load(tmp_path / "core"), "date", "birthday")
    alice = person("Alice", fields={"birthday": "1990-03-04"})
    enter()
    with questions() as statements:
        enter(at("2026-03-04T09:00"))
    assert len(joined(alice)) == 1
    raw = db.engine.raw_connection()
    plans = [
        step[3]
        for statement, values in statements
        if statement.startswith(("SELECT", "WITH", "UPDATE", "DELETE"))
        for step in raw.execute(f"EXPLAIN QUERY PLAN {statement}", values).fetchall()  # type: ignore[attr-defined]
    ]
    raw.close()
    assert any("ix_trigger_dates_next_at" in plan for plan in plans)
    large = ("trigger_dates", "subscribers", "enrollments", "subscriber_tags", "deliveries")
    assert [
        plan for plan in plans if plan.startswith("SCAN") and plan.split()[1] in large and "INDEX" not in plan
    ] == []
