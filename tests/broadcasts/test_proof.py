"""The proof run: every reader's email is made once before anybody gets it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from newsletter import clock
from newsletter.broadcasts import actions, jobs, rules, running
from newsletter.broadcasts.models import Unmakeable
from newsletter.broadcasts.rules import BroadcastState, Text
from newsletter.database.engine import db, transaction
from newsletter.delivery.models import Delivery
from newsletter.delivery.rules import State
from tests.broadcasts.stage import broadcast, crowd, person, queued, rows, run


def test_2_11_one_reader_who_breaks_the_template_is_listed_and_the_others_get_it(app: Flask) -> None:
    alice = person("alice@example.org", fields={"city": "Cologne"})
    bob = person("bob@example.org")
    number = queued(Text("Hello", "", "Line one\n\nHow is {{ fields.city }}?"))
    run()
    assert rows(number) == {alice: State.PLANNED, bob: State.CANCELED}
    found = broadcast(number)
    assert found.state == BroadcastState.SENDING
    assert db.session.scalar(select(Unmakeable)) is None
    assert "For 1 of 2 readers" in found.problem
    assert "line 3" in found.problem
    assert "bob@" not in found.problem
    row = db.session.scalars(select(Delivery).where(Delivery.subscriber_id == bob)).one()
    assert "city" in row.state_why


def test_2_11_many_who_break_it_are_canceled_in_the_slice_that_plans_them(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "CANCELED_AT_ONCE", 2)
    good = person("alice@example.org", fields={"city": "Cologne"})
    broken = crowd(5)
    number = queued(Text("Hello", "", "How is {{ fields.city }}?"))
    run()
    assert rows(number) == {good: State.PLANNED} | dict.fromkeys(broken, State.CANCELED)


def test_2_11_a_template_broken_for_all_does_not_start(app: Flask) -> None:
    person("alice@example.org")
    number = queued(Text("Hello", "", "How is {{ fields.city }}?"))
    run()
    found = broadcast(number)
    assert rows(number) == {}
    assert found.state == BroadcastState.DRAFT
    assert (found.send_at, found.started_at) == (None, None)
    assert "cannot be made for any" in found.problem
    assert db.session.scalar(select(Unmakeable)) is None


def test_2_11_a_template_broken_for_the_first_thousand_is_not_tried_on_a_million(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "HOPELESS", 4)
    monkeypatch.setattr(jobs, "PIECE", 2)
    monkeypatch.setattr(jobs, "TURN", 0)
    crowd(7)
    person("alice@example.org", fields={"city": "Cologne"})
    number = queued(Text("Hello", "", "How is {{ fields.city }}?"))
    run()
    found = broadcast(number)
    assert (found.state, found.proved) == (BroadcastState.DRAFT, 4)


def test_2_11_tags_are_read_when_the_text_asks_for_them(app: Flask) -> None:
    alice, bob = person("alice@example.org", "yoga"), person("bob@example.org")
    number = queued(Text("Hello", "", "You like {{ subscriber.tags[0] }}."))
    run()
    assert rows(number) == {alice: State.PLANNED, bob: State.CANCELED}


def test_2_11_taken_back_and_changed_during_the_proof_the_old_proof_is_worth_nothing(app: Flask) -> None:
    person("alice@example.org")
    number = queued()
    with transaction() as session:
        running.begin(session, number, clock.now())
    proved = broadcast(number)
    db.session.expunge(proved)
    with transaction() as session:
        actions.take_back(session, number, clock.now())
        actions.rewrite(session, number, Text("Other", "", "Other {{ fields.nothing }}"))
        actions.queue(session, number, clock.now())
        running.begin(session, number, clock.now())
    with transaction() as session:
        assert not running.note_proved(session, proved, proved.through_id, 1, {})
        assert not running.refuse(session, proved, "The old words are broken.")
    run()
    assert (broadcast(number).state, rows(number)) == (BroadcastState.DRAFT, {})


def test_2_12_nobody_left_when_it_starts_is_told(app: Flask) -> None:
    number = queued(to="tag:yoga", minutes=5)
    with clock.standing_at(clock.now() + timedelta(minutes=6)):
        run()
        jobs.watch_over()
    found = broadcast(number)
    assert (found.state, found.problem) == (BroadcastState.DONE, "Nobody was in this audience when it started.")
