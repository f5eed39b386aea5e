"""A pause of a series, of a person, of everything, and the three ways to go on, on both databases (semantics 3.15)."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from threading import Event, Thread

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from newsletter import clock
from newsletter.audience import actions as audience
from newsletter.database.engine import db, transaction
from newsletter.delivery import actions as delivery
from newsletter.delivery import jobs as delivery_jobs
from newsletter.delivery.models import Delivery
from newsletter.delivery.rules import OVERDUE, PAUSED, State
from newsletter.forecast.queries import forecast
from newsletter.sequences import actions, jobs, pauses, pausing, planning
from newsletter.sequences.models import Enrollment, PauseWork
from newsletter.sequences.pauses import Scope
from newsletter.sequences.resuming import Choice
from tests.sequences.conftest import MONDAY, at, emails, enrollment, join, load, person, run, sent, turn

TUESDAY, SATURDAY = at("2026-03-03T12:00"), at("2026-03-07T12:00")  # four days lie between them
WINDOW = at("2026-03-04T07:00")  # when the first email is due
END = at("2026-03-20T12:00")
EVERYTHING = Scope()


def pause(scope: Scope, now: datetime = TUESDAY) -> bool:
    with transaction() as session:
        return pausing.pause(session, scope, now)


def resume(scope: Scope, choice: Choice = Choice.SHIFTED, now: datetime = SATURDAY) -> bool:
    with transaction() as session:
        return pausing.resume(session, scope, choice, now)


def work_off(now: datetime = SATURDAY) -> int:
    done = 0
    with clock.standing_at(now):
        while more := jobs.work_off_pauses():
            done += more
    return done


@pytest.fixture
def alice(app: Flask, series: int) -> int:
    number = person("Alice")
    join(series, number)
    return number


@pytest.mark.parametrize("scope", ["series", "person", "everything"])
def test_3_15_while_paused_nothing_of_it_goes(series: int, alice: int, scope: str) -> None:
    assert pause({"series": Scope(series), "person": Scope(None, alice), "everything": EVERYTHING}[scope])
    run(END)
    turn(END)
    assert emails(alice) == []
    assert enrollment(alice).held_at == TUESDAY


def test_3_15_a_pause_concerns_its_own_people_only(series: int, alice: int, tmp_path: Path) -> None:
    other = load(tmp_path / "other", {"01-hello.md": "key: other\nsubject: Other\ndelay: 2 days"}, MONDAY)
    bob = person("Bob")
    join(series, bob)
    join(other, bob)
    pause(Scope(series))
    run(at("2026-03-05T12:00"))
    assert (sent(alice), [subject for subject, _ in sent(bob)]) == ([], ["Other"])
    assert resume(Scope(series))
    pause(Scope(None, alice), SATURDAY)
    run(END)
    assert sent(alice) == []
    assert [subject for subject, _ in sent(bob)] == ["Other", "Hello", "More for Bob", "Last"]


def test_3_15_shifted_everything_moves_by_the_pause_at_its_time_of_day(series: int, alice: int) -> None:
    pause(Scope(series))
    assert resume(Scope(series), Choice.SHIFTED)
    run(END)
    # Wed 4, Fri 6, Mon 9 without the pause.
    assert sent(alice) == [
        ("Hello", "Sun 08.03. 07:00"),
        ("More for Alice", "Tue 10.03. 07:00"),
        ("Last", "Wed 11.03. 07:00"),
    ]
    assert enrollment(alice).shifted_minutes == 4 * 24 * 60


def test_3_15_spaced_what_was_missed_goes_from_now_on_with_the_usual_distance(series: int, alice: int) -> None:
    pause(Scope(series))
    resume(Scope(series), Choice.SPACED, at("2026-03-07T07:30"))
    run(END)
    assert sent(alice) == [
        ("Hello", "Sat 07.03. 07:30"),
        ("More for Alice", "Mon 09.03. 07:00"),
        ("Last", "Tue 10.03. 07:00"),
    ]


def test_3_15_skipped_what_came_due_is_never_sent_and_the_rest_keeps_its_days(series: int, alice: int) -> None:
    pause(Scope(series))
    resume(Scope(series), Choice.SKIP)
    run(END)
    assert sent(alice) == [("Last", "Mon 09.03. 07:00")]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (Choice.SHIFTED, [("Hello", "Sun 08.03. 07:00"), ("More for Alice", "Tue 10.03. 07:00")]),
        (Choice.SPACED, [("Hello", "Sun 08.03. 07:00"), ("More for Alice", "Tue 10.03. 07:00")]),
        (Choice.SKIP, []),
    ],
)
@pytest.mark.parametrize("looked_at", [False, True])
def test_3_15_an_email_that_lay_in_the_outbox_already(
    series: int, alice: int, choice: Choice, expected: list[tuple[str, str]], looked_at: bool
) -> None:
    with clock.standing_at(WINDOW):
        assert jobs.plan_due() == 1
    pause(Scope(series), WINDOW)
    if looked_at:
        turn(WINDOW + timedelta(minutes=1))
        assert emails(alice)[0].due_at == PAUSED
        assert "paused" in emails(alice)[0].state_why
    resume(Scope(series), choice, WINDOW + timedelta(days=3, hours=5))
    run(at("2026-03-10T12:00"))
    assert [one for one in sent(alice) if one[0] != "Last"] == expected
    if choice is Choice.SKIP:
        assert emails(alice)[0].state == State.CANCELED


def test_3_15_a_worker_that_has_it_in_hand_when_the_pause_ends_does_not_lose_it(series: int, alice: int) -> None:
    """It saw the pause and is about to put the email aside; what it writes must not come after the resume's word."""
    with clock.standing_at(WINDOW):
        jobs.plan_due()
    pause(Scope(series), WINDOW)
    with transaction() as session:
        session.execute(
            Delivery.__table__.update().values(
                state=State.CLAIMED, claimed_by="w/1", lease_until=END, claimed_from="planned"
            )
        )
    resume(Scope(series), Choice.SPACED, WINDOW + timedelta(minutes=5))
    (email,) = emails(alice)
    assert (email.state, email.due_at, email.claimed_by) == (State.PLANNED, WINDOW + timedelta(minutes=5), None)


def test_3_15_who_joins_during_a_pause_begins_when_it_ends(app: Flask, series: int) -> None:
    pause(Scope(series))
    bob = person("Bob")
    join(series, bob, at("2026-03-04T10:00"))
    run(SATURDAY)
    assert (emails(bob), enrollment(bob).held_why) == ([], pauses.SERIES)
    resume(Scope(series))
    run(END)
    assert sent(bob)[0] == ("Hello", "Mon 09.03. 07:00")


def test_3_15_a_person_held_by_two_pauses_goes_on_when_both_are_over(series: int, alice: int) -> None:
    pause(Scope(series))
    pause(Scope(None, alice), at("2026-03-04T12:00"))
    resume(Scope(series))
    run(at("2026-03-09T12:00"))
    assert (emails(alice), enrollment(alice).held_why) == ([], pauses.READER)
    resume(Scope(None, alice), Choice.SHIFTED, at("2026-03-10T12:00"))
    run(END)
    assert sent(alice)[0] == ("Hello", "Wed 11.03. 07:00")  # seven days after Wed 4


def test_3_15_pausing_twice_and_resuming_twice_change_nothing(series: int, alice: int) -> None:
    assert not resume(Scope(series))
    assert pause(Scope(series))
    assert not pause(Scope(series), SATURDAY)
    assert pauses_since(Scope(series)) == TUESDAY
    assert resume(Scope(series))
    assert not resume(Scope(series), Choice.SKIP)
    assert pauses_since(Scope(series)) is None


def pauses_since(scope: Scope) -> datetime | None:
    db.session.rollback()
    return pauses.since(db.session(), scope)


def test_3_15_what_counts_from_joining_moves_as_well(app: Flask, tmp_path: Path) -> None:
    steps = {
        "01-a.md": "key: a\nsubject: A\ndelay: 1 days",
        "02-b.md": "key: b\nsubject: B\ndelay: 5 days\nafter: enrollment",
    }
    series = load(tmp_path / "from-joining", steps)
    alice = person("Alice")
    join(series, alice)
    pause(Scope(series), at("2026-03-03T09:00"))
    resume(Scope(series), Choice.SHIFTED, at("2026-03-13T09:00"))
    run(at("2026-03-30T12:00"))
    assert sent(alice) == [("A", "Fri 13.03. 10:00"), ("B", "Tue 17.03. 10:00")]


def test_3_15_how_many_people_it_concerns(series: int, alice: int) -> None:
    bob = person("Bob")
    join(series, bob, TUESDAY - timedelta(hours=1))
    pause(Scope(series))
    found = pauses.concerned(db.session(), Scope(series), at("2026-03-04T12:00"))
    assert (found.people, found.missed) == (2, 1)
    assert pauses.concerned(db.session(), EVERYTHING, SATURDAY).missed == 2


@pytest.mark.parametrize("choice", list(Choice))
def test_3_15_many_are_held_and_let_go_slice_by_slice(
    app: Flask, series: int, choice: Choice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pausing, "HELD_AT_ONCE", 2)
    monkeypatch.setattr(pausing, "RELEASED_AT_ONCE", 2)
    readers = [person(f"Reader{number}") for number in range(5)]
    for number in readers:
        join(series, number)
    held = select(func.count()).where(Enrollment.held_at.is_not(None))
    pause(EVERYTHING)
    assert db.session.scalar(held) == 2
    assert work_off() >= 3
    assert db.session.scalar(held) == 5
    resume(EVERYTHING, choice)
    assert db.session.scalar(held) == 3
    assert work_off() >= 3
    assert (db.session.scalar(held), db.session.scalar(select(func.count(PauseWork.id)))) == (0, 0)
    run(END)
    assert {len(sent(number)) for number in readers} == {1 if choice is Choice.SKIP else 3}


def test_3_15_a_pause_that_ends_before_all_are_held_holds_nobody_for_ever(
    app: Flask, series: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pausing, "HELD_AT_ONCE", 2)
    for number in range(5):
        join(series, person(f"Reader{number}"))
    pause(EVERYTHING)
    resume(EVERYTHING)
    work_off()
    assert db.session.scalar(select(func.count()).where(Enrollment.held_at.is_not(None))) == 0


def test_3_15_who_leaves_during_a_pause_has_left(series: int, alice: int) -> None:
    pause(Scope(series))
    with transaction() as session:
        assert actions.exit_one(session, series, alice, "stopped by hand", at("2026-03-05T12:00"))
    resume(Scope(series))
    run(END)
    assert sent(alice) == []


def test_3_15_after_a_pause_nothing_counts_as_overdue(series: int, alice: int) -> None:
    """A pause of weeks is no outage: what it held goes on, and is not held once more."""
    pause(Scope(series))
    resume(Scope(series), Choice.SPACED, MONDAY + timedelta(days=30))
    run(MONDAY + timedelta(days=50))
    assert len(sent(alice)) == 3


def test_3_15_sending_goes_on_for_others_meanwhile(series: int, alice: int) -> None:
    bob = person("Bob")
    join(series, bob)
    pause(Scope(None, alice))
    with clock.standing_at(WINDOW):
        while jobs.plan_due() + delivery_jobs.send_due():
            pass
    assert (sent(alice), len(sent(bob))) == ([], 1)


def test_3_16_the_end_of_a_pause_decides_nothing_about_what_was_too_late_before(series: int, alice: int) -> None:
    late = WINDOW + timedelta(days=3)
    turn(late)
    assert emails(alice)[0].due_at == OVERDUE
    pause(Scope(series), late)
    resume(Scope(series), Choice.SPACED, late + timedelta(days=1))
    turn(late + timedelta(days=1))
    assert (emails(alice)[0].due_at, sent(alice)) == (OVERDUE, [])


@pytest.mark.parametrize("paused", ["kept", "dropped"])
def test_3_15_paused_under_one_of_two_records_is_paused(series: int, alice: int, paused: str) -> None:
    other = person("Alice2")
    pause(Scope(None, alice if paused == "kept" else other))
    with transaction() as session:
        audience.merge(session, alice, other, absorb=[actions.absorb, delivery.absorb], secret="s", now=TUESDAY)
    work_off(TUESDAY)
    run(END)
    assert (enrollment(alice).held_why, sent(alice)) == (pauses.READER, [])
    assert resume(Scope(None, alice))
    run(END)
    assert len(sent(alice)) == 3


def test_an_erased_person_leaves_no_pause_behind(series: int, alice: int) -> None:
    pause(Scope(None, alice))
    with transaction() as session:
        actions.forget(session, alice)
    assert pauses_since(Scope(None, alice)) is None


@pytest.mark.parametrize("scope", ["series", "person", "everything"])
def test_3_15_who_joins_in_the_moment_of_the_pause_is_held_when_their_turn_comes(
    series: int, alice: int, scope: str
) -> None:
    """The one who joins has read that nothing is paused; the pause has looked for its people before they were there."""
    paused = {"series": Scope(series), "person": Scope(None, alice), "everything": EVERYTHING}[scope]
    pause(paused)
    with transaction() as session:  # as their transaction leaves it, which was open all the while
        session.execute(update(Enrollment).values(held_at=None, held_why=""))
    assert list(forecast(db.session(), TUESDAY, 14)) == []
    run(SATURDAY)
    assert (emails(alice), enrollment(alice).held_at, enrollment(alice).held_why != "") == ([], TUESDAY, True)
    resume(paused)
    run(END)
    assert sent(alice)[0] == ("Hello", "Sun 08.03. 07:00")


def test_3_15_who_joins_in_a_transaction_around_the_pause_gets_nothing(app: Flask, series: int) -> None:
    bob = person("Bob")
    if db.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    joined, paused = Event(), Event()

    def joins() -> None:
        with app.app_context(), transaction() as session:
            actions.enroll(session, series, bob, "form:1", MONDAY)
            joined.set()
            assert paused.wait(20)

    thread = Thread(target=joins)
    thread.start()
    assert joined.wait(20)
    pause(Scope(series))
    work_off(TUESDAY)
    paused.set()
    thread.join()
    assert enrollment(bob).held_at is None
    run(SATURDAY)
    assert (emails(bob), enrollment(bob).held_why) == ([], pauses.SERIES)


def test_3_15_a_pause_that_is_just_ending_holds_nobody_for_ever(app: Flask, series: int, alice: int) -> None:
    if db.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    pause(Scope(series))
    with transaction() as session:
        session.execute(update(Enrollment).values(held_at=None, held_why=""))
    with app.app_context(), transaction() as session:
        pausing.resume(session, Scope(series), Choice.SHIFTED, WINDOW)
        done = Event()
        thread = Thread(target=_plans, args=(app, done))
        thread.start()
        assert done.wait(20)
        thread.join()
    assert enrollment(alice).held_at is None
    run(END)
    assert sent(alice)[0] == ("Hello", "Wed 04.03. 07:00")


def _plans(app: Flask, done: Event) -> None:
    with app.app_context(), transaction() as session:
        planning.plan_due(session, WINDOW, 10)
    done.set()
