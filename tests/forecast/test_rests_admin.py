"""The effect of a pause and of each way of ending it, before either is done (semantics 3.15)."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from newsletter import clock
from newsletter.database.engine import db, transaction
from newsletter.forecast import rest_impact
from newsletter.sequences import pausing
from newsletter.sequences.pauses import Scope
from newsletter.sequences.resuming import CHOICE_WORDS, Choice
from tests.sequences.conftest import at, emails, join, person, run, turn

TUESDAY, FRIDAY = at("2026-03-03T12:00"), at("2026-03-06T12:00")


def pause(scope: Scope) -> None:
    with transaction() as session:
        assert pausing.pause(session, scope, TUESDAY)


def page(client: FlaskClient, path: str) -> str:
    with clock.standing_at(FRIDAY):
        answer = client.get(f"/admin/sequences/pauses/{path}")
    assert answer.status_code == 200, path
    return re.sub(r"\s+", " ", answer.text)


@pytest.mark.parametrize("choice", list(Choice))
def test_3_15_each_way_of_going_on_is_told_as_it_then_happens(sqlite_app: Flask, series: int, choice: Choice) -> None:
    alice, bob = person("Alice"), person("Bob", "Asia/Tokyo")
    join(series, alice)
    join(series, bob, at("2026-02-28T10:00"))
    run(TUESDAY)
    before = {reader: len(emails(reader)) for reader in (alice, bob)}
    pause(Scope(sequence_id=series))
    run(FRIDAY)
    told = rest_impact.of_resume(db.session(), Scope(sequence_id=series), FRIDAY).ways[choice]
    with transaction() as session:
        pausing.resume(session, Scope(sequence_id=series), choice, FRIDAY)
    turn(FRIDAY)
    run(at("2026-04-30T00:00"))
    really = {reader: [row for row in emails(reader) if row.accepted_at][before[reader] :] for reader in (alice, bob)}
    assert told.emails == sum(len(rows) for rows in really.values())
    assert {who: when for who, when, _ in told.first} == {
        reader: rows[0].accepted_at for reader, rows in really.items() if rows
    }
    assert told.missed == 5 - told.emails if choice == Choice.SKIP else told.missed == 0


def test_3_15_the_page_shows_the_three_ways_with_their_buttons(operator: FlaskClient, series: int) -> None:
    alice = person("Alice")
    join(series, alice)
    pause(Scope(sequence_id=series))
    shown = page(operator, f"series/{series}/effect")
    for title, means in CHOICE_WORDS.values():
        assert title in shown
        assert means in shown
    assert "alice@example.org" in shown
    assert shown.count('name="do"') == 3
    assert f'action="/admin/sequences/pauses/series/{series}"' in shown


def test_before_a_pause_the_page_says_what_it_would_keep_back(operator: FlaskClient, series: int) -> None:
    alice = person("Alice")
    join(series, alice, at("2026-03-05T10:00"))
    for path in (f"series/{series}/effect", f"person/{alice}/effect", "everything/0/effect"):
        assert "<strong>3 emails</strong> to <strong>1 person</strong>" in page(operator, path), path
    bob = person("Bob")
    assert "No email of it would go out" in page(operator, f"person/{bob}/effect")


def test_what_does_not_exist_is_not_found(operator: FlaskClient) -> None:
    for path in ("series/99/effect", "person/99/effect", "dance/1/effect"):
        assert operator.get(f"/admin/sequences/pauses/{path}").status_code == 404, path


def test_charlie_the_stranger_is_refused(sqlite_app: Flask, series: int) -> None:
    charlie = sqlite_app.test_client()
    for kind, number in (("series", series), ("person", 1), ("everything", 0)):
        answer = charlie.get(f"/admin/sequences/pauses/{kind}/{number}/effect")
        assert answer.location.startswith("/admin/sign-in"), kind
