"""What the editor shows of a series: its steps as lines with their numbers, and what its forms offer."""

from __future__ import annotations

import pytest
from flask import Flask

from newsletter import clock
from newsletter.database.engine import db, transaction
from newsletter.errors import InputError
from newsletter.sequences import editor, making, models, queries, reach
from newsletter.sequences.editor import Line
from newsletter.tracking.models import Click, Link
from tests.sequences.conftest import at, emails, join, person, sequence, step, turn


def lines(series: int) -> list[Line]:
    db.session.rollback()
    return editor.lines(db.session(), sequence(series))


def between(series: int, kind: str, position: float, **config: object) -> None:
    """A step of another kind, put in by hand."""
    with transaction() as session:
        for row in queries.all_steps(session, series):
            row.position = row.position * 10
        session.add(
            models.Step(sequence_id=series, key=kind, position=int(position * 10), source="", kind=kind, config=config)
        )


def press(delivery_id: int, subscriber_id: int, *, robot: bool = False) -> None:
    with transaction() as session:
        if session.get(Link, 1) is None:
            session.add(Link(id=1, url="https://example.org/a", digest="a"))
            session.flush()
        session.add(Click(delivery_id=delivery_id, subscriber_id=subscriber_id, link_id=1, at=clock.now(), robot=robot))


def test_steps_are_numbered_as_emails_and_say_their_waits(series: int) -> None:
    between(series, "condition", 1.5, **{"if": {"clicked": "hello"}, "then": "", "else": "last"})
    shown = lines(series)
    assert [line.number for line in shown] == [1, 0, 2, 3]
    assert [line.place for line in shown] == [1, 2, 3, 4]
    assert [line.named for line in shown] == ["email 1", "the question after email 1", "email 2", "email 3"]
    asks = shown[1]
    assert asks.title == "If they pressed a link in email 1 “Hello”"
    assert (asks.yes, asks.no) == ("on to the next step", "to email 3 “Last”")
    assert shown[0].wait == "2 days after joining, 7:00–9:00, in the reader's zone"
    assert asks.wait == "right after that"
    more = queries.reason(step(series, "more").id, 1)
    assert queries.reason_words(db.session(), more) == "Core series, email 2", "the outbox counts them the same"


def test_how_far_each_email_got_on_both_databases(app: Flask, series: int) -> None:
    alice, bob, charlie = (person(name) for name in ("Alice", "Bob", "Charlie"))
    for reader in (alice, bob):
        join(series, reader)
    join(series, charlie, at("2026-03-09T10:00"))
    turn(at("2026-03-04T07:00"))
    turn(at("2026-03-04T07:00"))
    hello = {reader: emails(reader)[0].id for reader in (alice, bob)}
    press(hello[alice], alice)
    press(hello[alice], alice)  # twice is still one reader
    press(hello[bob], bob, robot=True)
    first, second, third = lines(series)
    assert (first.waiting, first.sent, first.clicked) == (1, 2, 1)
    assert (second.waiting, second.sent, second.clicked) == (2, 0, 0)
    assert (third.waiting, third.sent, third.clicked) == (0, 0, 0)
    pressed = reach.pressed(db.session(), step(series, "hello").id)
    assert [(link.url, link.readers, link.clicks) for link in pressed] == [("https://example.org/a", 1, 2)]
    assert reach.pressed(db.session(), step(series, "more").id) == []


def test_the_numbers_of_one_step_are_not_those_of_another_that_begins_alike(app: Flask, series: int) -> None:
    """step:1 and step:11 begin alike."""
    alice = person("Alice")
    join(series, alice)
    turn(at("2026-03-04T07:00"))
    turn(at("2026-03-04T07:00"))
    press(emails(alice)[0].id, alice)
    number = step(series, "hello").id
    assert reach.clicked(db.session(), [number, int(f"{number}1")]) == {number: 1, int(f"{number}1"): 0}
    assert reach.clicked(db.session(), []) == {}


def test_where_a_step_could_stand_instead(series: int) -> None:
    shown = lines(series)
    ways = {line.named: editor.ways_of_moving(shown, line.step.id) for line in shown}
    assert ways["email 1"] == [(2, "before email 3"), (3, "at the end")]
    assert ways["email 2"] == [(1, "before email 1"), (3, "at the end")]
    assert ways["email 3"] == [(1, "before email 1"), (2, "before email 2")]


def test_a_question_leads_only_forward(series: int) -> None:
    offered = editor.choices(db.session(), sequence(series), step(series, "hello").id)
    assert [key for key, _ in offered.later] == ["more", "last"]
    assert [key for key, _ in offered.emails] == ["hello", "more", "last"]
    assert offered.series == []
    at_start = editor.choices(db.session(), sequence(series), None)
    assert [key for key, _ in at_start.later] == ["hello", "more", "last"]


def test_a_series_that_another_one_leads_to_stays(series: int) -> None:
    with transaction() as session:
        other = making.begin(session, "Où ça? Après!", "", clock.now())
        assert other.slug == "ou-ca-apres"
        number = other.id
    between(series, "move", 3.5, to="ou-ca-apres")
    with pytest.raises(InputError) as refused, transaction() as session:
        making.delete(session, number)
    assert "Core series" in refused.value.means
    with transaction() as session:
        assert making.why_not_delete(session, session.get_one(models.Sequence, series)) == ""


@pytest.mark.parametrize("name", ["", "  ", "x" * 121])
def test_a_series_needs_a_name_of_some_length(series: int, name: str) -> None:
    with pytest.raises(InputError), transaction() as session:
        making.rename(session, series, name, "")
    assert sequence(series).name == "Core series"


def test_names_without_letters_still_have_an_address(series: int) -> None:
    with transaction() as session:
        slugs = [making.begin(session, name, "", clock.now()).slug for name in ("瑜伽", "!!", "Yoga")]
    assert slugs == ["series", "series-2", "yoga"]
