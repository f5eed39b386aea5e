"""What conditions ask about readers: read for many at once, and only as far as it is asked."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from newsletter.audience import actions as audience
from newsletter.database.engine import db, transaction
from newsletter.delivery.models import Delivery
from newsletter.magnets import actions as magnets
from newsletter.magnets.rules import Paper
from newsletter.sequences import facts, queries
from newsletter.sequences.conditions import NOTHING_KNOWN, holds
from newsletter.sequences.facts import Asked
from newsletter.sequences.models import Enrollment
from newsletter.sequences.rules import Course, Kind, Step
from newsletter.tracking import actions as tracking
from newsletter.tracking.rules import Seen
from tests.sequences.conftest import MONDAY, at, emails, join, load, person, turn
from tests.signup.conftest import small_pdf
from tests.statements import questions

ALL = Asked(tags=True, clicks=True, downloads=True, fields=True)


def loaded(*people: int, asked: Asked = ALL) -> dict[int, facts.Facts]:
    """The facts about these people by their ids; each has one enrollment."""
    session = db.session()
    session.rollback()
    rows = session.execute(select(Enrollment.id, Enrollment.subscriber_id, Enrollment.sequence_id)).all()
    pairs = [(row.id, row.subscriber_id) for row in rows if row.subscriber_id in people]
    courses = queries.courses(session, {row.sequence_id for row in rows})
    found = facts.load(session, pairs, courses, asked)
    return {subscriber_id: found[enrollment_id] for enrollment_id, subscriber_id in pairs}


def press(subscriber_id: int, *, robot: bool = False) -> None:
    """A press on a link of the last email that this person got."""
    with transaction() as session:
        email = emails(subscriber_id)[-1]
        link = tracking.link_ids(session, ["https://example.org/"])["https://example.org/"]
        tracking.record_clicks(session, [Seen(email.id, subscriber_id, link, at("2026-03-04T09:00"), robot)])


def test_tags_fields_and_downloads_of_each(app: Flask, series: int) -> None:
    alice = person("Alice", fields={"level": "gentle", "age": 44})
    bob = person("Bob")
    for one in (alice, bob):
        join(series, one)
    with transaction() as session:
        audience.add_tag(session, alice, "Client", MONDAY)
        gift = magnets.upload(session, small_pdf(), 1, None, title="Hips", name="hips.pdf", now=MONDAY)
        other = magnets.upload(session, small_pdf(), 1, None, title="Neck", name="neck.pdf", now=MONDAY)
        slug = gift.slug
        granted = magnets.grant(session, gift.id, alice, MONDAY)
        magnets.grant(session, other.id, alice, MONDAY)  # has it, never fetched it
        for _ in range(2):
            magnets.note_download(session, granted.id, Paper.UPLOAD, MONDAY)
    known = loaded(alice, bob)
    assert known[alice].tags == {"client"}
    assert known[alice].downloaded == {slug}
    assert known[alice].fields == {"level": "gentle", "age": "44"}
    assert known[bob] == NOTHING_KNOWN
    assert holds({"downloaded": slug}, known[alice])
    assert not holds({"downloaded": "neck"}, known[alice])


def test_a_click_counts_in_its_own_enrollment_and_a_programs_counts_nowhere(
    app: Flask, series: int, tmp_path: Path
) -> None:
    alice, bob = person("Alice"), person("Bob")
    for one in (alice, bob):
        join(series, one)
    turn(at("2026-03-04T07:00"))
    press(alice)
    press(bob, robot=True)
    known = loaded(alice, bob)
    assert (known[alice].clicked, known[bob].clicked) == ({"hello"}, set())
    other = load(tmp_path / "other")
    join(other, alice, at("2026-03-05T10:00"))
    db.session.rollback()
    rows = db.session.execute(select(Enrollment.id, Enrollment.sequence_id).where(Enrollment.subscriber_id == alice))
    by_series = {row.sequence_id: row.id for row in rows}
    found = facts.load(
        db.session(), [(number, alice) for number in by_series.values()], queries.courses(db.session(), by_series), ALL
    )
    assert {key: found[number].clicked for key, number in by_series.items()} == {series: {"hello"}, other: frozenset()}


def test_an_email_that_is_no_step_is_no_fact(app: Flask, series: int) -> None:
    alice = person("Alice")
    join(series, alice)
    turn(at("2026-03-04T07:00"))
    with transaction() as session:
        session.scalars(select(Delivery)).one().reason = "broadcast:7"
    press(alice)
    assert loaded(alice)[alice].clicked == set()


@pytest.mark.parametrize(
    ("course", "asked"),
    [
        (Course(), Asked()),
        (Course(goal={"tag": "client"}), Asked(tags=True)),
        (Course(entry={"tag": "client"}), Asked()),
        (Course(exits=({"tagged": "client"}, {"untagged": "x"})), Asked(tags=True)),
        (Course(goal={"clicked": "any", "not": True}), Asked(clicks=True)),
        (
            Course(
                steps=(
                    Step(1, "a", 1, Kind.CONDITION, config={"if": {"downloaded": "any"}}),
                    Step(2, "b", 2, Kind.CONDITION, config={"if": {"field": "level", "is": "set"}}),
                    Step(3, "c", 3, Kind.TAG, config={"add": ["client"]}),
                )
            ),
            Asked(downloads=True, fields=True),
        ),
    ],
)
def test_what_a_series_asks_for(course: Course, asked: Asked) -> None:
    assert Asked.of([course]) == asked


@pytest.mark.parametrize(
    ("asked", "most"),
    [(Asked(), 0), (Asked(tags=True), 1), (Asked(clicks=True), 1), (Asked(downloads=True), 1), (ALL, 4)],
)
def test_as_many_statements_for_fifty_readers_as_for_one(app: Flask, series: int, asked: Asked, most: int) -> None:
    people = [person(f"Reader{number}") for number in range(50)]
    for one in people:
        join(series, one)
    session = db.session()
    rows = [(row.id, row.subscriber_id) for row in session.scalars(select(Enrollment))]
    courses = queries.courses(session, [series])
    with questions() as statements:
        found = facts.load(session, rows, courses, asked)
    assert len([one for one, _ in statements if one.startswith("SELECT")]) == most, statements
    assert set(found) == {number for number, _ in rows}
