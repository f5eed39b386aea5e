"""The list of subscribers: search, filters, order, counts, and as a file."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from newsletter.addresses import parse
from newsletter.audience import actions, listing
from newsletter.audience.listing import Question
from newsletter.audience.models import Subscriber
from newsletter.audience.rules import Status
from newsletter.database.engine import db, transaction

NOON = datetime(2025, 3, 10, 12, tzinfo=UTC)
PEOPLE = (
    ("alice@example.org", "Alice", "Berg", Status.CONFIRMED),
    ("bob_100@example.org", "Bob", "", Status.PENDING),
    ("bobx100@example.org", "100%", "Bob", Status.UNSUBSCRIBED),
    ("charlie\\x@example.org".replace("\\", ""), "Char\\lie", "", Status.ERASED),
)


@pytest.fixture
def people(app: Flask) -> None:
    with transaction() as session:
        for hours, (email, first, last, status) in enumerate(PEOPLE):
            person = actions.remember(session, parse(email), source="test", now=NOON - timedelta(hours=hours))
            person.first_name, person.last_name, person.status = first, last, status
        actions.add_tag(session, 1, "tight hips", NOON)


def found(**asked: str) -> list[str]:
    return [person.first_name for person in db.session().scalars(listing.people(Question.of(asked)))]


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ({}, ["Alice", "Bob", "100%"]),
        ({"sort": "oldest"}, ["100%", "Bob", "Alice"]),
        ({"sort": "name"}, ["100%", "Alice", "Bob"]),
        ({"sort": "address"}, ["Alice", "Bob", "100%"]),
        ({"sort": "; drop table"}, ["Alice", "Bob", "100%"]),
        ({"q": "ALICE@"}, ["Alice"]),
        ({"q": "alice berg"}, ["Alice"]),
        ({"q": "%"}, ["100%"]),
        ({"q": "bob_"}, ["Bob"]),
        ({"q": "_"}, ["Bob"]),
        ({"q": "\\"}, []),
        ({"q": "' or 1=1 --"}, []),
        ({"q": "\x00bob_"}, ["Bob"]),
        ({"status": "pending"}, ["Bob"]),
        ({"status": "erased"}, ["Char\\lie"]),
        ({"status": "nonsense"}, ["Alice", "Bob", "100%"]),
        ({"tag": "tight hips"}, ["Alice"]),
        ({"tag": "tight%"}, []),
    ],
)
def test_who_answers_a_question(people: None, asked: dict[str, str], names: list[str]) -> None:
    assert found(**asked) == names


def test_counts_are_of_the_search_and_every_status(people: None) -> None:
    session = db.session()
    assert listing.counts(session, Question()) == {"confirmed": 1, "pending": 1, "unsubscribed": 1, "erased": 1}
    assert listing.counts(session, Question("bob", "pending")) == {"pending": 1, "unsubscribed": 1}


def test_the_file_has_everybody_once_however_many(app: Flask) -> None:
    many = 2 * listing.CHUNK + 3
    with transaction() as session:
        session.add_all(
            Subscriber(email=f"p{n}@example.org", email_key=f"p{n}@example.org", created_at=NOON, fields={})
            for n in range(many)
        )
    rows = list(listing.rows(db.session(), Question()))
    assert len(rows) == len({row[0] for row in rows}) == many
    assert all(len(row) == len(listing.COLUMNS) for row in rows)


def test_the_file_has_what_is_known(people: None) -> None:
    first = next(listing.rows(db.session(), Question(text="alice")))
    assert dict(zip(listing.COLUMNS, first, strict=True)) == {
        "email": "alice@example.org",
        "first_name": "Alice",
        "last_name": "Berg",
        "timezone": "",
        "tags": "tight hips",
        "status": "confirmed",
        "marketing": "no",
        "source": "test",
        "created_at": "2025-03-10T12:00:00+00:00",
        "confirmed_at": "",
        "unsubscribed_at": "",
    }


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1"])
def test_a_formula_becomes_text(text: str) -> None:
    assert listing.safe_cell(text) == "'" + text


@given(st.text())
def test_no_cell_begins_like_a_formula(text: str) -> None:
    cell = listing.safe_cell(text)
    assert not cell.startswith(listing.FORMULA_STARTS)
    assert cell.removeprefix("'") == text or cell == text
