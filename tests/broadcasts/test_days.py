"""A series and an email to many on one reader's day, from the queue to the mailbox, on both databases (3.16, 3.17)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from newsletter import clock
from newsletter.accounts import actions as accounts
from newsletter.broadcasts import actions, jobs, rules
from newsletter.broadcasts.rules import BroadcastState
from newsletter.database.engine import db, transaction
from newsletter.delivery import jobs as delivery_jobs
from newsletter.delivery.models import Delivery
from newsletter.sequences import jobs as series_jobs
from newsletter.sequences import pausing
from newsletter.sequences.pauses import Scope
from tests.broadcasts.stage import WORDS, broadcast
from tests.sequences.conftest import MONDAY, at, enrollment, join, load, person, sent

SERIES = {
    "01-hello.md": "key: hello\nsubject: Hello\ndelay: 2 days\nwindow: 17:00-18:00",
    "02-more.md": "key: more\nsubject: More\ndelay: 1 days\nwindow: 17:00-18:00\ndays: mon-thu",
}
WEDNESDAY = at("2026-03-04T09:00")  # the first email of the series is due at 17:00 that day


def queue(send_at: datetime, now: datetime = MONDAY) -> int:
    with transaction() as session:
        draft = actions.write(session, WORDS, by=None, now=now)
        actions.aim(session, draft.id, rules.audience("all"), send_at)
        actions.queue(session, draft.id, now)
        return draft.id


def setting(**values: object) -> None:
    with transaction() as session:
        studio = accounts.ensure_studio(session)
        for name, value in values.items():
            setattr(studio, name, value)


def turn(now: datetime) -> None:
    """What the worker does at one moment, until nothing is due."""
    with clock.standing_at(now):
        while series_jobs.plan_due() + jobs.start_due() + delivery_jobs.send_due() + jobs.watch_over():
            pass


@pytest.fixture
def days(app: Flask, tmp_path: Path) -> Callable[[datetime, datetime], None]:
    """Lets the worker wake every hour from one moment to another."""

    def pass_by(start: datetime, end: datetime) -> None:
        moment = start
        while moment <= end:
            turn(moment)
            moment += timedelta(hours=1)

    return pass_by


@pytest.fixture
def alice(app: Flask, tmp_path: Path) -> int:
    series = load(tmp_path / "core", SERIES)
    number = person("Alice")
    join(series, number)
    return number


def why(subscriber_id: int, kind: str) -> str:
    db.session.rollback()
    mine = Delivery.subscriber_id == subscriber_id, Delivery.reason.startswith(kind)
    return str(db.session.scalars(select(Delivery.state_why).where(*mine)).one())


def test_3_17_a_broadcast_in_the_morning_makes_room_for_the_series_in_the_evening(
    alice: int, days: Callable[[datetime, datetime], None]
) -> None:
    bob = person("Bob")
    queue(WEDNESDAY)
    turn(WEDNESDAY)
    assert [subject for subject, _ in sent(bob)] == [WORDS.subject]
    assert sent(alice) == []
    assert why(alice, "broadcast") == "Moved from Wednesday because of Core series, email 1."
    days(WEDNESDAY, at("2026-03-07T12:00"))
    assert sent(alice) == [
        (WORDS.subject, "Fri 06.03. 09:00"),  # Thursday belongs to the second email of the series
        ("Hello", "Wed 04.03. 17:00"),
        ("More", "Thu 05.03. 17:00"),
    ]


def test_3_17_broadcasts_first_and_the_series_moves_into_its_own_window_and_days(
    alice: int, days: Callable[[datetime, datetime], None]
) -> None:
    setting(first="broadcast")
    queue(at("2026-03-05T20:00"))  # later than the second email of the series on that day
    days(WEDNESDAY, at("2026-03-11T12:00"))
    assert sent(alice) == [
        ("Hello", "Wed 04.03. 17:00"),
        ("More", "Mon 09.03. 17:00"),  # Thursday has the broadcast, Friday to Sunday are not its days
        (WORDS.subject, "Thu 05.03. 20:00"),
    ]
    assert enrollment(alice).last_sent_at == at("2026-03-09T17:00")


def test_3_17_two_broadcasts_on_one_day_the_first_goes_first(app: Flask) -> None:
    bob = person("Bob")
    queue(WEDNESDAY)
    queue(WEDNESDAY + timedelta(hours=2))
    turn(WEDNESDAY)
    turn(WEDNESDAY + timedelta(hours=2))
    assert len(sent(bob)) == 1
    turn(WEDNESDAY + timedelta(days=1, hours=2))
    assert [moment for _, moment in sent(bob)] == ["Wed 04.03. 09:00", "Thu 05.03. 11:00"]


def test_3_17_a_paused_series_takes_no_day_from_anybody(alice: int) -> None:
    with transaction() as session:
        pausing.pause(session, Scope(), MONDAY)
    queue(WEDNESDAY)
    turn(WEDNESDAY)
    assert sent(alice) == [(WORDS.subject, "Wed 04.03. 09:00")]


@pytest.mark.parametrize(("late", "goes"), [(timedelta(hours=47), True), (timedelta(hours=49), False)])
def test_3_16_a_broadcast_that_should_have_gone_days_ago_is_asked_about(
    app: Flask, late: timedelta, goes: bool
) -> None:
    bob = person("Bob")
    number = queue(WEDNESDAY)
    turn(WEDNESDAY + late)
    assert bool(sent(bob)) == goes
    found = broadcast(number)
    if not goes:
        assert (found.state, found.send_at) == (BroadcastState.DRAFT, None)
        assert "48 hours" in found.problem
