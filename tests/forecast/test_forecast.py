"""The forecast equals what happens: forecast some weeks, then really live through them."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from sqlalchemy import func, select

from newsletter import clock, worker
from newsletter.audience import actions as audience
from newsletter.audience.models import Subscriber
from newsletter.broadcasts import actions as broadcasts
from newsletter.broadcasts import jobs as broadcast_jobs
from newsletter.broadcasts.models import Broadcast
from newsletter.broadcasts.rules import BroadcastState
from newsletter.database.engine import db, transaction
from newsletter.delivery import actions as delivery
from newsletter.delivery import handover
from newsletter.delivery.models import Delivery
from newsletter.delivery.rules import Lane, Reply, State
from newsletter.forecast import queries
from newsletter.forecast.queries import forecast
from newsletter.forecast.rules import Only, Row
from newsletter.sequences import jobs
from newsletter.sequences.models import Enrollment
from newsletter.sequences.rules import Kind
from tests.sequences.conftest import MONDAY, STEPS, at, emails, join, load, person, turn
from tests.sequences.test_steps import build, mail

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
    """Nothing ran for a day: what is late goes in the next window, as the forecast says."""
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
    now = at("2026-03-05T15:00")
    rows = foreseen(now)
    assert {row.subscriber for row in rows} == {"alice@example.org"}
    assert sorted(plainly(rows)) == live(now)


def test_3_16_what_is_long_overdue_is_held_in_the_forecast_as_in_life(app: Flask, series: int) -> None:
    join(series, person("Alice"))
    with clock.standing_at(at("2026-03-04T07:00")):
        jobs.plan_due()
    assert len(foreseen(at("2026-03-06T06:00"))) == 3
    now = at("2026-03-06T08:00")
    assert foreseen(now) == []
    assert live(now) == []


def test_3_17_a_row_says_from_which_day_it_was_moved_and_because_of_what(app: Flask, series: int) -> None:
    join(series, person("Alice"))
    queue("News", "all", at("2026-03-04T12:00"), MONDAY)
    rows = foreseen(MONDAY)
    moved = [row for row in rows if row.moved_from]
    assert [(row.subject, row.moved_from, row.at) for row in moved] == [
        ("News", at("2026-03-04T12:00"), at("2026-03-05T12:00"))
    ]
    assert moved[0].broadcast_id > 0
    assert moved[0].reason.startswith("broadcast to everybody")
    assert ", moved from Wednesday because of " in moved[0].reason
    assert "Core series, email 1" in moved[0].reason
    assert sorted(plainly(rows)) == live(MONDAY)


def test_3_21_readers_of_a_broadcast_that_has_begun_and_is_not_planned_yet(app: Flask, series: int) -> None:
    person("Alice")
    queue("News", "all", MONDAY, MONDAY)
    with clock.standing_at(MONDAY):
        broadcast_jobs.start_due()  # begun and proved; the next step would plan its readers
    person("Bob")
    rows = foreseen(MONDAY + timedelta(minutes=1))
    assert [(row.subscriber, row.at) for row in rows] == [("alice@example.org", MONDAY + timedelta(minutes=1))]
    assert sorted(plainly(rows)) == live(MONDAY + timedelta(minutes=1))


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
        1,
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


def test_counts_are_the_rows_without_names(app: Flask, series: int) -> None:
    for name in ("Alice", "Bob", "Charlie"):
        join(series, person(name))
    person("Dora")
    queue("News", "all", at("2026-03-04T12:00"), MONDAY)
    rows = foreseen(MONDAY)
    told: list[int] = []
    found = queries.counts(db.session(), MONDAY, 21, told=told.append)
    assert Counter({(one.at, one.broadcast_id): one.people for one in found}) == Counter(
        (row.at, row.broadcast_id) for row in rows
    )
    assert sum(one.moved for one in found) == 3
    assert told == [4]


def test_slices_of_readers_are_the_whole(app: Flask, series: int) -> None:
    for name in ("Alice", "Bob", "Charlie"):
        join(series, person(name))
    queue("News", "all", at("2026-03-04T12:00"), MONDAY)
    after: int | None = 0
    found = []
    while after is not None:
        some, after = queries.stretch(db.session(), MONDAY, MONDAY + timedelta(days=21), after, 2)
        found += some
    rows = foreseen(MONDAY)
    assert sorted((one.at, one.subscriber_id, one.broadcast_id) for one in found) == sorted(
        (row.at, row.subscriber_id, row.broadcast_id) for row in rows
    )


def test_only_what_was_asked_for(app: Flask, series: int) -> None:
    alice, bob = person("Alice"), person("Bob")
    join(series, alice)
    join(series, bob)
    queue("News", "all", at("2026-03-04T12:00"), MONDAY)

    def asked(only: Only) -> set[tuple[int, str | None]]:
        db.session.rollback()
        return {(row.subscriber_id, row.sequence) for row in forecast(db.session(), MONDAY, 21, only=only)}

    assert asked(Only(subscribers=frozenset({bob}))) == {(bob, "core-series"), (bob, None)}
    assert asked(Only(sequences=frozenset())) == {(alice, None), (bob, None)}
    assert asked(Only(broadcasts=False)) == {(alice, "core-series"), (bob, "core-series")}


def test_3_21_the_counts_of_the_days_are_the_names_counted(sqlite_app: Flask, series: int) -> None:
    for number, zone in enumerate(ZONES):
        join(series, person(f"Reader{number}", zone), MONDAY)
    queue("News", "all", MONDAY + timedelta(days=2), MONDAY)
    rows, zone = foreseen(MONDAY), ZoneInfo("Asia/Tokyo")
    named = Counter((row.at.astimezone(zone).date(), row.step or "") for row in rows)
    found = queries.by_day(db.session(), MONDAY, 21, zone)
    assert {(cell.day, heading.key): cell.people for cell, heading in found} == named
    assert [cell.first_at for cell, _ in found] == sorted(cell.first_at for cell, _ in found)
    assert sum(cell.moved for cell, _ in found) == sum(row.moved_from is not None for row in rows)
    assert any(cell.people > 1 for cell, _ in found)


def test_3_12_what_only_those_who_would_join_are_asked_is_read_for_it(app: Flask) -> None:
    """Nothing else in the house asks about fields."""
    build("last", mail("b", 0), entry={"field": "city", "is": "equals", "value": "Rome"})
    first = build("first", mail("a", 1), ("on", Kind.MOVE, 1, {"to": "last"}))
    for name, city in (("Alice", "Rome"), ("Charlie", "Paris")):
        join(first, person(name, fields={"city": city}))
    rows = plainly(foreseen(MONDAY))
    assert [row[1:] for row in rows if row[2] == "b"] == [("alice@example.org", "b")]
    assert live(MONDAY) == sorted(rows)
