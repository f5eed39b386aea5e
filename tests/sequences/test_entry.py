"""Who may join a series: asked at every door, each time somebody would join, and of nobody who is inside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from newsletter.audience import actions as audience
from newsletter.audience import by_hand
from newsletter.database.engine import db, transaction
from newsletter.errors import InputError
from newsletter.sequences import crowds, editing, entering, versions, wording
from newsletter.sequences.drafts import Draft, DraftStep
from newsletter.sequences.edits import Add, Rules
from newsletter.sequences.models import Enrollment, Sequence
from newsletter.sequences.moving import Choices
from newsletter.sequences.rules import Kind, Timing
from tests.sequences.conftest import MONDAY, join, person, run, sent, turn
from tests.sequences.joining import begins, bring, enter, joined, notes, tag
from tests.sequences.test_imports import file, take_in
from tests.sequences.test_steps import build, mail
from tests.statements import questions

CLIENTS = {"tag": "client"}
ONLY = "Did not join the series “Core series”: only those who have the tag “client” join"


@pytest.fixture
def clients(app: Flask, series: int) -> int:
    """A series that only those with the tag “client” may join."""
    asks(series, CLIENTS)
    return series


def asks(series: int, entry: dict[str, Any]) -> None:
    with transaction() as session:
        session.get_one(Sequence, series).entry = entry


def by_hand_or_form(series: int, reader: int) -> None:
    join(series, reader)


def by_tag(series: int, reader: int) -> None:
    begins(series, "tag", "vip")
    tag(reader, "vip")
    enter()


def by_date(series: int, reader: int) -> None:
    begins(series, "date", "start", days=0, at="09:00", yearly=False)
    with transaction() as session:
        by_hand.set_field(session, reader, "start", "2026-03-03", MONDAY)
    enter()
    enter(MONDAY + timedelta(days=1))


def in_a_crowd(series: int, reader: int) -> None:
    with transaction() as session:
        crowds.join(session, series, [reader], "import", MONDAY)


def with_all_who_have_a_tag(series: int, reader: int) -> None:
    tag(reader, "vip")
    with transaction() as session:
        entering.ask_tagged(session, series, "vip", MONDAY)
    enter()


def moved_on(series: int, reader: int) -> None:
    join(build(f"before-{reader}", ("on", Kind.MOVE, 0, {"to": "core-series"})), reader)
    turn(MONDAY)


def inside(series: int) -> list[int]:
    db.session.rollback()
    return list(db.session.scalars(select(Enrollment.subscriber_id).where(Enrollment.sequence_id == series)))


DOORS = (by_hand_or_form, by_tag, by_date, in_a_crowd, with_all_who_have_a_tag, moved_on)


@pytest.mark.parametrize("door", DOORS)
def test_3_12_alice_joins_by_every_door_and_charlie_who_may_not_by_none(
    clients: int, door: Callable[[int, int], None]
) -> None:
    alice, charlie = person("Alice"), person("Charlie")
    tag(alice)
    for reader in (charlie, alice):
        door(clients, reader)
    assert inside(clients) == [alice]
    assert ONLY in notes(charlie)
    assert ONLY not in notes(alice)


def test_3_19_of_a_file_those_join_who_may_and_nobody_takes_a_turn_in_vain(
    app: Flask, clients: int, tmp_path: Path
) -> None:
    bring(file(5), tag="Client")
    enter()
    said = take_in(app, tmp_path, file(12), "--sequence", "core-series", "--attest", "On paper")
    assert "7 added, 5 updated, 0 refused, 5 joined" in said
    assert ONLY in notes(6)
    asks(clients, CLIENTS | {"not": True})
    take_in(app, tmp_path, file(12), "--sequence", "core-series", "--attest", "On paper")
    assert [joined(number)[0][1] for number in (6, 12)] == [MONDAY, MONDAY + timedelta(minutes=1)]


def test_3_19_a_files_own_tag_counts_for_those_who_join_by_it(app: Flask, clients: int, tmp_path: Path) -> None:
    """The people are taken in first, and asked then."""
    said = take_in(app, tmp_path, file(3), "--sequence", "core-series", "--attest", "On paper", "--tag", "Client")
    assert "3 joined" in said


def test_as_many_statements_for_forty_of_a_crowd_as_for_four(clients: int) -> None:
    counted = []
    for first, people in ((0, 4), (100, 40)):
        readers = [person(f"Reader{number}") for number in range(first, first + people)]
        for reader in readers[::2]:
            tag(reader)
        with questions() as statements, transaction() as session:
            assert crowds.join(session, clients, readers, "import", MONDAY) == people // 2
        counted.append(len(statements))
    assert counted[0] == counted[1]


def test_what_nobody_asks_is_not_read(app: Flask, series: int) -> None:
    alice, bob = person("Alice"), person("Bob")
    counted = []
    for reader in (alice, bob):
        with questions() as statements:
            join(series, reader)
        counted.append(sum(" tags" in text for text, _ in statements))
        asks(series, CLIENTS | {"not": True})
    assert counted == [0, 1]


def test_3_12_whoever_is_inside_stays_and_is_asked_when_they_come_again(app: Flask) -> None:
    series = build("core", mail("a", 0), mail("b"), reentry="completed")
    alice = person("Alice")
    join(series, alice)
    asks(series, CLIENTS)
    run(MONDAY + timedelta(days=3))
    assert [subject for subject, _ in sent(alice)] == ["a", "b"]
    later = MONDAY + timedelta(days=9)
    assert not join(series, alice, later)
    assert notes(alice)[-1] == "Did not begin the series “Core” again: only those who have the tag “client” join"
    tag(alice, now=later)
    assert join(series, alice, later)


def test_3_12_why_they_may_not_have_it_again_is_said_before_who_may_join(clients: int) -> None:
    alice = person("Alice")
    tag(alice)
    join(clients, alice)
    with transaction() as session:
        audience.remove_tag(session, alice, "client", MONDAY)
    assert not join(clients, alice)
    assert notes(alice)[-1] == "Did not begin the series “Core series” again: they are in it already"


def test_a_step_gives_the_tag_that_opens_the_next_series(app: Flask) -> None:
    """In the very turn in which it moves them on."""
    last = build("last", mail("a", 0), entry=CLIENTS)
    first = build("first", ("t", Kind.TAG, 0, {"add": ["Client"], "remove": []}), ("m", Kind.MOVE, 0, {"to": "last"}))
    alice = person("Alice")
    join(first, alice)
    turn(MONDAY)
    assert inside(last) == [alice]


@pytest.mark.parametrize("joins", [True, False])
def test_3_11_of_those_who_finished_only_whoever_may_join_gets_what_is_new(app: Flask, joins: bool) -> None:
    series = build("core", mail("a", 0))
    reader = person("Alice" if joins else "Charlie")
    join(series, reader)
    turn(MONDAY)
    asks(series, CLIENTS)
    if joins:
        tag(reader)
    with transaction() as session:
        (last,) = versions.current(session, series).living
        new = Add(last.id, Kind.EMAIL, Timing(0), source=wording.write("new", "", "Some words."))
        choices = Choices(finished=True, confirmed=1)
        foreseen = editing.foresee(session, series, new, now=MONDAY, choices=choices)
        editing.apply(session, series, new, now=MONDAY, choices=choices, foreseen=foreseen)
    run(MONDAY + timedelta(days=2))
    assert [subject for subject, _ in sent(reader)] == ["a", "new"][: 1 + joins]


def rules(entry: dict[str, Any]) -> Rules:
    return Rules(20, "never", 0, evergreen=False, entry=entry)


def test_3_2_it_is_edited_noted_said_and_taken_back_like_every_rule(app: Flask, series: int) -> None:
    for entry, said in (
        (CLIENTS, "Only those who have the tag “client” join from now on"),
        ({}, "Everybody may join again"),
    ):
        with transaction() as session:
            made = editing.apply(session, series, rules(entry), now=MONDAY)
            assert made is not None
            assert made.what == said
            assert versions.current(session, series).entry == entry
    with transaction() as session:
        last = versions.undoable(session, series)
        assert last is not None
        editing.undo(session, series, last.id, now=MONDAY, operator_id=None)
    charlie = person("Charlie")
    assert not join(series, charlie)


def test_3_2_it_cannot_be_taken_back_once_somebody_got_an_email_because_of_it(app: Flask) -> None:
    series = build("core", mail("a", 0), entry=CLIENTS)
    with transaction() as session:
        editing.apply(session, series, rules({}), now=MONDAY)
    join(series, person("Bob"))
    turn(MONDAY)
    with transaction() as session:
        last = versions.undoable(session, series)
        assert last is not None
        assert "cannot be taken back" in editing.why_not_undo(session, last)


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ({}, ""),
        ({"tag": "client"}, ""),
        ({"downloaded": "any", "not": True}, ""),
        ({"field": "city", "is": "set"}, ""),
        ({"clicked": "any"}, "cannot hang on a click"),
        ({"tag": " "}, "does not say which"),
        ({"tag": "a", "downloaded": "b"}, "one thing"),
    ],
)
def test_what_cannot_be_asked_of_whoever_would_join_is_refused_in_words(entry: dict[str, Any], why: str) -> None:
    draft = Draft("core", "Core", steps=(DraftStep(1, "hello", "wait"),))
    if not why:
        assert rules(entry).on(draft) == replace(draft, entry=entry)
        return
    with pytest.raises(InputError, match=why):
        rules(entry).on(draft)
