"""Series that move people on to each other: never in a circle, however many operators edit at once; both databases."""

from __future__ import annotations

from threading import Event, Thread

import pytest
from flask import Flask

from newsletter.database.engine import db, transaction
from newsletter.errors import InputError
from newsletter.sequences import editing, making, reach, versions
from newsletter.sequences.edits import Add, Delete
from newsletter.sequences.models import SequenceVersion
from newsletter.sequences.rules import Timing
from tests.sequences.conftest import MONDAY


@pytest.fixture
def half_round(app: Flask) -> tuple[int, int, int]:
    """Three series; the second moves its readers to the third."""
    with transaction() as session:
        numbers = tuple(making.begin(session, name, "", MONDAY).id for name in ("One", "Two", "Three"))
    lead(numbers[1], "three")
    return numbers


def lead(number: int, to: str) -> None:
    with transaction() as session:
        editing.apply(session, number, Add(None, "move", Timing(), {"to": to}), now=MONDAY)


def leads() -> dict[str, set[str]]:
    db.session.rollback()
    return reach.leads(db.session())


def test_two_operators_who_each_lead_half_way_round_do_not_close_the_circle(
    app: Flask, half_round: tuple[int, int, int]
) -> None:
    one, _, three = half_round
    first_wrote, refused = Event(), Event()

    def leads_on() -> None:
        assert first_wrote.wait(20)
        with app.app_context(), pytest.raises(InputError, match="come back to this one"):
            lead(one, "two")
        refused.set()

    second = Thread(target=leads_on)
    second.start()
    with transaction() as session:
        editing.apply(session, three, Add(None, "move", Timing(), {"to": "one"}), now=MONDAY)
        first_wrote.set()
        assert not refused.wait(0.5)
    second.join(20)
    assert refused.is_set()
    assert leads() == {"one": set(), "two": {"three"}, "three": {"one"}}


def test_an_undo_does_not_close_a_circle_either(half_round: tuple[int, int, int]) -> None:
    one, two, three = half_round
    with transaction() as session:
        (step,) = versions.current(session, two).living
        gone = editing.apply(session, two, Delete(step.id), now=MONDAY)
        assert gone is not None
        number = gone.id
    lead(three, "one")
    lead(one, "two")
    with pytest.raises(InputError, match="come back to this one"), transaction() as session:
        editing.undo(session, two, number, now=MONDAY, operator_id=None)
    assert leads()["two"] == set()
    assert db.session.get_one(SequenceVersion, number).undone_at is None
