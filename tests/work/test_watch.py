"""Semantics 3.20: after a jump of the clock by more than an hour nothing late is sent before an operator says so."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select
from structlog.testing import capture_logs

from newsletter import clock, worker
from newsletter.database.engine import db, transaction
from newsletter.delivery import actions, queries
from newsletter.delivery.models import Delivery
from newsletter.delivery.rules import Lane
from newsletter.errors import Busy
from newsletter.work import rules
from newsletter.work.watch import Watch
from tests.people import ALICE, NOW, note_writer, person, planned, register

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


@pytest.mark.parametrize(
    ("wall", "steady", "jump"),
    [
        (MINUTE, MINUTE, None),
        (MINUTE * 61, MINUTE, None),  # exactly an hour is not more than one
        (MINUTE * 61 + timedelta(seconds=1), MINUTE, HOUR + timedelta(seconds=1)),
        (-HOUR, HOUR, -2 * HOUR),
        (timedelta(days=3), HOUR, timedelta(days=3) - HOUR),
        (5 * HOUR, 5 * HOUR, None),  # a long turn of work is no jump
    ],
)
def test_3_20_what_a_jump_is(wall: timedelta, steady: timedelta, jump: timedelta | None) -> None:
    assert rules.clock_jump(wall, steady) == jump


@pytest.mark.parametrize(
    ("jump", "words"),
    [
        (HOUR + MINUTE, "jumped forward by 1 hour 1 minute:"),
        (-5 * HOUR, "jumped back by 5 hours:"),
        (timedelta(days=2, hours=1, minutes=7), "jumped forward by 2 days 1 hour:"),
    ],
)
def test_a_jump_in_words(jump: timedelta, words: str) -> None:
    assert words in rules.jump_words(jump)


@pytest.fixture
def at_work(app: Flask) -> Iterator[Flask]:
    """A worker that has been looking at the clock since NOW, and a note in each lane that comes due a little later."""
    register(app, {"note": note_writer()})
    with clock.standing_at(NOW), transaction() as session:
        reader = person(session, ALICE)
        for lane in Lane:
            planned(session, reader, reason=f"note:{int(lane)}", lane=lane, due_at=NOW + MINUTE)
    with clock.standing_at(NOW):
        app.extensions["watch"] = Watch(worker.stop_for_jump)
    yield app
    del app.extensions["watch"]


def states() -> dict[int, str]:
    db.session.rollback()
    return dict(db.session.execute(select(Delivery.lane, Delivery.state).order_by(Delivery.lane)).all())


def test_3_20_nothing_late_is_sent_before_the_operator_says_so(at_work: Flask) -> None:
    with clock.standing_at(NOW + 5 * HOUR), capture_logs() as said:
        worker.take_turn()
        assert states() == {Lane.TRANSACTIONAL: "accepted", Lane.SEQUENCE: "planned", Lane.BULK: "planned"}
        worker.take_turn()
        assert [line["seconds"] for line in said if line["event"] == "the clock jumped"] == [5 * 3600]
        held = queries.holds(db.session())
        assert sorted(hold.what for hold in held) == ["lane:1", "lane:2"]
        assert "jumped forward by 5 hours" in held[0].why
        for what in ("lane:1", "lane:2"):
            with transaction() as session:
                actions.let_go(session, what)
        worker.take_turn()
        assert set(states().values()) == {"accepted"}


def test_without_a_jump_nothing_is_held(at_work: Flask) -> None:
    with clock.standing_at(NOW + 59 * MINUTE):
        worker.take_turn()
    assert set(states().values()) == {"accepted"}
    assert queries.holds(db.session()) == []


def test_a_hold_of_the_operator_keeps_its_words(at_work: Flask) -> None:
    with transaction() as session:
        actions.hold(session, "lane:2", "Paused by an operator.", NOW)
    with clock.standing_at(NOW + 5 * HOUR):
        worker.take_turn()
    words = {hold.what: hold.why for hold in queries.holds(db.session())}
    assert words["lane:2"] == "Paused by an operator."
    assert "jumped" in words["lane:1"]


def test_a_jump_that_could_not_be_written_down_is_found_again() -> None:
    told: list[timedelta] = []

    def away(jump: timedelta) -> None:
        told.append(jump)
        if len(told) == 1:
            raise Busy("The database did not answer in time.")

    with clock.standing_at(NOW):
        watch = Watch(away)
    with clock.standing_at(NOW + 2 * HOUR):
        with pytest.raises(Busy):
            watch.look()
        watch.look()
        watch.look()
    assert len(told) == 2
