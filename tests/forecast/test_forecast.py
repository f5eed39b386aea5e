"""The forecast equals what happens: forecast some weeks, then really live through them."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select

from newsletter import clock, worker
from newsletter.audience import actions as audience
from newsletter.audience.models import Subscriber
from newsletter.broadcasts import actions as broadcasts
from newsletter.broadcasts.models import Broadcast
from newsletter.broadcasts.rules import BroadcastState
from newsletter.database.engine import db, transaction
from newsletter.delivery import actions as delivery
from newsletter.delivery import handover
from newsletter.delivery.models import Delivery
from newsletter.delivery.rules import Lane, Reply, State
from newsletter.forecast.queries import forecast
from newsletter.forecast.rules import Row
from newsletter.sequences import jobs
from newsletter.sequences.models import Enrollment
from tests.sequences.conftest import MONDAY, STEPS, at, emails, join, load, person, turn

ZONES = ["Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Pacific/Kiritimati", "", "Mars/Base"]
Seen = tuple[str, str, str]


def foreseen(now: datetime, days: int = 21) -> list[Row]:
    db.session.rollback()
    rows = list(forecast(db.session(), now, days))
    db.session.rollback()
    return rows


def plainly(rows: list[Row]) -> list[Seen]:
    return [(f"{row.at:%Y-%m-%d %H:%M}", row.subscriber, row.subject) for row in rows]


def next_moment() -> datetime | None:
    db.session.rollback()
    waiting = Delivery.state.in_([State.PLANNED, State.DEFERRED])
    queued = Broadcast.state == BroadcastState.QUEUED
    times = [
        db.session.scalar(select(func.min(Enrollment.next_due_at))),
        db.session.scalar(select(func.min(Delivery.due_at)).where(waiting)),
        db.session.scalar(select(func.min(Broadcast.send_at)).where(queued)),
    ]
    return min((moment for moment in times if moment is not None), default=None)


def live(now: datetime, days: int = 21) -> list[Seen]:
    """Let the worker wake at every moment something is due; what was sent, as the forecast says it."""
    until = now + timedelta(days=days)
    with clock.standing_at(now):
        worker.take_turn()
    while (moment := next_moment()) is not None and moment <= until:
        with clock.standing_at(max(moment, now)):
            worker.take_turn()
    sent = (
        select(Delivery.accepted_at, Subscriber.email, Delivery.subject)
        .join(Subscriber, Subscriber.id == Delivery.subscriber_id)
        .where(Delivery.accepted_at >= now)
    )
    rows = [(f"{moment:%Y-%m-%d %H:%M}", email, subject) for moment, email, subject in db.session.execute(sent)]
    return sorted(rows)


def queue(text: str, whom: str, moment: datetime, now: datetime) -> None:
    with transaction() as session:
        source = f"---\nsubject: {text}\npreheader: News\n---\nHello.\n"
        broadcasts.queue_from_file(session, source, whom, moment, now)


def test_3_21_the_forecast_equals_what_happens(app: Flask, series: int) -> None:
    now = at("2026-03-20T09:17")  # the clocks change on the 29th in Europe
    for number, zone in enumerate(ZONES):
        join(series, person(f"Reader{number}", zone), now - timedelta(hours=13 * number))
    turn(now - timedelta(hours=1))
    join(series, person("Pending"), now)
    with transaction() as session:
        audience.add_tag(session, 1, "yoga", now)
    queue("For {{ subscriber.first_name or 'you' }}", "all", now + timedelta(days=3), now)
    queue("Yoga", "tag:yoga", now + timedelta(days=5), now)
    rows = foreseen(now)
    assert len(rows) > 20
    assert sorted(plainly(rows)) == live(now)


def test_3_21_with_emails_under_way_people_gone_and_steps_deleted(app: Flask, series: int, tmp_path: Path) -> None:
    now = at("2026-03-04T07:00")
    readers = {name: person(name) for name in ("Alice", "Bob", "Charlie", "Dora", "Emil", "Fay")}
    for number in readers.values():
        join(series, number)
    with clock.standing_at(now):
        assert jobs.plan_due() == len(readers)
    mail = {name: emails(number)[0].id for name, number in readers.items()}
    with transaction() as session:
        audience.unsubscribe(session, readers["Charlie"], "left", now)
        delivery.cancel(session, mail["Dora"], "Canceled by hand.", now)
        session.get_one(Delivery, mail["Emil"]).state = State.UNKNOWN
    load(tmp_path / "core-series", {name: STEPS[name] for name in ("01-hello.md", "03-last.md")}, now)
    rows = foreseen(now)
    assert {row.subscriber.split("@")[0] for row in rows} == {"alice", "bob", "dora", "fay"}
    assert [row.step for row in rows if row.subscriber.startswith("dora")] == ["last"]
    assert sorted(plainly(rows)) == live(now)


def test_3_21_late_workers_and_refused_addresses(app: Flask, series: int) -> None:
    """Nothing ran for a week: what is overdue goes in the next window, as the forecast says."""
    alice, bob = person("Alice", "Asia/Tokyo"), person("Bob", "America/New_York")
    join(series, alice)
    join(series, bob)
    with clock.standing_at(at("2026-03-04T12:00")):
        jobs.plan_due()
    for row in emails(bob):
        with transaction() as session:
            handover.claim_due(session, "worker", at("2026-03-04T12:00"), 10, Lane.SEQUENCE)
            handover.begin_sending(session, [row.id], "worker")
            reply = Reply(550, "5.1.1", "no such user")
            when = at("2026-03-04T12:00")
            handover.record(session, [(row.id, reply)], relay="mx", subjects={row.id: "Hello"}, now=when)
    now = at("2026-03-10T15:00")
    rows = foreseen(now)
    assert {row.subscriber for row in rows} == {"alice@example.org"}
    assert sorted(plainly(rows)) == live(now)


@pytest.mark.parametrize("seed", range(4))
def test_3_21_in_invented_worlds(sqlite_app: Flask, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    steps = {
        f"{n:02}.md": f"key: s{n}\nsubject: Step {n}\n"
        + f"delay: {chance.choice(['0 days', '1 day', '3 days', '26 hours'])}\n"
        + f"window: {chance.choice(['07:00-09:00', '22:00-02:00', '02:15-02:45'])}\n" * chance.randint(0, 1)
        + f"days: {chance.choice(['mon-fri', 'sat,sun', 'wed'])}\n" * chance.randint(0, 1)
        + f"after: {chance.choice(['previous', 'enrollment'])}"
        for n in range(1, chance.randint(3, 6))
    }
    now = at("2026-03-20T00:00") + timedelta(minutes=chance.randint(0, 9000))
    number = load(tmp_path / "a-series", steps, now)
    for reader in range(5):
        joined = now - timedelta(minutes=chance.randint(0, 12_000))
        join(number, person(f"Reader{reader}", chance.choice(ZONES)), joined)
    queue("News", "all", now + timedelta(minutes=chance.randint(1, 20_000)), now)
    rows = foreseen(now)
    assert rows == sorted(rows, key=lambda row: row.at)
    assert sorted(plainly(rows)) == live(now)


def test_a_row_says_who_what_when_and_why(app: Flask, series: int) -> None:
    join(series, person("Alice", "Europe/Berlin"))
    first, second, _ = foreseen(MONDAY)
    assert first == Row(
        at("2026-03-04T06:00"),
        "alice@example.org",
        "Hello",
        "core-series",
        "hello",
        "email 1 of Core series, 2 days after joining, 7:00–9:00, in the reader's zone",
    )
    assert second.subject == "More for Alice"


def test_only_the_days_asked_for(app: Flask, series: int) -> None:
    join(series, person("Alice"))
    assert [row.step for row in foreseen(MONDAY, 1)] == []
    assert [row.step for row in foreseen(MONDAY, 2)] == ["hello"]
    assert [row.step for row in foreseen(MONDAY, 6)] == ["hello", "more"]


def test_everybody_is_looked_at_and_progress_is_told(app: Flask, series: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("newsletter.forecast.queries.SLICE", 3)
    for number in range(7):
        join(series, person(f"Reader{number}"))
    told: list[int] = []
    rows = list(forecast(db.session(), MONDAY, 21, told=told.append))
    assert len(rows) == 21
    assert told == [3, 6, 7]
