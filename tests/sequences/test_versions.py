"""Edits made of a series with readers in it: where they stand, what is noted, and what can be taken back."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, time, timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from newsletter.accounts.models import AuditEntry
from newsletter.audience.models import Subscriber
from newsletter.audience.rules import Status
from newsletter.database.engine import db, transaction
from newsletter.errors import InputError, Refused
from newsletter.sequences import actions, editing, making, planning, versions, wording
from newsletter.sequences.drafts import Draft
from newsletter.sequences.editing import Outdated, Unconfirmed
from newsletter.sequences.edits import Add, Change, Delete, Edit, Move, Replace, Reword, Rules
from newsletter.sequences.models import SequenceMove, SequenceVersion
from newsletter.sequences.moving import Choices
from newsletter.sequences.rules import CountsFrom, EnrollmentState, Timing, Unit
from tests.sequences.conftest import at, emails, enrollment, join, person, run, sent, sequence, step, turn

TUESDAY = at("2026-03-03T12:00")
MORNING = (time(7), time(9))


def days(amount: int) -> Timing:
    return Timing(amount, Unit.DAYS, CountsFrom.PREVIOUS, MORNING)


def edit(series: int, change: Edit, now: datetime = TUESDAY, **more: object) -> SequenceVersion | None:
    with transaction() as session:
        return editing.apply(session, series, change, now=now, **more)  # type: ignore[arg-type]


def email(after: int | None, key: str, amount: int = 1) -> Add:
    return Add(after, "email", days(amount), source=wording.write(key, "", f"Words of {key}."))


def whole(series: int) -> Draft:
    db.session.rollback()
    return versions.current(db.session(), series)


def undo(series: int, now: datetime = TUESDAY) -> None:
    with transaction() as session:
        last = versions.undoable(session, series)
        assert last is not None
        editing.undo(session, series, last.id, now=now, operator_id=None)


@pytest.fixture
def alice(series: int) -> int:
    """A reader who waits for the first email, due on Wednesday at 07:00."""
    number = person("Alice")
    join(series, number)
    return number


@pytest.fixture
def bob(series: int) -> int:
    """A reader who has finished."""
    number = person("Bob")
    join(series, number, at("2026-02-02T10:00"))
    run(at("2026-02-20T00:00"))
    assert len(sent(number)) == 3
    return number


def test_3_9_time_already_waited_is_credited(series: int, alice: int) -> None:
    edit(series, Change(step(series, "hello").id, days(4)))
    assert enrollment(alice).next_due_at == at("2026-03-06T07:00"), "four days after joining, not after the edit"


def test_3_9_who_would_be_due_at_once_has_to_be_confirmed(series: int, alice: int) -> None:
    at_once = Change(step(series, "hello").id, Timing(0))
    with pytest.raises(Unconfirmed) as problem:
        edit(series, at_once)
    assert problem.value.count == 1
    assert whole(series).living[0].timing == days(2), "nothing was changed"
    assert enrollment(alice).next_due_at == at("2026-03-04T07:00")
    edit(series, at_once, choices=Choices(confirmed=1))
    turn(TUESDAY)
    assert [title for title, _ in sent(alice)] == ["Hello"]


def test_3_9_or_they_get_it_one_after_the_other(series: int) -> None:
    readers = [person(f"reader{number}") for number in range(4)]
    for reader in readers:
        join(series, reader)
    edit(series, Change(step(series, "hello").id, Timing(0)), choices=Choices(at_once="spread", spread_hours=8))
    assert [enrollment(reader).next_due_at for reader in readers] == [
        TUESDAY + timedelta(hours=hours) for hours in (0, 2, 4, 6)
    ]


def test_3_9_or_they_keep_the_moment_they_had(series: int, alice: int) -> None:
    edit(series, Change(step(series, "hello").id, Timing(0)), choices=Choices(at_once="keep"))
    assert enrollment(alice).next_due_at == at("2026-03-04T07:00")
    turn(at("2026-03-04T07:00"))
    assert sent(alice) == [("Hello", "Wed 04.03. 07:00")]


@pytest.mark.parametrize("choices", [{"at_once": "never"}, {"spread_hours": 0}, {"spread_hours": 9999}])
def test_a_choice_that_was_not_offered_is_refused(choices: dict[str, object]) -> None:
    with pytest.raises(InputError):
        Choices(**choices)


def test_3_10_who_waits_on_a_deleted_step_waits_out_the_remainder_and_goes_on(series: int, alice: int) -> None:
    edit(series, Delete(step(series, "hello").id))
    assert enrollment(alice).next_due_at == at("2026-03-04T07:00")
    run(at("2026-03-20T00:00"))
    assert sent(alice) == [("More for Alice", "Fri 06.03. 07:00"), ("Last", "Mon 09.03. 07:00")]


def test_3_2_a_step_put_before_the_one_they_wait_for_comes_first(series: int, alice: int) -> None:
    edit(series, email(None, "Zero"))
    assert enrollment(alice).next_due_at == TUESDAY.replace(hour=7) + timedelta(days=1)
    run(at("2026-03-20T00:00"))
    assert [title for title, _ in sent(alice)] == ["Zero", "Hello", "More for Alice", "Last"]


def test_3_1_whoever_is_past_a_new_step_never_gets_it(series: int, alice: int) -> None:
    turn(at("2026-03-04T07:00"))
    turn(at("2026-03-04T07:00"))
    edit(series, email(None, "Zero"), at("2026-03-05T12:00"))
    run(at("2026-03-20T00:00"))
    assert [title for title, _ in sent(alice)] == ["Hello", "More for Alice", "Last"]


def test_3_1_reordering_never_sends_a_step_again_nor_loses_one_that_lies_ahead(series: int, alice: int) -> None:
    run(at("2026-03-04T12:00"))
    thursday = at("2026-03-05T12:00")  # the order is last, hello, more; Alice had hello, more than 24 hours ago
    edit(series, Move(step(series, "last").id, 1), thursday, choices=Choices(confirmed=1))
    waits = enrollment(alice)
    assert (waits.next_step_id, waits.skips) == (step(series, "last").id, [step(series, "hello").id])
    run(at("2026-03-20T00:00"))
    assert [title for title, _ in sent(alice)] == ["Hello", "Last", "More for Alice"]
    assert enrollment(alice).state == EnrollmentState.FINISHED


def test_3_1_who_waits_for_the_last_step_still_gets_it_when_it_moves_up(series: int, alice: int) -> None:
    run(at("2026-03-06T12:00"))
    edit(series, Move(step(series, "last").id, 1), at("2026-03-07T12:00"))
    run(at("2026-03-20T00:00"))
    assert [title for title, _ in sent(alice)] == ["Hello", "More for Alice", "Last"]


def test_an_email_on_its_way_goes_and_its_reader_goes_on_from_there(series: int, alice: int) -> None:
    with transaction() as session:
        planning.plan_due(session, at("2026-03-04T07:00"), 10)  # planned, not sent yet
    edit(series, Delete(step(series, "more").id), at("2026-03-04T07:00"))
    run(at("2026-03-20T00:00"))
    assert [title for title, _ in sent(alice)] == ["Hello", "Last"]


def test_3_11_who_finished_stays_finished_unless_they_are_to_get_it_too(series: int, bob: int) -> None:
    last = step(series, "last").id
    edit(series, email(last, "Encore"))
    assert enrollment(bob).state == EnrollmentState.FINISHED
    undo(series)
    edit(series, email(last, "Encore"), choices=Choices(finished=True, at_once="spread"))
    assert enrollment(bob).state == EnrollmentState.ACTIVE
    run(at("2026-03-20T00:00"))
    assert [title for title, _ in sent(bob)][-1] == "Encore"
    assert enrollment(bob).state == EnrollmentState.FINISHED


def test_3_11_charlie_who_left_or_unsubscribed_is_not_brought_back(series: int, bob: int) -> None:
    charlie = person("Charlie")
    join(series, charlie)
    with transaction() as session:
        actions.exit_one(session, series, charlie, "by hand", TUESDAY)
        session.get_one(Subscriber, bob).status = Status.UNSUBSCRIBED
    edit(series, email(step(series, "last").id, "Encore"), choices=Choices(finished=True, confirmed=9))
    assert enrollment(charlie).state == EnrollmentState.EXITED
    assert enrollment(bob).state == EnrollmentState.FINISHED


def test_3_11_an_evergreen_series_holds_who_finished_for_new_steps(series: int, bob: int) -> None:
    green = Rules(20, "never", 0, evergreen=True)
    edit(series, green, choices=Choices(finished=True))
    assert enrollment(bob).state == EnrollmentState.CAUGHT_UP
    edit(series, email(step(series, "last").id, "Encore"), choices=Choices(confirmed=1))
    assert enrollment(bob).state == EnrollmentState.ACTIVE
    run(at("2026-03-20T00:00"))
    assert [title for title, _ in sent(bob)][-1] == "Encore"
    assert enrollment(bob).state == EnrollmentState.CAUGHT_UP
    edit(series, Rules(20, "never", 0, evergreen=False), at("2026-03-21T00:00"))
    assert enrollment(bob).state == EnrollmentState.FINISHED


def test_3_3_a_longer_gap_moves_those_who_wait(series: int, alice: int) -> None:
    run(at("2026-03-06T12:00"))
    edit(series, Rules(24 * 7, "never", 0, evergreen=False), at("2026-03-06T13:00"))
    assert enrollment(alice).next_due_at == at("2026-03-13T07:00")


def test_two_operators_the_second_is_told(series: int) -> None:
    edit(series, Delete(step(series, "more").id), expected=1)
    with pytest.raises(Outdated, match="Somebody changed it meanwhile: Email 2"):
        edit(series, Delete(step(series, "last").id), expected=1)
    assert [step.key for step in whole(series).living] == ["hello", "last"]
    assert sequence(series).version == 2


def test_an_edit_that_changes_nothing_is_no_version(series: int) -> None:
    assert edit(series, Change(step(series, "hello").id, days(2))) is None
    assert sequence(series).version == 1


def test_3_2_every_edit_is_logged_with_its_words_and_both_drafts(series: int) -> None:
    before = whole(series)
    kept = edit(series, Delete(step(series, "more").id))
    assert kept is not None
    assert kept.what == "Email 2 “More for {{ subscriber.first_name or 'you' }}” is deleted"
    assert len(kept.before["steps"]) == len(before.steps)
    assert [one["deleted"] for one in kept.after["steps"]] == [False, True, False]
    entry = db.session.scalars(select(AuditEntry)).one()
    assert (entry.action, entry.subject, entry.detail) == ("series.edited", f"series:{series}", {"version": 2})


@pytest.mark.parametrize(
    "change",
    [
        lambda series: Delete(step(series, "hello").id),
        lambda series: Change(step(series, "hello").id, days(9)),
        lambda series: Move(step(series, "hello").id, 3),
        lambda _: email(None, "Zero", 9),
        lambda series: Reword(step(series, "hello").id, "Other", "", "Other words."),
        lambda _: Rules(100, "always", 9, evergreen=True),
    ],
)
def test_an_undo_puts_the_series_and_everybody_back(series: int, alice: int, bob: int, change: object) -> None:
    before = whole(series).living, [_state(who) for who in (alice, bob)]
    edit(series, change(series))  # type: ignore[operator]
    undo(series)
    assert (whole(series).living, [_state(who) for who in (alice, bob)]) == before
    assert sequence(series).version == 3
    run(at("2026-03-20T00:00"))
    assert sent(alice) == [
        ("Hello", "Wed 04.03. 07:00"),
        ("More for Alice", "Fri 06.03. 07:00"),
        ("Last", "Mon 09.03. 07:00"),
    ]


def _state(who: int) -> tuple[object, ...]:
    row = enrollment(who)
    return row.state, row.next_step_id, row.next_due_at, row.last_step_id, row.ended_at, row.skips


def test_an_undo_leaves_a_name_that_was_given_since(series: int) -> None:
    edit(series, Delete(step(series, "more").id))
    with transaction() as session:
        making.rename(session, series, "Hips", "New words about it")
    undo(series)
    assert (sequence(series).name, sequence(series).description) == ("Hips", "New words about it")
    edit(series, Replace(replace(whole(series), name="Shoulders", description="Others")))
    undo(series)
    assert (sequence(series).name, sequence(series).description) == ("Hips", "New words about it")


def test_an_undo_is_refused_once_an_email_went_because_of_the_edit(series: int, alice: int) -> None:
    edit(series, Change(step(series, "hello").id, Timing(0)), choices=Choices(confirmed=1))
    turn(TUESDAY)
    with pytest.raises(Refused, match="1 email has gone out"):
        undo(series)
    assert whole(series).living[0].timing == Timing(0)


def test_what_was_sent_for_other_reasons_does_not_stand_in_the_way(series: int, alice: int) -> None:
    edit(series, Change(step(series, "last").id, days(9)))
    run(at("2026-03-06T12:00"))
    assert len(emails(alice)) == 2
    undo(series, at("2026-03-06T12:00"))
    run(at("2026-03-20T00:00"))
    assert sent(alice)[-1] == ("Last", "Mon 09.03. 07:00")


def test_edits_are_taken_back_the_last_one_first(series: int) -> None:
    first = edit(series, Delete(step(series, "more").id))
    edit(series, Delete(step(series, "last").id))
    assert first is not None
    with pytest.raises(Refused, match="came after this one"), transaction() as session:
        editing.undo(session, series, first.id, now=TUESDAY, operator_id=None)
    undo(series)
    undo(series)
    assert [one.key for one in whole(series).living] == ["hello", "more", "last"]
    with pytest.raises(Refused, match="taken back already"), transaction() as session:
        editing.undo(session, series, first.id, now=TUESDAY, operator_id=None)


def test_a_person_who_is_erased_leaves_no_trace_in_what_an_undo_would_restore(series: int, alice: int) -> None:
    edit(series, Change(step(series, "hello").id, days(9)))
    with transaction() as session:
        actions.forget(session, alice)
    undo(series)
    assert enrollment(alice).state == EnrollmentState.EXITED
    assert db.session.scalars(select(SequenceMove)).all()


def test_edits_and_their_undo_on_either_database(app: Flask, series: int) -> None:
    alice, bob = person("Alice"), person("Bob", "Asia/Tokyo")
    join(series, bob, at("2026-02-02T10:00"))
    run(at("2026-02-20T00:00"))
    join(series, alice)
    before = [_state(who) for who in (alice, bob)]
    last = step(series, "last").id
    edit(series, email(last, "Encore"), choices=Choices(finished=True, at_once="spread"))
    edit(series, Move(last, 1), choices=Choices(confirmed=1))
    assert enrollment(bob).state == EnrollmentState.ACTIVE
    with db.session() as session:
        assert versions.finished_at(session, series) == {}
        assert versions.under_way(session, series) == len(versions.next_readers(session, series, 9)) == 2
        assert versions.count_without_zone(session) == 1
    undo(series)
    undo(series)
    assert [_state(who) for who in (alice, bob)] == before
