"""The effect of an edit as it is shown beforehand is what really happens afterwards."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from newsletter import clock
from newsletter.audience import actions as audience
from newsletter.database.engine import db, transaction
from newsletter.errors import InputError, NotFound
from newsletter.forecast import comparing, impact
from newsletter.forecast.comparing import Days
from newsletter.sequences import editing, versions, wording
from newsletter.sequences.drafts import Draft
from newsletter.sequences.edits import Add, Change, Delete, Duplicate, Edit, Move, Rules
from newsletter.sequences.moving import AtOnce, Choices
from newsletter.sequences.rules import CountsFrom, EnrollmentState, Timing, Unit
from tests.sequences.conftest import MONDAY, at, emails, enrollment, join, load, person, run, turn

NOON = at("2026-03-09T12:00")
ZONES = ["", "Europe/Berlin", "America/New_York", "Asia/Kolkata"]
SERIES = {
    f"0{number}.md": f"key: k{number}\nsubject: S{number}\ndelay: {delay}\n{more}"
    for number, (delay, more) in enumerate(
        [
            ("1 day", "window: 07:00-09:00"),
            ("2 days", "window: 18:00-20:00"),
            ("36 hours", ""),
            ("3 days", "days: mon-fri"),
            ("2 days", ""),
        ],
        1,
    )
}


def an_edit(dice: random.Random, draft: Draft) -> Edit:
    """Any edit; some of them cannot be made."""
    step = dice.choice(draft.living).id
    timing = Timing(dice.randint(0, 5), dice.choice(list(Unit)), dice.choice(list(CountsFrom)))
    edits: list[Edit] = [
        Delete(step),
        Duplicate(step),
        Move(step, dice.randint(1, len(draft.living))),
        Change(step, timing),
        Add(step, "email", timing, source=wording.write(f"New {dice.random()}", "", "Words.")),
        Add(step, "wait", timing),
        Rules(dice.choice([0, 20, 50]), "never", 0, evergreen=dice.random() < 0.3),
    ]
    return dice.choice(edits)


def gone(reader: int, after: datetime) -> dict[int, datetime]:
    """What a reader really got after a moment: step and minute."""
    return {
        int(row.reason.split(":")[1]): row.accepted_at
        for row in emails(reader)
        if row.accepted_at and row.accepted_at > after
    }


def remembered(
    said: dict[int, Days],
    before: Draft,
    after: Draft,
    readers: Iterable[tuple[int, comparing.Days, comparing.Days]],
) -> comparing.Impact:
    """The comparison as it is, with every reader's days after the edit kept aside."""
    known = list(readers)
    said.clear()
    said.update({reader: new for reader, _, new in known})
    return comparing.compared(before, after, known)


@pytest.mark.parametrize("seed", range(8))
def test_3_21_what_an_edit_is_said_to_mean_is_what_happens(
    sqlite_app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    dice = random.Random(seed)
    series = load(tmp_path / "core-series", SERIES)
    readers = []
    for number in range(6):
        readers.append(person(f"reader{number}", dice.choice(ZONES)))
        join(series, readers[-1], NOON - timedelta(hours=dice.randint(1, 260)))
    run(NOON)
    choices = Choices(dice.choice(list(AtOnce)), dice.randint(1, 30), finished=dice.random() < 0.5, confirmed=99)
    said: dict[int, Days] = {}
    monkeypatch.setattr(impact, "compared", lambda *args: remembered(said, *args))
    edit = None
    while edit is None:
        edit = an_edit(dice, versions.current(db.session(), series))
        try:
            impact.of_edit(db.session(), series, edit, NOON, choices)
        except (InputError, NotFound):
            edit = None
    with transaction() as session:
        kept = editing.apply(session, series, edit, now=NOON, choices=choices)
    new_id = {-1: max((step["id"] for step in kept.after["steps"]), default=0)} if kept else {}
    turn(NOON)
    run(NOON + timedelta(days=60))
    for reader in readers:
        expected = {new_id.get(step, step): moment for step, moment in said.get(reader, {}).items()}
        assert gone(reader, NOON - timedelta(seconds=1)) == expected, edit
        reasons = [row.reason for row in emails(reader)]
        assert len(reasons) == len(set(reasons)), "nobody gets a step twice (semantics 3.1)"
        subjects = [row.subject for row in emails(reader) if row.accepted_at]
        assert len(subjects) == len(set(subjects)) or isinstance(edit, Duplicate), edit
        assert enrollment(reader).state != EnrollmentState.ACTIVE


def test_who_is_not_affected_is_not_mentioned(sqlite_app: Flask, series: int) -> None:
    join(series, person("Alice"))
    last = versions.current(db.session(), series).living[-1]
    found = impact.of_edit(db.session(), series, Change(last.id, Timing(5)), at("2026-03-03T12:00"))
    assert [step.step_id for step in found.steps] == [last.id]
    assert (found.people, found.looked, found.readers_moved, found.at_once) == (1, 1, 1, 0)
    assert not found.nobody
    quiet = impact.of_edit(db.session(), series, Rules(20, "always", 3, evergreen=False), at("2026-03-03T12:00"))
    assert quiet.nobody


def test_a_paused_reader_is_not_due_at_once(sqlite_app: Flask, series: int) -> None:
    alice = person("Alice")
    join(series, alice)
    with transaction() as session:
        session.get_one(type(enrollment(alice)), enrollment(alice).id).held_at = at("2026-03-03T11:00")
    hello = versions.current(db.session(), series).living[0].id
    found = impact.of_edit(db.session(), series, Change(hello, Timing(0)), at("2026-03-03T12:00"))
    assert (found.at_once, found.waits_moved) == (0, 1)


def test_of_a_large_series_those_who_are_next_are_run_through(
    sqlite_app: Flask, series: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(impact, "LOOKED", 2)
    for number in range(4):
        join(series, person(f"reader{number}"), at("2026-03-02T10:00") + timedelta(hours=number))
    hello = versions.current(db.session(), series).living[0].id
    found = impact.of_edit(db.session(), series, Change(hello, Timing(0)), at("2026-03-03T12:00"))
    assert (found.people, found.looked, found.at_once, found.whole) == (4, 2, 4, False)


@pytest.mark.parametrize(
    ("by", "words"),
    [
        (timedelta(days=1), "1 day later"),
        (timedelta(days=-2), "2 days earlier"),
        (timedelta(hours=23), "1 day later"),  # the clocks changed in between
        (timedelta(hours=5), "5 hours later"),
        (timedelta(minutes=-1), "1 minute earlier"),
        (timedelta(days=2, hours=9), "2 days 9 hours later"),
        (timedelta(hours=3, minutes=40), "3 hours 40 minutes later"),
    ],
)
def test_how_far_something_moves_is_said_as_a_person_counts(by: timedelta, words: str) -> None:
    assert comparing.shift_words(by) == words


def test_what_the_first_readers_gain_and_lose_is_no_total(
    operator: FlaskClient, series: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only those due at once are counted for everybody."""
    for number in range(4):
        join(series, person(f"reader{number}"), at("2026-03-02T10:00"))
    hello = versions.current(db.session(), series).living[0].id
    edit = {"edit": "delete", "step": hello, "version": 1}

    def page() -> str:
        with clock.standing_at(at("2026-03-03T12:00")):
            return " ".join(operator.post(f"/admin/sequences/{series}/edits", data=edit).text.split())

    assert "people lose an email</dt><dd>4</dd>" in page()
    monkeypatch.setattr(impact, "LOOKED", 2)
    small = page()
    assert "people lose an email</dt><dd><small>at least</small> 2</dd>" in small
    assert "Nobody of the first 2 gets an additional email." in small
    assert "Nobody gets an email at once." in small


def test_3_13_what_only_the_new_rules_ask_about_is_known_beforehand(series: int) -> None:
    """Nobody in the house asked for tags before."""
    charlie = person("Charlie")
    join(series, charlie)
    with transaction() as session:
        audience.add_tag(session, charlie, "client", MONDAY)
    ends = Rules(20, "never", 0, evergreen=False, goal={"tag": "client"})
    assert not impact.of_edit(db.session(), series, ends, at("2026-03-03T12:00")).nobody
    for_some = Rules(20, "never", 0, evergreen=False, entry={"tag": "vip"})
    assert impact.of_edit(db.session(), series, for_some, at("2026-03-03T12:00")).nobody
