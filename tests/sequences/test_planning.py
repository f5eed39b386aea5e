"""From joining a series to its last email, through the ledger and the built-in mailbox, on both databases."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from threading import Barrier, Thread

import pytest
from flask import Flask
from sqlalchemy import select

from newsletter import clock
from newsletter.accounts import queries as accounts
from newsletter.audience import actions as audience
from newsletter.audience.models import Subscriber, SubscriberEvent
from newsletter.audience.rules import Status
from newsletter.database.engine import db, transaction
from newsletter.delivery import actions as delivery
from newsletter.delivery import handover
from newsletter.delivery import jobs as delivery_jobs
from newsletter.delivery.rules import Lane, Reply, State
from newsletter.sequences import actions, jobs, planning
from newsletter.sequences.rules import EnrollmentState
from tests.sequences.conftest import MONDAY, STEPS, at, emails, enrollment, join, load, person, run, sent, step, turn


def test_3_3_a_whole_course_each_at_its_delay_in_its_window(app: Flask, series: int) -> None:
    alice = person("Alice", "Europe/Berlin")
    assert join(series, alice)
    run(MONDAY + timedelta(days=9))
    assert sent(alice) == [
        ("Hello", "Wed 04.03. 06:00"),  # 7:00 in Berlin
        ("More for Alice", "Fri 06.03. 06:00"),
        ("Last", "Mon 09.03. 06:00"),  # 24 hours later is a Saturday
    ]
    done = enrollment(alice)
    assert (done.state, done.ended_why, done.next_step_id) == (EnrollmentState.FINISHED, "", None)


def test_3_3_the_delay_counts_from_the_actual_send(app: Flask, series: int) -> None:
    alice = person("Alice")
    join(series, alice)
    turn(at("2026-03-05T08:30"))  # the worker was down for a day, and is back inside the window
    turn(at("2026-03-06T08:30"))
    turn(at("2026-03-07T08:30"))
    assert sent(alice) == [("Hello", "Thu 05.03. 08:30"), ("More for Alice", "Sat 07.03. 08:30")]


def test_3_6_a_late_worker_waits_for_the_next_window(app: Flask, series: int) -> None:
    alice = person("Alice")
    join(series, alice)
    turn(at("2026-03-05T15:00"))
    assert sent(alice) == []
    assert enrollment(alice).next_due_at == at("2026-03-06T07:00")
    turn(at("2026-03-06T07:00"))
    assert sent(alice) == [("Hello", "Fri 06.03. 07:00")]


def test_3_8_everyone_in_their_own_zone(app: Flask, series: int) -> None:
    zones = {"Alice": "Asia/Tokyo", "Bob": "", "Dora": "Mars/Base"}
    with transaction() as session:
        studio = accounts.studio(session)
        studio.timezone = "America/New_York"
        session.add(studio)
    people = {name: person(name, zone) for name, zone in zones.items()}
    for number in people.values():
        join(series, number)
    assert {name: f"{enrollment(number).next_due_at:%d. %H:%M}" for name, number in people.items()} == {
        "Alice": "03. 22:00",
        "Bob": "04. 12:00",
        "Dora": "04. 12:00",
    }
    notices = select(SubscriberEvent.detail).where(SubscriberEvent.subscriber_id == people["Dora"])
    assert any("Mars/Base" in detail for detail in db.session.scalars(notices))


def test_3_8_a_changed_zone_moves_the_unsent_step_never_into_the_past(app: Flask, series: int) -> None:
    alice = person("Alice", "America/New_York")
    join(series, alice)
    assert enrollment(alice).next_due_at == at("2026-03-04T12:00")
    for zone, expected in (("Asia/Tokyo", "2026-03-04T22:00"), ("Europe/Berlin", "2026-03-04T07:30")):
        with transaction() as session:
            session.get_one(Subscriber, alice).timezone = zone
            session.flush()
            assert actions.replan(session, at("2026-03-04T07:30"), subscriber_id=alice) == 1
        assert enrollment(alice).next_due_at == at(expected)


def test_3_1_a_step_reaches_a_reader_once_whatever_becomes_of_its_place(
    app: Flask, series: int, tmp_path: Path
) -> None:
    alice = person("Alice")
    join(series, alice)
    turn(at("2026-03-04T07:00"))
    moved = {"01-more.md": STEPS["02-more.md"], "02-hello.md": STEPS["01-hello.md"], "03-last.md": STEPS["03-last.md"]}
    assert load(tmp_path / "core-series", moved, at("2026-03-05T12:00")) == series
    run(at("2026-03-05T12:00") + timedelta(days=8))
    assert [subject for subject, _ in sent(alice)] == ["Hello", "More for Alice", "Last"]
    assert enrollment(alice).state == EnrollmentState.FINISHED


def test_3_9_a_shorter_delay_credits_the_time_already_waited(app: Flask, series: int, tmp_path: Path) -> None:
    alice = person("Alice")
    join(series, alice)
    longer = STEPS | {"01-hello.md": STEPS["01-hello.md"].replace("2 days", "5 days")}
    load(tmp_path / "core-series", longer, at("2026-03-03T12:00"))
    assert enrollment(alice).next_due_at == at("2026-03-07T07:00")
    shorter = STEPS | {"01-hello.md": STEPS["01-hello.md"].replace("2 days", "1 days")}
    load(tmp_path / "core-series", shorter, at("2026-03-05T12:00"))
    assert enrollment(alice).next_due_at == at("2026-03-06T07:00")


def test_3_10_a_deleted_step_is_waited_out_and_passed_over(app: Flask, series: int, tmp_path: Path) -> None:
    alice = person("Alice")
    join(series, alice)
    load(tmp_path / "core-series", {name: STEPS[name] for name in ("02-more.md", "03-last.md")}, at("2026-03-03T12:00"))
    assert enrollment(alice).next_due_at == at("2026-03-04T07:00")
    run(at("2026-03-03T12:00") + timedelta(days=4))
    assert sent(alice) == [("More for Alice", "Fri 06.03. 07:00")]


def test_3_10_a_step_deleted_after_it_was_planned_is_withdrawn(app: Flask, series: int, tmp_path: Path) -> None:
    alice = person("Alice")
    join(series, alice)
    with clock.standing_at(at("2026-03-04T07:00")):
        assert jobs.plan_due() == 1
    load(tmp_path / "core-series", {name: STEPS[name] for name in ("02-more.md", "03-last.md")}, at("2026-03-04T07:00"))
    run(at("2026-03-04T07:00") + timedelta(days=3))
    assert [row.state for row in emails(alice)] == [State.CANCELED, State.ACCEPTED]
    assert sent(alice) == [("More for Alice", "Fri 06.03. 07:00")]


def test_3_12_a_second_trigger_is_ignored_and_noted(app: Flask, series: int) -> None:
    alice = person("Alice")
    assert join(series, alice)
    assert not join(series, alice, at("2026-03-03T10:00")), "while under way"
    run(MONDAY + timedelta(days=9))
    assert not join(series, alice, at("2026-06-01T10:00")), "after it was finished"
    assert enrollment(alice).state == EnrollmentState.FINISHED
    noted = select(SubscriberEvent).where(SubscriberEvent.subscriber_id == alice, SubscriberEvent.kind == "series")
    why = [line.detail.rpartition(": ")[2] for line in db.session.scalars(noted.order_by(SubscriberEvent.id))]
    assert why == ["they are in it already", "they had it before"]


@pytest.mark.parametrize(
    "values", [{"status": Status.PENDING}, {"marketing": False}, {"status": Status.UNSUBSCRIBED, "marketing": False}]
)
def test_charlie_who_may_not_get_it_does_not_join(app: Flask, series: int, values: dict[str, object]) -> None:
    charlie = person("Charlie", **values)
    assert not join(series, charlie)
    with transaction() as session:
        row = session.get_one(Subscriber, charlie)
        row.status, row.marketing = Status.CONFIRMED, True
    assert join(series, charlie, at("2026-03-05T10:00")), "refused is not the same as having had it"


@pytest.mark.parametrize(
    ("leave", "why"),
    [
        (lambda s, who, now: audience.unsubscribe(s, who, "pressed the link", now), "unsubscribed"),
        (lambda s, who, now: audience.close(s, who, Status.BOUNCED, "no such user", now), "address not working"),
        (lambda s, who, now: audience.close(s, who, Status.COMPLAINED, "spam report", now), "marked as spam"),
    ],
)
@pytest.mark.parametrize("planned", [False, True])
def test_3_13_who_left_gets_nothing_more_asked_when_planning_and_when_sending(
    app: Flask, series: int, leave: object, why: str, planned: bool
) -> None:
    charlie = person("Charlie")
    join(series, charlie)
    moment = at("2026-03-04T07:00")
    if planned:
        with clock.standing_at(moment):
            jobs.plan_due()
    with transaction() as session:
        leave(session, charlie, moment)  # type: ignore[operator]
    run(moment + timedelta(days=6))
    assert sent(charlie) == []
    assert [row.state for row in emails(charlie)] == ([State.CANCELED] if planned else [])
    ended = enrollment(charlie)
    assert (ended.state, ended.ended_why) == (EnrollmentState.EXITED, why)


def test_3_13_by_hand_what_is_planned_is_canceled_at_once(app: Flask, series: int) -> None:
    charlie = person("Charlie")
    join(series, charlie)
    moment = at("2026-03-04T07:00")
    with clock.standing_at(moment):
        jobs.plan_due()
    with transaction() as session:
        assert actions.exit_one(session, series, charlie, "stopped by hand", moment)
        assert not actions.exit_one(session, series, charlie, "stopped by hand", moment)
    assert [row.state for row in emails(charlie)] == [State.CANCELED]
    turn(moment)
    assert sent(charlie) == []
    assert not join(series, charlie, moment), "leaving is not a way to begin again"


def test_3_13_the_suppression_list_ends_a_series(app: Flask, series: int) -> None:
    charlie = person("Charlie")
    join(series, charlie)
    with transaction() as session:
        audience.erase(session, charlie, forget=[actions.forget], secret=app.config["SECRET_KEY"], now=MONDAY)
    run(MONDAY + timedelta(days=4))
    ended = enrollment(charlie)
    assert (ended.state, ended.ended_why, ended.source) == (EnrollmentState.EXITED, "erased", "")
    assert emails(charlie) == []


def refuse(subscriber_id: int, reply: Reply, now: datetime) -> None:
    """The mail server's answer to a planned email."""
    (row,) = emails(subscriber_id)
    with transaction() as session:
        handover.claim_due(session, "worker", now, 10, Lane.SEQUENCE)
        handover.begin_sending(session, [row.id], "worker")
        handover.record(session, [(row.id, reply)], relay="mx:25", subjects={row.id: "Hello"}, now=now)


def test_3_13_a_refused_address_leaves_the_series(app: Flask, series: int) -> None:
    charlie, moment = person("Charlie"), at("2026-03-04T07:00")
    join(series, charlie)
    with clock.standing_at(moment):
        jobs.plan_due()
        refuse(charlie, Reply(550, "5.1.1", "no such user"), moment)
        jobs.plan_due()
    ended = enrollment(charlie)
    assert (ended.state, ended.ended_why) == (EnrollmentState.EXITED, "address not working")


def test_canceled_by_the_operator_the_series_goes_on(app: Flask, series: int) -> None:
    alice, moment = person("Alice"), at("2026-03-04T07:00")
    join(series, alice)
    with clock.standing_at(moment):
        jobs.plan_due()
        with transaction() as session:
            delivery.cancel(session, emails(alice)[0].id, "Canceled by hand.", moment)
        jobs.plan_due()
    assert enrollment(alice).next_due_at == at("2026-03-06T07:00"), "the next delay counts from the cancelation"
    assert enrollment(alice).last_sent_at is None


def test_given_up_after_72_hours_the_series_goes_on(app: Flask, series: int) -> None:
    alice, moment = person("Alice"), at("2026-03-04T07:00")
    join(series, alice)
    with clock.standing_at(moment):
        jobs.plan_due()
        refuse(alice, Reply(451, "4.3.0", "later"), moment)
        assert jobs.plan_due() == 0, "deferred: it waits"
    later = moment + timedelta(hours=73)
    with clock.standing_at(later):
        delivery_jobs.recover()
        assert emails(alice)[0].state == State.EXPIRED
        jobs.plan_due()
    assert enrollment(alice).next_due_at == at("2026-03-09T07:00")


def test_the_outcome_unknown_waits_for_the_operator(app: Flask, series: int) -> None:
    """2.4: a series waits; counted as sent, it goes on from there."""
    alice, moment = person("Alice"), at("2026-03-04T07:00")
    join(series, alice)
    with clock.standing_at(moment):
        jobs.plan_due()
        refuse(alice, Reply(0, text="connection lost"), moment)
        assert jobs.plan_due() == 0
    decided = moment + timedelta(hours=3)
    with transaction() as session:
        delivery.decide_unknown(session, [emails(alice)[0].id], again=False, by="Alice", now=decided)
    with clock.standing_at(decided):
        jobs.plan_due()
    assert enrollment(alice).next_due_at == at("2026-03-06T07:00")


def test_planned_twice_there_is_one_email(app: Flask, series: int) -> None:
    alice, moment = person("Alice"), at("2026-03-04T07:00")
    join(series, alice)
    with clock.standing_at(moment):
        assert jobs.plan_due() == 1
        assert jobs.plan_due() == 0
    # A plan that committed but was forgotten, as after a restored backup of one table: the unique pair still holds.
    with transaction() as session:
        row = actions.queries.active(session, alice)[0]
        row.next_due_at = moment
    turn(moment)
    (email,) = emails(alice)
    assert (email.lane, email.due_at) == (Lane.SEQUENCE, moment)
    assert email.reason == f"step:{step(series, 'hello').id}:enrollment:{enrollment(alice).id}"
    assert len(sent(alice)) == 1


def test_killed_between_planning_and_committing_nothing_is_lost_or_doubled(app: Flask, series: int) -> None:
    alice, moment = person("Alice"), at("2026-03-04T07:00")
    join(series, alice)

    def killed() -> None:
        with transaction() as session:
            assert planning.plan_due(session, moment, 500) == 1
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        killed()
    assert emails(alice) == []
    turn(moment)
    assert len(sent(alice)) == 1


def test_planned_at_once_by_many_workers_there_is_one_email_each(app: Flask, series: int) -> None:
    readers = [person(f"Reader{n}") for n in range(25)]
    for number in readers:
        join(series, number)
    moment, handled, barrier = at("2026-03-04T07:00"), [0] * 4, Barrier(4)

    def work(worker: int) -> None:
        with app.app_context(), clock.standing_at(moment):
            barrier.wait()
            while done := jobs.plan_due():
                handled[worker] += done
            db.session.remove()

    threads = [Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(handled) == len(readers)
    assert [len(emails(number)) for number in readers] == [1] * len(readers)


def test_more_than_a_chunk_is_planned_chunk_by_chunk(app: Flask, series: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "CHUNK", 3)
    readers = [person(f"Reader{n}") for n in range(7)]
    for number in readers:
        join(series, number)
    handled = []
    with clock.standing_at(at("2026-03-04T07:00")):
        while done := jobs.plan_due():
            handled.append(done)
    assert handled == [3, 3, 1]


def test_merging_two_records_keeps_the_earlier_enrollment(app: Flask, series: int, tmp_path: Path) -> None:
    other = tmp_path / "other-series"
    second = load(other, {"01-hello.md": STEPS["01-hello.md"]})
    keep, drop = person("Alice"), person("Alice2")
    join(series, keep, at("2026-03-03T10:00"))
    join(series, drop)
    join(second, drop)
    with transaction() as session:
        audience.merge(session, keep, drop, absorb=[actions.absorb, delivery.absorb], secret="s", now=clock.now())
    db.session.rollback()
    with transaction() as session:
        kept = {row.sequence_id: row.enrolled_at for row in actions.queries.active(session, keep)}
    assert kept == {series: MONDAY, second: MONDAY}
