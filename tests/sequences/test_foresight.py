"""Edits worked out before they are made: what happens meanwhile is seen under the lock, and little is done there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest
from flask import Flask
from sqlalchemy import select, update

from newsletter.database.engine import db, transaction
from newsletter.sequences import actions, editing
from newsletter.sequences.edits import Change, Delete, Edit, Move, Rules
from newsletter.sequences.models import Enrollment, SequenceMove, SequenceVersion
from newsletter.sequences.moving import Choices
from newsletter.sequences.rules import EnrollmentState
from tests.sequences.conftest import MONDAY, at, enrollment, join, person, sent, step, turn
from tests.sequences.test_versions import TUESDAY, days, edit, email, undo, whole
from tests.statements import questions


def make(
    series: int, change: Edit, meanwhile: Callable[[], object] = lambda: None, choices: Choices | None = None
) -> SequenceVersion:
    """Make an edit that is worked out before something else happens."""
    choices = choices or Choices(confirmed=9)
    foreseen = editing.foresee(db.session(), series, change, now=TUESDAY, choices=choices)
    meanwhile()
    with transaction() as session:
        made = editing.apply(session, series, change, now=TUESDAY, choices=choices, foreseen=foreseen)
    assert made is not None
    return made


def moved(who: int, **values: object) -> None:
    """Another writer's change of where a reader stands."""
    with transaction() as session:
        session.execute(update(Enrollment).where(Enrollment.subscriber_id == who).values(**values))


def stand(who: int) -> tuple[object, ...]:
    row = enrollment(who)
    return row.state, row.next_step_id, row.next_due_at, row.last_step_id, row.ended_at, row.skips


def due(*people: int) -> list[datetime | None]:
    return [enrollment(who).next_due_at for who in people]


@pytest.mark.parametrize(
    "change",
    [
        lambda series: Change(step(series, "hello").id, days(9)),
        lambda series: Delete(step(series, "hello").id),
        lambda series: Move(step(series, "hello").id, 3),
        lambda _: Rules(100, "always", 9, evergreen=True),
    ],
)
def test_3_9_what_is_worked_out_beforehand_comes_to_the_same(
    app: Flask, series: int, change: Callable[[int], Edit]
) -> None:
    people = [person("Alice"), person("Bob", "Asia/Tokyo")]
    for who in people:
        join(series, who)
    before = [stand(who) for who in people]
    edit(series, change(series), choices=Choices(confirmed=9))
    at_once = [stand(who) for who in people]
    undo(series)
    assert [stand(who) for who in people] == before
    make(series, change(series))
    assert [stand(who) for who in people] == at_once


def test_3_2_readers_who_are_put_on_a_new_step_get_the_id_that_it_has_got(app: Flask, series: int) -> None:
    alice = person("Alice")
    join(series, alice)
    made = make(series, email(None, "Zero", 9))
    new = next(one["id"] for one in made.after["steps"] if one["key"] == "zero")
    assert stand(alice) == (EnrollmentState.ACTIVE, new, at("2026-03-11T07:00"), None, None, [])
    remembered = db.session.scalars(select(SequenceMove)).all()
    assert [(one.step_id, one.to_step_id) for one in remembered] == [(step(series, "hello").id, new)]


def test_3_9_who_changes_before_the_lock_is_planned_anew(app: Flask, series: int) -> None:
    alice, bob = person("Alice"), person("Bob")
    for who in (alice, bob):
        join(series, who)
    late = person("Charlie")

    def meanwhile() -> None:
        join(series, late, TUESDAY)
        moved(bob, waits_since=at("2026-03-03T08:00"))

    make(series, Change(step(series, "hello").id, days(5)), meanwhile)
    assert due(alice, bob, late) == [at("2026-03-07T07:00"), at("2026-03-08T07:00"), at("2026-03-08T07:00")]
    undo(series)
    assert due(alice, bob, late) == [at("2026-03-04T07:00"), at("2026-03-04T07:00"), at("2026-03-05T07:00")]


def test_3_10_who_went_on_or_left_before_the_lock_is_not_put_back(app: Flask, series: int) -> None:
    alice, charlie = person("Alice"), person("Charlie")
    for who in (alice, charlie):
        join(series, who)

    def meanwhile() -> None:
        turn(at("2026-03-04T07:00"))
        with transaction() as session:
            actions.forget(session, charlie)

    make(series, Change(step(series, "hello").id, days(9)), meanwhile)
    turn(at("2026-03-04T07:00"))
    assert sent(alice) == [("Hello", "Wed 04.03. 07:00")]
    assert enrollment(alice).next_step_id == step(series, "more").id
    assert enrollment(charlie).state == EnrollmentState.EXITED
    assert db.session.scalars(select(SequenceMove)).all() == []


def test_3_9_one_more_due_at_once_than_was_worked_out_has_to_be_confirmed(series: int) -> None:
    join(series, person("Alice"))
    sooner = Change(step(series, "hello").id, days(0))
    with pytest.raises(editing.Unconfirmed) as refused:
        make(series, sooner, lambda: join(series, person("Bob")), Choices(confirmed=1))
    assert refused.value.count == 2
    assert due(*(row.subscriber_id for row in db.session.scalars(select(Enrollment)))) == [at("2026-03-04T07:00")] * 2


def test_3_2_an_edit_worked_out_for_another_version_is_worked_out_again(series: int) -> None:
    alice = person("Alice")
    join(series, alice)
    make(
        series, Change(step(series, "hello").id, days(9)), lambda: edit(series, Rules(100, "never", 0, evergreen=True))
    )
    assert due(alice) == [at("2026-03-11T07:00")]
    assert whole(series).min_gap_hours == 100


def test_3_9_under_the_lock_many_cost_as_many_statements_as_few(app: Flask, series: int) -> None:
    said = []
    for number, few in enumerate((1, 8)):
        for reader in range(few):
            join(series, person(f"reader{number}-{reader}"))
        change = Change(step(series, "hello").id, days(5 + number))
        foreseen = editing.foresee(db.session(), series, change, now=TUESDAY)
        with questions() as asked, transaction() as session:
            editing.apply(session, series, change, now=TUESDAY, foreseen=foreseen)
        with questions() as asked_back:
            undo(series)
        said.append((len(asked), len(asked_back)))
    assert said[0] == said[1]
    assert db.session.scalars(select(Enrollment.waits_since).distinct()).all() == [MONDAY]
