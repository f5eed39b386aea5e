"""Edits as values: what each makes of a series, how it says itself, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from datetime import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.errors import InputError, NotFound, SourceError
from newsletter.sequences import drafts, wording
from newsletter.sequences.differing import differences, touched
from newsletter.sequences.drafts import Draft, DraftStep
from newsletter.sequences.edits import (
    Add,
    Change,
    Delete,
    Duplicate,
    Edit,
    Move,
    Replace,
    Restore,
    Reword,
    Rules,
    fresh_key,
    read,
)
from newsletter.sequences.rules import EVERY_DAY, CountsFrom, Timing, Unit
from newsletter.sequences.stepforms import Form

TWO_DAYS = Timing(2, Unit.DAYS, CountsFrom.PREVIOUS, (time(7), time(9)))


def email(number: int, key: str, title: str = "") -> DraftStep:
    return DraftStep(number, key, "email", TWO_DAYS, {}, wording.write(title or key.title(), "", f"Words of {key}."))


def draft(*keys: str) -> Draft:
    return Draft("core", "Core", steps=tuple(email(at, key) for at, key in enumerate(keys or ("a", "b", "c", "d"), 1)))


ASKING = Draft(
    "core",
    "Core",
    steps=(
        email(1, "a"),
        DraftStep(2, "asks", "condition", config={"if": {"tag": "client"}, "then": "c", "else": "end"}),
        email(3, "b"),
        email(4, "c"),
    ),
)


def keys(edited: Draft) -> str:
    return " ".join(step.key for step in edited.living)


@pytest.mark.parametrize(
    ("edit", "left", "words"),
    [
        (Add(2, "wait", Timing(1, Unit.HOURS)), "a b wait c d", "A new wait behind email 2: 1 hour later"),
        (Add(None, "end", Timing()), "finish a b c d", "A new end at the start: at once"),
        (Duplicate(2), "a b b-2 c d", "A copy of email 2 behind it"),
        (Delete(3), "a b d", "Email 3 “C” is deleted"),
        (Move(4, 2), "a d b c", "Email 4 goes before email 2"),
        (Move(1, 4), "b c d a", "Email 1 goes last"),
        (
            Change(3, replace(TWO_DAYS, amount=3)),
            "a b c d",
            "Email 3 goes 3 days after email 2 instead of 2 days",
        ),
        (
            Change(1, replace(TWO_DAYS, amount=1)),
            "a b c d",
            "Email 1 goes 1 day after joining instead of 2 days",
        ),
        (
            Change(3, Timing(24, Unit.HOURS)),
            "a b c d",
            "Email 3 goes 24 hours after email 2, instead of 2 days after email 2, 7:00–9:00, in the reader's zone",
        ),
        (Reword(2, "New", "", "Other words."), "a b c d", "New words for email 2"),
        (Rules(24, "never", 0, evergreen=False), "a b c d", "At least 24 hours between two emails instead of 20"),
        (Rules(20, "never", 0, evergreen=True), "a b c d", "Whoever had everything waits for new emails"),
    ],
)
def test_3_2_an_edit_makes_another_series_and_says_so(edit: Edit, left: str, words: str) -> None:
    before = draft()
    assert keys(edit.on(before)) == left
    assert edit.words(before).startswith(words)
    assert keys(before) == "a b c d", "the old one stays as it was"


def test_3_1_a_deleted_step_keeps_its_id_its_place_and_its_key() -> None:
    gone = Delete(2).on(draft())
    assert [(step.id, step.deleted) for step in gone.steps] == [(1, False), (2, True), (3, False), (4, False)]
    moved = Move(1, 3).on(gone)
    assert [step.key for step in moved.steps] == ["c", "d", "a", "b"], "still behind what it stood behind"
    assert fresh_key(gone, "B") == "b-2", "a key that was used once is never used again"
    with pytest.raises(NotFound):
        Delete(2).on(gone)


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (Change(3, Timing(1, window=(time(7), time(7)))), "begins and ends at the same time"),
        (Change(3, Timing(1, weekdays=0)), "No day of the week"),
        (Change(3, Timing(-1)), "negative"),
        (Delete(4), "leads to “C” (deleted), which would not be there any more"),
        (Move(2, 4), "would lead back to email 3"),
        (Change(2, Timing(), {"if": {"tag": "x"}, "then": "a", "else": ""}), "would lead back to email 1"),
        (Change(2, Timing(), {"if": {"tag": "x"}, "then": "asks", "else": ""}), "would lead back"),
        (Change(2, Timing(), {"if": {"tag": "x"}, "then": "nowhere", "else": ""}), "would not be there"),
        (Add(1, "move", Timing(), {"to": "core"}), "cannot move people to itself"),
        (Add(1, "dance", Timing()), "no kind of step"),
        (Move(1, 9), "no such place"),
        (Rules(-1, "never", 0, evergreen=False), "from 0 to 720 hours"),
        (Rules(20, "sometimes", 0, evergreen=False), "no rule for joining again"),
        (Rules(20, "always", -1, evergreen=False), "3,650 days"),
    ],
)
def test_3_6_what_cannot_be_is_refused_in_words(edit: Edit, said: str) -> None:
    with pytest.raises(InputError, match=said.replace("(", r"\(").replace(")", r"\)")):
        edit.on(ASKING)


def test_a_forward_jump_stays_legal() -> None:
    assert keys(Move(4, 3).on(ASKING)) == "a asks c b"
    assert keys(Delete(3).on(ASKING)) == "a asks c"


def form(**fields: str | list[str]) -> Form:
    return Form({name: value if isinstance(value, list) else [value] for name, value in fields.items()})


WHEN = {"amount": "3", "unit": "days", "counts_from": "previous", "day": [str(day) for day in range(7)]}


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (form(edit="delete", step="2"), Delete(2)),
        (form(edit="duplicate", step="2"), Duplicate(2)),
        (form(edit="move", step="2", to="1"), Move(2, 1)),
        (form(edit="change", step="2", **WHEN), Change(2, Timing(3, weekdays=EVERY_DAY))),
        (form(edit="add", after="", kind="end", **WHEN), Add(None, "end", Timing(3))),
        (form(edit="reword", step="2", subject="S", preheader="P", body="B"), Reword(2, "S", "P", "B")),
        (
            form(edit="rules", min_gap_hours="24", reentry="always", cooldown_days="7", evergreen="yes"),
            Rules(24, "always", 7, evergreen=True),
        ),
    ],
)
def test_a_form_says_which_edit(sent: Form, expected: Edit) -> None:
    assert read(sent, draft()) == expected


@pytest.mark.parametrize(
    "sent",
    [
        form(),
        form(edit="explode"),
        form(edit="delete", step=""),
        form(edit="delete", step="-1"),
        form(edit="delete", step="9" * 40),
        form(edit="change", step="2", amount="many", unit="days", day=["0"]),
        form(edit="change", step="2", amount="1", unit="days"),
        form(edit="add", after="7", kind="tag", **WHEN),
    ],
)
def test_a_form_of_nonsense_is_refused(sent: Form) -> None:
    with pytest.raises((InputError, SourceError, NotFound)):
        read(sent, draft()).on(draft())


def test_a_draft_survives_being_written_down() -> None:
    whole = replace(ASKING, evergreen=True, goal={"tag": "client"}, exits=({"tagged": "x"},), min_gap_hours=3)
    assert drafts.read(drafts.written(whole)) == whole


def test_a_series_from_files_is_known_by_its_keys() -> None:
    came = draft("c", "x", "a")
    brought = Replace(came).on(draft())
    assert [(step.key, step.id, step.deleted) for step in brought.steps if not step.deleted] == [
        ("c", 3, False),
        ("x", -1, False),
        ("a", 1, False),
    ]
    assert {step.key for step in brought.steps if step.deleted} == {"b", "d"}
    again = Replace(draft("a", "b")).on(brought)
    assert [(step.key, step.id) for step in again.living] == [("a", 1), ("b", 2)], "the same step comes back"


def test_differences_are_said_a_sentence_each() -> None:
    before, after = draft("a", "b", "c"), draft("a", "b", "c")
    assert differences(before, after) == []
    after = Rules(24, "never", 0, evergreen=False).on(Change(3, replace(TWO_DAYS, amount=5)).on(Delete(2).on(after)))
    after = Reword(1, "Other", "", "Other words.").on(after)
    assert differences(before, after) == [
        "Email 2 “B” is deleted",
        "New words for email 1 “Other”",
        "Email 3 goes 5 days after email 2 instead of 2 days",
        "At least 24 hours between two emails instead of 20",
    ]


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (Change(3, Timing(9)), {3}),
        (Delete(2), {2, 3}),
        (Add(2, "email", Timing(1), source=wording.write("New", "", "Words.")), {-1, 3}),
        (Add(2, "wait", Timing(1)), {-1, 3}),
        (Move(4, 2), {2, 4}),
        (Reword(1, "New", "", "Words."), {1}),
        (Rules(24, "never", 0, evergreen=False), {1, 2, 3, 4}),
    ],
)
def test_what_somebody_may_get_only_because_of_an_edit(edit: Edit, expected: set[int]) -> None:
    assert touched(draft(), edit.on(draft())) == expected


EDITS = st.one_of(
    st.builds(Delete, st.integers(1, 6)),
    st.builds(Duplicate, st.integers(1, 6)),
    st.builds(Move, st.integers(1, 6), st.integers(1, 6)),
    st.builds(Change, st.integers(1, 6), st.builds(Timing, st.integers(0, 9))),
    st.builds(Add, st.integers(1, 6), st.just("wait"), st.builds(Timing, st.integers(0, 9))),
)


@given(st.lists(EDITS, max_size=8))
def test_3_1_no_edits_whatever_lose_a_step_or_use_a_key_twice(edits: list[Edit]) -> None:
    now, start = draft(), draft()
    for edit in edits:
        try:
            now = edit.on(now)
        except (InputError, NotFound):
            continue
        # As the database would: what is new gets an id of its own.
        ids = iter(range(100 + len(now.steps), 900))
        now = replace(now, steps=tuple(replace(s, id=next(ids)) if s.id < 0 else s for s in now.steps))
        assert {step.id for step in start.steps} <= {step.id for step in now.steps}
        assert len({step.key for step in now.steps}) == len(now.steps)
    back = Restore(start).on(now)
    assert back.living == start.living
    assert {step.id for step in back.steps} == {step.id for step in now.steps}
