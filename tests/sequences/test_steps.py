"""Steps of every kind, ends and beginnings again, as the worker carries them out; on both databases."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from newsletter import clock
from newsletter.accounts import queries as accounts
from newsletter.audience import actions as audience
from newsletter.audience import queries as people
from newsletter.audience.models import Subscriber
from newsletter.database.engine import db, transaction
from newsletter.delivery import jobs as delivery_jobs
from newsletter.sequences import actions, editing, edits, jobs, queries, wording
from newsletter.sequences.models import Enrollment, Sequence, Step
from newsletter.sequences.moving import AtOnce, Choices
from newsletter.sequences.rules import EnrollmentState, Kind, Reentry, Timing
from tests.sequences.conftest import MONDAY, at, emails, enrollment, join, person, run, sent, turn
from tests.statements import questions

Made = tuple[str, str, int, dict[str, Any]]  # key, kind, days of delay, config


def build(slug: str, *steps: Made, **rules: Any) -> int:
    """A series of these steps; an email's key is its subject."""
    with transaction() as session:
        row = Sequence(slug=slug, name=slug.title(), created_at=MONDAY, **rules)
        session.add(row)
        session.flush()
        number = row.id
    for position, (key, kind, days, config) in enumerate(steps, 1):
        put(number, position, key, kind, days, config)
    return number


def put(sequence_id: int, position: int, key: str, kind: str, days: int, config: dict[str, Any]) -> None:
    source = wording.write(key, "", "Some words.") if kind == Kind.EMAIL else ""
    with transaction() as session:
        session.add(
            Step(
                sequence_id=sequence_id,
                key=key,
                position=position,
                kind=kind,
                delay_amount=days,
                config=config,
                source=source,
            )
        )


def mail(key: str, days: int = 1) -> Made:
    return key, Kind.EMAIL, days, {}


def tags(subscriber_id: int) -> set[str]:
    db.session.rollback()
    return set(people.tag_names_of(db.session(), [subscriber_id]).get(subscriber_id, ()))


def tag(subscriber_id: int, name: str, now: datetime = MONDAY) -> None:
    with transaction() as session:
        audience.add_tag(session, subscriber_id, name, now)


def ways(subscriber_id: int) -> list[tuple[str, int, str, str]]:
    """Every way of a person through a series: which, which round, how it stands, and why it ended."""
    db.session.rollback()
    found = (
        select(Sequence.slug, Enrollment.round, Enrollment.state, Enrollment.ended_why)
        .join(Sequence, Sequence.id == Enrollment.sequence_id)
        .where(Enrollment.subscriber_id == subscriber_id)
        .order_by(Enrollment.id)
    )
    return [tuple(row) for row in db.session.execute(found)]


def test_a_series_of_every_kind_of_step(app: Flask) -> None:
    build("next", mail("welcome", 0))
    ask = ("ask", Kind.CONDITION, 0, {"if": {"tag": "yoga"}, "then": "for-yoga", "else": ""})
    series = build(
        "core",
        mail("hello", 0),
        ("pause", Kind.WAIT, 1, {}),
        ask,
        mail("for-others", 0),
        ("stop", Kind.END, 0, {}),
        mail("for-yoga", 0),
        ("mark", Kind.TAG, 1, {"add": ["Has had it"], "remove": ["yoga"]}),
        ("on", Kind.MOVE, 0, {"to": "next"}),
    )
    alice, bob = person("Alice"), person("Bob")
    tag(alice, "yoga")
    for number in (alice, bob):
        join(series, number)
    run(MONDAY + timedelta(days=5))
    assert sent(alice) == [
        ("hello", "Mon 02.03. 10:00"),
        ("for-yoga", "Tue 03.03. 10:00"),
        ("welcome", "Wed 04.03. 10:00"),
    ]
    assert tags(alice) == {"has had it"}
    assert ways(alice) == [
        ("core", 1, EnrollmentState.FINISHED, "moved on to “Next”"),
        ("next", 1, EnrollmentState.FINISHED, ""),
    ]
    assert sent(bob) == [("hello", "Mon 02.03. 10:00"), ("for-others", "Tue 03.03. 10:00")]
    assert ways(bob) == [("core", 1, EnrollmentState.FINISHED, "")]


def test_a_move_to_a_series_that_is_gone_ends_here(app: Flask) -> None:
    alice = person("Alice")
    join(build("core", ("on", Kind.MOVE, 0, {"to": "nowhere"})), alice)
    turn(MONDAY)
    assert ways(alice) == [("core", 1, EnrollmentState.FINISHED, "moved on to “nowhere”")]


def test_two_series_that_move_their_readers_to_each_other_do_not_mail_without_end(app: Flask) -> None:
    """3.12: the least cool-down is a day."""
    with transaction() as session:
        studio = accounts.studio(session)
        studio.one_a_day = False
        session.add(studio)
    one = build("one", mail("a", 0), ("on", Kind.MOVE, 0, {"to": "two"}), reentry=Reentry.ALWAYS)
    build("two", mail("b", 0), ("on", Kind.MOVE, 0, {"to": "one"}), reentry=Reentry.ALWAYS)
    alice = person("Alice")
    join(one, alice)
    turn(MONDAY)
    assert ways(alice)[:2] == [
        ("one", 1, EnrollmentState.FINISHED, "moved on to “Two”"),
        ("two", 1, EnrollmentState.FINISHED, "moved on to “One”"),
    ]
    assert len(ways(alice)) == 2


def test_a_tag_of_a_step_is_seen_by_the_readers_other_series_in_the_same_turn(app: Flask) -> None:
    first = build("first", ("mark", Kind.TAG, 1, {"add": ["yoga"]}))
    second = build("second", ("ask", Kind.CONDITION, 1, {"if": {"tag": "yoga"}, "then": "", "else": "end"}), mail("x"))
    alice = person("Alice")
    for series in (first, second):
        join(series, alice)
    run(MONDAY + timedelta(days=3))
    assert [subject for subject, _ in sent(alice)] == ["x"]


def test_3_12_after_completion_it_begins_again_as_another_round(app: Flask) -> None:
    series = build("core", mail("a", 0), reentry=Reentry.COMPLETED, cooldown_days=30)
    alice, bob = person("Alice"), person("Bob")
    assert join(series, alice)
    assert join(series, bob)
    assert not join(series, alice, MONDAY), "a second trigger while active"
    with transaction() as session:
        actions.exit_one(session, series, bob, "stopped by hand", MONDAY)
    turn(MONDAY)
    assert not join(series, alice, MONDAY + timedelta(days=29))
    later = MONDAY + timedelta(days=30)
    assert join(series, alice, later)
    assert not join(series, alice, later), "twice at once is once"
    assert not join(series, bob, later), "left before its end"
    turn(later)
    assert sent(alice) == [("a", "Mon 02.03. 10:00"), ("a", "Wed 01.04. 10:00")]
    assert [row[1:3] for row in ways(alice)] == [(1, EnrollmentState.FINISHED), (2, EnrollmentState.FINISHED)]


def test_3_12_always_with_a_cool_down(app: Flask) -> None:
    series = build("core", mail("a"), reentry=Reentry.ALWAYS, cooldown_days=7)
    bob = person("Bob")
    join(series, bob)
    with transaction() as session:
        actions.exit_one(session, series, bob, "stopped by hand", MONDAY)
    assert not join(series, bob, MONDAY + timedelta(days=6))
    assert join(series, bob, MONDAY + timedelta(days=7))


def test_3_11_an_evergreen_series_goes_on_when_there_is_more(app: Flask) -> None:
    series = build("core", mail("a", 0), evergreen=True)
    plain = build("plain", mail("x", 0))
    alice, bob, charlie = person("Alice"), person("Bob"), person("Charlie")
    for number in (alice, charlie):
        join(series, number)
    join(plain, bob)
    turn(MONDAY)
    assert ways(alice) == [("core", 1, EnrollmentState.CAUGHT_UP, "")]
    assert enrollment(charlie).ended_at is None
    with transaction() as session:
        audience.unsubscribe(session, charlie, "pressed the link", MONDAY)
    for number in (series, plain):
        with transaction() as session:
            last = queries.steps(session, number)[-1].id
            new = edits.Add(last, Kind.EMAIL, Timing(1), source=wording.write("new", "", "Some words."))
            choices = Choices(at_once=AtOnce.NOW, confirmed=2)
            editing.apply(session, number, new, choices=choices, now=MONDAY + timedelta(days=10))
    run(MONDAY + timedelta(days=12))
    assert sent(alice) == [("a", "Mon 02.03. 10:00"), ("new", "Thu 12.03. 10:00")]
    assert sent(bob) == [("x", "Mon 02.03. 10:00")], "finished stays finished"
    assert ways(alice)[0] == ("core", 1, EnrollmentState.CAUGHT_UP, "")
    assert sent(charlie) == [("a", "Mon 02.03. 10:00")]


def test_3_11_who_waits_for_new_steps_can_leave(app: Flask) -> None:
    series = build("core", mail("a", 0), evergreen=True)
    charlie = person("Charlie")
    join(series, charlie)
    turn(MONDAY)
    with transaction() as session:
        actions.exit_all(session, charlie, "unsubscribed", MONDAY)
    assert ways(charlie) == [("core", 1, EnrollmentState.EXITED, "unsubscribed")]


def test_3_8_the_studios_new_zone_moves_those_without_one_of_their_own(
    app: Flask, series: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "CHUNK", 2)
    without = [person(f"Reader{n}") for n in range(5)]
    own, nonsense = person("Alice", "Asia/Tokyo"), person("Bob", "Mars/Base")
    for number in (*without, own, nonsense):
        join(series, number)
    with clock.standing_at(MONDAY):
        assert jobs.plan_due() == 0, "a series that is new has nobody to move"
    with transaction() as session:
        studio = accounts.studio(session)
        studio.timezone = "America/New_York"
        session.add(studio)
    with clock.standing_at(MONDAY):
        while jobs.plan_due():
            pass
    for number in (*without, nonsense):
        assert enrollment(number).next_due_at == at("2026-03-04T12:00"), "7:00 in New York"
    assert enrollment(own).next_due_at == at("2026-03-03T22:00"), "7:00 in Tokyo, as before"
    with clock.standing_at(MONDAY):
        assert jobs.plan_due() == 0


def test_3_8_a_changed_zone_never_into_the_past_and_never_twice_on_one_day(app: Flask, series: int) -> None:
    alice = person("Alice", "Asia/Tokyo")
    join(series, alice)
    run(at("2026-03-03T22:00"))
    assert sent(alice) == [("Hello", "Tue 03.03. 22:00")]
    with transaction() as session:
        session.get_one(Subscriber, alice).timezone = "Pacific/Honolulu"
        actions.replan(session, at("2026-03-03T23:00"), subscriber_id=alice)
    # In Honolulu that was Tuesday noon; two days later is Thursday.
    assert enrollment(alice).next_due_at == at("2026-03-05T17:00")


def test_nobody_who_is_held_is_due(app: Flask, series: int) -> None:
    alice = person("Alice")
    join(series, alice)
    with transaction() as session:
        session.get_one(Enrollment, enrollment(alice).id).held_at = MONDAY
    turn(at("2026-03-04T07:00"))
    assert emails(alice) == []


def test_no_statement_of_a_turn_walks_through_the_enrollments(sqlite_app: Flask) -> None:
    """A tick costs who is due, not who waits, and not whose email is on its way or held."""
    series = build("core", mail("a", 0), mail("b"))
    for n in range(3):
        join(series, person(f"Reader{n}"))
    with questions() as asked:
        turn(MONDAY)
    said = [
        (text, given)
        for text, given in asked
        if re.search("enrollments|deliveries", text) and not text.startswith("INSERT")
    ]
    assert len({text for text, _ in said}) >= 3
    for text, given in said:
        with db.engine.connect() as connection:
            plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", given)]
        walks = [line for line in plan if line.startswith(("SCAN enrollments", "SCAN deliveries"))]
        # Along the whole of a partial index: of what has just ended, and of what is in a worker's hands.
        short = ("ix_deliveries_unsettled", "ix_deliveries_leased")
        assert [line for line in walks if not line.endswith(short)] == [], text


def test_what_is_on_its_way_is_not_looked_at_again_and_again(sqlite_app: Flask) -> None:
    series = build("core", mail("a", 0), mail("b"))
    for n in range(5):
        join(series, person(f"Reader{n}"))
    with clock.standing_at(MONDAY):
        assert jobs.plan_due() == 5
        assert jobs.plan_due() == 0, "nothing has ended"
        while delivery_jobs.send_due():
            pass
        assert jobs.plan_due() == 5
        assert jobs.plan_due() == 0, "each end is told once"


def test_asked_for_again_it_hears_again_how_the_email_ended(app: Flask, series: int) -> None:
    """As after a restored backup of one table: nobody waits for ever for an email that is gone."""
    alice = person("Alice")
    join(series, alice)
    turn(at("2026-03-04T07:00"))
    (email,) = emails(alice)
    with transaction() as session:
        row = session.get_one(Enrollment, enrollment(alice).id)
        row.next_step_id, row.next_due_at = int(email.reason.split(":")[1]), at("2026-03-05T07:00")
    turn(at("2026-03-05T07:00"))
    assert [subject for subject, _ in sent(alice)] == ["Hello"]
    assert enrollment(alice).next_due_at == at("2026-03-06T07:00"), "on to the next, counted from the actual send"


def test_merging_two_records_with_several_rounds(app: Flask) -> None:
    series = build("core", mail("a", 0), reentry=Reentry.ALWAYS)
    keep, drop = person("Alice"), person("Alice2")
    join(series, drop)
    turn(MONDAY)
    for number, days in ((drop, 2), (keep, 1)):
        join(series, number, MONDAY + timedelta(days=days))
    with transaction() as session:
        actions.absorb(session, keep, drop)
    assert [row[:2] for row in ways(keep)] == [("core", 1), ("core", 2)], "those of the record that was first"
    assert ways(drop) == []
