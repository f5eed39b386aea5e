"""Two marketing emails for one reader on one day, through the worker's own sending, on both databases."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from sqlalchemy import select, update

from newsletter import clock
from newsletter.accounts import actions as accounts
from newsletter.audience.models import Subscriber
from newsletter.database.engine import db, transaction
from newsletter.delivery import actions, collision, composing, handover, jobs
from newsletter.delivery.letters import Later, Letter, one_by_one, studio_in_mail
from newsletter.delivery.models import Delivery
from newsletter.delivery.rules import OVERDUE, Claimed, EventKind, Lane, State
from newsletter.messages.compiling import compile_message
from newsletter.messages.source import parse
from tests.people import ALICE, BOB, CHARLIE, NOTE, NOW, note_writer, person, planned, register
from tests.statements import questions

TOMORROW = NOW + timedelta(days=1)
NEWS, TALE = "news:1", "tale:1"


@pytest.fixture
def mailing(app: Flask) -> Flask:
    """The built-in mailbox, and rooms that write a series (`tale`), emails to many (`news`) and notes."""
    register(app, {kind: note_writer(marketing=True) for kind in ("news", "tale")} | {"note": note_writer()})
    return app


def setting(**values: object) -> None:
    with transaction() as session:
        studio = accounts.ensure_studio(session)
        for name, value in values.items():
            setattr(studio, name, value)


def plan(reason: str, *addresses: str, due_at: datetime = NOW, lane: Lane | None = None) -> None:
    lanes = {"news": Lane.BULK, "tale": Lane.SEQUENCE, "note": Lane.TRANSACTIONAL}
    with transaction() as session:
        for address in addresses or (ALICE,):
            to = lane or lanes[reason.partition(":")[0]]
            planned(session, person(session, address), reason=reason, lane=to, due_at=due_at, now=due_at)


def send(at: datetime = NOW) -> None:
    with clock.standing_at(at):
        while jobs.send_due():
            pass


def row(reason: str, address: str = ALICE) -> Delivery:
    db.session.rollback()
    found = (
        select(Delivery)
        .join(Subscriber, Subscriber.id == Delivery.subscriber_id)
        .where(Delivery.reason == reason, Subscriber.email == address)
    )
    return db.session.scalars(found.execution_options(populate_existing=True)).one()


def sent_at(reason: str, address: str = ALICE) -> datetime | None:
    return row(reason, address).accepted_at


def test_3_17_of_two_due_at_once_the_series_goes_and_the_broadcast_moves_a_day(mailing: Flask) -> None:
    plan(NEWS)
    plan(TALE)
    send()
    assert (sent_at(TALE), sent_at(NEWS)) == (NOW, None)
    moved = row(NEWS)
    assert (moved.state, moved.due_at, moved.moved_from) == (State.PLANNED, TOMORROW, NOW)
    assert moved.state_why == "Moved from Wednesday because of tale:1."
    send(TOMORROW)
    assert (sent_at(NEWS), row(NEWS).state_why) == (TOMORROW, "")


def test_3_17_moved_not_dropped_however_often(mailing: Flask) -> None:
    for day in range(3):
        plan(f"tale:{day}", due_at=NOW + timedelta(days=day))
    plan(NEWS)
    for day in range(4):
        send(NOW + timedelta(days=day))
    assert sent_at(NEWS) == NOW + timedelta(days=3)
    assert row(NEWS).moved_from == NOW


def test_3_17_what_left_this_morning_has_the_day(mailing: Flask) -> None:
    plan(NEWS)
    send()
    plan(TALE, due_at=NOW + timedelta(hours=3))
    send(NOW + timedelta(hours=3))
    assert (sent_at(TALE), row(TALE).due_at) == (None, TOMORROW + timedelta(hours=3))


def test_3_17_the_day_is_the_readers_own(mailing: Flask) -> None:
    """At 9:30 UTC it is 22:30 in Auckland; an hour and a half later it is the next day there, but not in London."""
    plan(NEWS, ALICE, BOB)
    with transaction() as session:
        for address, zone in ((ALICE, "Pacific/Auckland"), (BOB, "Europe/London")):
            session.execute(update(Subscriber).where(Subscriber.email == address).values(timezone=zone))
    send()
    later = NOW + timedelta(hours=1, minutes=30)
    plan(TALE, ALICE, BOB, due_at=later)
    send(later)
    assert (sent_at(TALE, ALICE), sent_at(TALE, BOB)) == (later, None)


def test_3_17_the_setting_switches_it_off(mailing: Flask) -> None:
    setting(one_a_day=False)
    plan(NEWS)
    plan(TALE)
    send()
    assert sent_at(NEWS) == sent_at(TALE) == NOW


def test_3_17_the_setting_puts_broadcasts_first(mailing: Flask) -> None:
    setting(first="broadcast")
    plan(NEWS)
    plan(TALE)
    send()
    assert (sent_at(NEWS), sent_at(TALE)) == (NOW, None)
    assert row(TALE).due_at == TOMORROW


def test_3_17_what_a_visitor_asked_for_is_no_marketing_and_takes_no_day(mailing: Flask) -> None:
    plan("note:1")
    plan(NEWS)
    plan("note:2")
    send()
    assert sent_at("note:1") == sent_at(NEWS) == sent_at("note:2") == NOW


def test_3_17_others_do_not_wait_for_a_reader_who_has_two(mailing: Flask) -> None:
    plan(NEWS, ALICE, BOB)
    plan(TALE, ALICE)
    send()
    assert (sent_at(NEWS, ALICE), sent_at(NEWS, BOB)) == (None, NOW)


def test_3_17_a_broadcast_makes_room_for_a_series_email_that_waits_for_later_today(mailing: Flask) -> None:
    plan(NEWS)
    plan(TALE, due_at=NOW + timedelta(hours=8))
    send()
    assert (sent_at(NEWS), row(NEWS).due_at) == (None, TOMORROW)


def test_3_17_the_step_says_into_which_window_it_moves(mailing: Flask) -> None:
    in_a_week = NOW + timedelta(days=7)

    def fits(moment: datetime, _zone: ZoneInfo) -> datetime:
        return max(moment, in_a_week)

    def letter(session, _claimed: Claimed) -> Letter:  # type: ignore[no-untyped-def]
        made = compile_message(parse(NOTE), studio_in_mail(session), image=str, marketing=True)  # type: ignore[arg-type]
        return Letter(made, marketing=True, fits=fits)

    register(mailing, {"tale": one_by_one(letter)})
    plan(NEWS)
    send()
    plan(TALE)
    send()
    assert row(TALE).due_at == in_a_week


def test_3_17_an_operator_who_lets_one_go_at_once_is_obeyed(mailing: Flask) -> None:
    plan(NEWS)
    plan(TALE)
    send()
    moved = row(NEWS).id
    with transaction() as session:
        assert actions.send_now(session, moved, NOW)
        actions.note(session, [moved], EventKind.HURRIED, NOW, "somebody")
    send()
    assert sent_at(NEWS) == NOW


def test_3_17_what_an_operator_let_go_at_once_has_the_day_from_what_is_sent_with_it(mailing: Flask) -> None:
    plan(TALE, due_at=NOW - timedelta(hours=1))
    plan("tale:2")
    with transaction() as session:
        actions.note(session, [row(TALE).id], EventKind.HURRIED, NOW, "somebody")
    send()
    assert (sent_at(TALE), sent_at("tale:2"), row("tale:2").due_at) == (NOW, None, TOMORROW)


def other_line_claims(lane: Lane) -> Claimed:
    with transaction() as session:
        (claimed,) = handover.claim_due(session, "another worker/1", NOW, 10, lane)
        return claimed


def test_3_17_what_another_worker_holds_and_has_more_right_has_the_day(mailing: Flask) -> None:
    plan(TALE)
    other_line_claims(Lane.SEQUENCE)
    plan(NEWS)
    send()
    assert (sent_at(NEWS), row(NEWS).due_at, row(TALE).state) == (None, TOMORROW, State.CLAIMED)


def test_3_17_what_another_worker_holds_and_has_less_right_is_taken_back(mailing: Flask) -> None:
    """Its draft was looked at before there was a rival; the window it lies ready for finds it gone."""
    plan(NEWS)
    held = other_line_claims(Lane.BULK)
    plan(TALE)
    send()
    assert (sent_at(TALE), row(NEWS).state, row(NEWS).due_at) == (NOW, State.PLANNED, TOMORROW)
    with transaction() as session:
        assert handover.begin_sending(session, [held.id], "another worker/1") == set()


def test_3_17_what_another_worker_has_begun_to_send_has_the_day(mailing: Flask) -> None:
    plan(NEWS)
    held = other_line_claims(Lane.BULK)
    with transaction() as session:
        handover.begin_sending(session, [held.id], "another worker/1")
    plan(TALE)
    send()
    assert (sent_at(TALE), row(TALE).due_at, row(NEWS).state) == (None, TOMORROW, State.SENDING)


def test_3_17_begun_between_the_question_and_the_answer(mailing: Flask) -> None:
    plan(NEWS)
    rival = other_line_claims(Lane.BULK)
    plan(TALE)
    with transaction() as session:
        mine = handover.claim_due(session, "me/1", NOW, 10, Lane.SEQUENCE)
    session = db.session()
    drafts, claims = collision.meet(session, composing.gather(session, mine), NOW)
    assert claims is not None
    session.rollback()
    with transaction() as writing:
        assert handover.begin_sending(writing, [rival.id], "another worker/1") == {rival.id}
    assert collision.settle(drafts, claims, "me/1", 1, NOW) == {}
    assert (row(TALE).state, row(TALE).due_at) == (State.PLANNED, TOMORROW)


def test_3_17_an_uncertain_one_counts_as_sent(mailing: Flask) -> None:
    plan(NEWS)
    other_line_claims(Lane.BULK)
    with transaction() as session:
        session.execute(update(Delivery).values(state=State.UNKNOWN, claimed_by=None, first_tried_at=NOW))
    plan(TALE)
    send()
    assert (sent_at(TALE), row(TALE).due_at) == (None, TOMORROW)


def test_3_17_a_plain_broadcast_costs_three_questions_for_a_batch(mailing: Flask) -> None:
    with transaction() as session:
        for number in range(60):
            reader = person(session, f"reader{number}@example.org")
            planned(session, reader, reason=NEWS, lane=Lane.BULK)
    with transaction() as session:
        claimed = handover.claim_due(session, "me/1", NOW, 100, Lane.BULK)
    reading = db.session()
    drafts = composing.gather(reading, claimed)
    with questions() as asked:
        after, claims = collision.meet(reading, drafts, NOW)
        assert collision.settle(after, claims, "me/1", 1, NOW) is after is drafts
    assert len(asked) == 3, asked


def test_3_16_a_series_email_more_than_48_hours_late_is_held_and_not_sent(mailing: Flask) -> None:
    plan(TALE, ALICE, due_at=NOW - timedelta(hours=48))
    plan(TALE, BOB, due_at=NOW - timedelta(hours=48, minutes=1))
    send()
    assert (sent_at(TALE, ALICE), sent_at(TALE, BOB)) == (NOW, None)
    held = row(TALE, BOB)
    assert (held.state, held.due_at, held.moved_from) == (State.PLANNED, OVERDUE, NOW - timedelta(hours=48, minutes=1))
    assert "48 hours late" in held.state_why
    send(NOW + timedelta(days=30))
    assert sent_at(TALE, BOB) is None


def test_3_16_the_setting_says_how_late_is_too_late(mailing: Flask) -> None:
    setting(overdue_hours=2)
    plan(TALE, due_at=NOW - timedelta(hours=3))
    send()
    assert row(TALE).due_at == OVERDUE


def test_3_16_a_slow_broadcast_and_what_somebody_waits_for_are_never_held(mailing: Flask) -> None:
    plan(NEWS, ALICE, due_at=NOW - timedelta(days=6))
    plan("note:1", BOB, due_at=NOW - timedelta(days=6))
    send()
    assert sent_at(NEWS, ALICE) == sent_at("note:1", BOB) == NOW


def test_3_16_what_is_held_makes_nothing_else_wait(mailing: Flask) -> None:
    plan(TALE, due_at=NOW - timedelta(days=3))
    plan(NEWS)
    send()
    assert (sent_at(NEWS), row(TALE).due_at) == (NOW, OVERDUE)


def test_3_16_what_another_worker_will_find_too_late_takes_no_day(mailing: Flask) -> None:
    plan(TALE, due_at=NOW - timedelta(days=3))
    other_line_claims(Lane.SEQUENCE)
    plan(NEWS)
    send()
    assert (sent_at(NEWS), row(TALE).state) == (NOW, State.CLAIMED)


@pytest.mark.parametrize(("late", "goes"), [(timedelta(hours=48), False), (timedelta(hours=48, minutes=1), True)])
def test_3_16_a_step_that_comes_too_late_takes_no_day_before_it_is_in_the_ledger(
    mailing: Flask, monkeypatch: pytest.MonkeyPatch, late: timedelta, goes: bool
) -> None:
    comes(mailing, monkeypatch, NOW - late)
    plan(NEWS)
    send()
    assert sent_at(NEWS) == (NOW if goes else None)


def comes(app: Flask, monkeypatch: pytest.MonkeyPatch, at: datetime) -> None:
    """An email of a series comes due then for everybody."""
    told = {Lane.SEQUENCE: lambda _session, ids, _until: {one: [(at, "step:1:enrollment:1")] for one in ids}}
    monkeypatch.setitem(app.extensions, "coming", told)


def on_hold(what: str, *, held: bool = True) -> None:
    with transaction() as session:
        if held:
            actions.hold(session, what, "An operator said so.", NOW)
        else:
            actions.let_go(session, what)


def test_3_17_a_held_lane_takes_no_day_until_it_is_let_go(mailing: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits there, what another worker had in hand when it was held, and what is coming."""
    plan(TALE, ALICE, due_at=NOW + timedelta(hours=1))
    plan(TALE, BOB)
    other_line_claims(Lane.SEQUENCE)
    comes(mailing, monkeypatch, NOW + timedelta(hours=1))
    on_hold("lane:1")
    plan(NEWS, ALICE, BOB)
    send()
    assert (sent_at(NEWS, ALICE), sent_at(NEWS, BOB)) == (NOW, NOW)
    on_hold("lane:1", held=False)
    plan("news:2", CHARLIE)
    send()
    assert (sent_at("news:2", CHARLIE), row("news:2", CHARLIE).due_at) == (None, TOMORROW)


def test_3_17_a_held_email_to_many_takes_no_day(mailing: Flask) -> None:
    setting(first="broadcast")
    plan(NEWS, due_at=NOW + timedelta(hours=1))
    plan(TALE)
    on_hold(NEWS)
    send()
    assert sent_at(TALE) == NOW


def test_a_room_may_say_later(mailing: Flask) -> None:
    register(mailing, {"tale": one_by_one(lambda _session, _claimed: Later(TOMORROW, "Not today."))})
    plan(TALE)
    send()
    assert (row(TALE).state, row(TALE).due_at, row(TALE).state_why) == (State.PLANNED, TOMORROW, "Not today.")
