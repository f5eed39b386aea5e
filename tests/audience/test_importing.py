"""A file of people: each row is taken or refused with a reason, and nobody who left comes back by it."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from newsletter import tokens
from newsletter.audience import actions, importing, occasions, queries
from newsletter.audience.importing import ImportResult, import_csv
from newsletter.audience.models import Consent, Subscriber, SubscriberEvent
from newsletter.audience.rules import Happened, Status
from newsletter.database.engine import db, transaction
from newsletter.delivery.models import Delivery
from newsletter.errors import InputError
from tests.conftest import SECRET
from tests.people import ALICE, BOB, CHARLIE, NOW, person

ATTEST = "Asked for it on paper at the open day, 1 March 2026"


def bring(source: str, *, tag: str = "", attest: str = "") -> ImportResult:
    with transaction() as session:
        return import_csv(session, source, tag=tag, attest=attest, secret=SECRET, now=NOW)


def read(address: str = ALICE) -> Subscriber:
    db.session.rollback()
    found = db.session.scalars(select(Subscriber).where(Subscriber.email_key == address)).one()
    db.session.refresh(found)
    return found


def test_a_file_with_everything(app: Flask) -> None:
    result = bring(
        "E-Mail,First name,Last name,Time zone,Tags,Shoe size\n"
        'Alice@example.org,Alice,"O\'Neill, Dr.",Europe/Berlin,"Calm; strong",38\n'
        "bob@example.org,,,,,\n",
        tag="Open day",
        attest=ATTEST,
    )
    assert (result.added, result.updated, result.refused, result.reachable) == (2, 0, [], [1, 2])
    alice = read()
    assert (alice.email, alice.first_name, alice.last_name) == ("Alice@example.org", "Alice", "O'Neill, Dr.")
    assert (alice.timezone, alice.fields, alice.source) == ("Europe/Berlin", {"shoe_size": "38"}, "import")
    assert queries.tag_names(db.session(), alice.id) == ["calm", "open day", "strong"]
    assert queries.tag_names(db.session(), read(BOB).id) == ["open day"]
    assert read(BOB).fields == {}


def test_with_an_attestation_they_are_confirmed_and_its_words_are_their_consent(app: Flask) -> None:
    bring(f"email\n{ALICE}\n", attest=ATTEST)
    assert (read().status, read().marketing, read().confirmed_at) == (Status.CONFIRMED, True, NOW)
    (given_,) = queries.consents(db.session(), 1)
    assert (given_.wording, given_.wording_version, given_.marketing) == (ATTEST, "import", True)
    assert (given_.email, given_.confirmed_at, given_.confirmation_sent_at) == (ALICE, NOW, None)


def test_without_one_they_are_known_and_get_nothing(app: Flask) -> None:
    result = bring(f"email\n{ALICE}\n")
    assert (read().status, read().marketing) == (Status.PENDING, False)
    assert result.reachable == []
    assert db.session.scalar(select(func.count()).select_from(Consent)) == 0


def test_3_19_importing_sends_nobody_anything(app: Flask) -> None:
    bring(f"email\n{ALICE}\n{BOB}\n", attest=ATTEST)
    assert db.session.scalar(select(func.count()).select_from(Delivery)) == 0


REFUSED = [
    ("not an address", "This does not look like an email address."),
    (",Alice,", "This does not look like an email address."),
    (
        "alice@example.org,Alice,Mars/Olympus",
        "There is no time zone 'Mars/Olympus'; they are called like Europe/Berlin.",
    ),
    ("alice@example.org,Alice,,too,many", "This row has 5 columns, the first line names 3."),
]


@pytest.mark.parametrize(("row", "why"), REFUSED)
def test_every_refused_row_has_its_line_and_reason(app: Flask, row: str, why: str) -> None:
    result = bring(f"email,first_name,timezone\nbob@example.org,Bob,\n{row}\n")
    assert (result.added, result.refused) == (1, [(3, why)])
    assert db.session.scalars(select(Subscriber.email)).all() == [BOB]


def test_the_same_address_twice_in_the_file_is_taken_once(app: Flask) -> None:
    result = bring(f"email,first_name\n{ALICE},First\n{BOB},\nALICE@Example.org,Second\n")
    assert (result.added, result.refused) == (2, [(4, "The same address as in line 2.")])
    assert read().first_name == "First"


@pytest.mark.parametrize("status", [Status.UNSUBSCRIBED, Status.BOUNCED, Status.COMPLAINED])
def test_4_an_import_never_lifts_a_no(app: Flask, status: Status) -> None:
    with transaction() as session:
        person(session, status=status, marketing=False, first_name="Alice")
    result = bring(f"email,first_name\n{ALICE},Changed\n", attest=ATTEST, tag="calm")
    assert (result.added, result.updated, len(result.refused), result.reachable) == (0, 0, 1, [])
    assert (read().status, read().marketing, read().first_name) == (status, False, "Alice")
    assert queries.tag_names(db.session(), 1) == []


def test_4_an_import_cannot_bring_back_an_erased_person(app: Flask) -> None:
    with transaction() as session:
        person(session)
        actions.erase(session, 1, forget=app.extensions["forget"], secret=SECRET, now=NOW)
        actions.suppress(session, tokens.fingerprint(SECRET, BOB), "complained", NOW)
    result = bring(f"email\nAlice@example.ORG\n{BOB}\n{CHARLIE}\n", attest=ATTEST)
    assert result.added == 1
    assert [line for line, _ in result.refused] == [2, 3]
    assert "erased" in result.refused[0][1]
    assert sorted(db.session.scalars(select(Subscriber.email))) == [CHARLIE, "erased-1@erased.invalid"]


def test_4_an_exported_list_does_not_come_back_stronger(app: Flask) -> None:
    exported = (
        "email,first_name,status,marketing,source,created_at\n"
        f"{ALICE},Alice,confirmed,yes,form stretch,2025-01-01T00:00:00+00:00\n"
        f"{BOB},Bob,unsubscribed,no,form stretch,2025-01-01T00:00:00+00:00\n"
        f"{CHARLIE},Charlie,confirmed,no,form stretch,2025-01-01T00:00:00+00:00\n"
    )
    result = bring(exported, attest=ATTEST)
    assert (result.added, [line for line, _ in result.refused]) == (1, [3, 4])
    assert read().fields == {}


def test_people_who_are_here_already_are_completed_and_what_is_empty_stays(app: Flask) -> None:
    with transaction() as session:
        alice = person(session, first_name="Alice", marketing=False)
        alice.fields, alice.timezone = {"mat": "red", "shoe": "38"}, "Europe/Berlin"
        person(session, BOB, status=Status.PENDING, marketing=False)
    result = bring(f"email,first_name,last_name,timezone,mat\n{ALICE},,Neill,,blue\n{BOB},Bob,,,\n", attest=ATTEST)
    assert (result.added, result.updated, result.reachable) == (0, 2, [2])
    assert (read().first_name, read().last_name, read().timezone) == ("Alice", "Neill", "Europe/Berlin")
    assert read().fields == {"mat": "blue", "shoe": "38"}
    assert read().marketing is False, "she chose the gift only; somebody else's word does not change that"
    assert (read(BOB).status, read(BOB).marketing) == (Status.CONFIRMED, True)
    assert len(queries.consents(db.session(), 1)) == 0
    assert len(queries.consents(db.session(), 2)) == 1


def test_3_8_another_zone_from_a_file_stands_in_the_history_with_the_one_it_was(app: Flask) -> None:
    with transaction() as session:
        for address, zone in ((ALICE, "Europe/Berlin"), (BOB, "")):
            person(session, address).timezone = zone
    bring(f"email,timezone\n{ALICE},Europe/Lisbon\n{BOB},America/New_York\n{CHARLIE},Asia/Tokyo\n")
    bring(f"email,timezone\n{ALICE},Europe/Lisbon\n{BOB},\n")
    told = select(SubscriberEvent.subscriber_id, SubscriberEvent.detail).where(SubscriberEvent.kind == "time zone")
    assert [tuple(row) for row in db.session.execute(told.order_by(SubscriberEvent.id))] == [
        (1, "Time zone changed from Europe/Berlin to Europe/Lisbon"),
        (2, "Time zone changed from the studio's to America/New York"),
    ]
    with transaction() as session:
        moved = [one.subscriber_id for one in occasions.take(session, 10, NOW) if one.kind == Happened.ZONE]
    assert moved == [1, 2]


def test_importing_the_same_file_again_changes_nothing(app: Flask) -> None:
    file = f"email,first_name,tags\n{ALICE},Alice,calm\n{BOB},Bob,\n"
    bring(file, attest=ATTEST)
    again = bring(file, attest=ATTEST)
    assert (again.added, again.updated, again.refused) == (0, 2, [])
    assert db.session.scalar(select(func.count()).select_from(Consent)) == 2
    assert queries.tag_names(db.session(), 1) == ["calm"]


@pytest.mark.parametrize(
    ("write", "encoding"),
    [
        (lambda rows: "\n".join(";".join(row) for row in rows), "utf-8"),
        (lambda rows: "\r\n".join("\t".join(row) for row in rows), "utf-8-sig"),
        (lambda rows: "\r\n".join("\t".join(row) for row in rows), "utf-16"),
        (
            lambda rows: "\r\n".join(",".join(f'"{cell}"' for cell in row) for row in rows) + "\r\n\r\n,,\r\n",
            "utf-8-sig",
        ),
    ],
)
def test_files_as_spreadsheets_write_them(
    app: Flask, tmp_path: Path, write: Callable[[list[list[str]]], str], encoding: str
) -> None:
    path = tmp_path / "people.csv"
    path.write_bytes(write([["email", "first_name", "city"], [ALICE, "Zoë", "Łódź"]]).encode(encoding))
    with transaction() as session:
        result = import_csv(session, importing.lines_of(path), secret=SECRET, now=NOW)
    assert (result.added, result.refused) == (1, [])
    assert (read().first_name, read().fields) == ("Zoë", {"city": "Łódź"})


def test_line_breaks_inside_quotes_do_not_shift_the_line_numbers(app: Flask) -> None:
    result = bring(f'email,note\n{ALICE},"one\ntwo"\nnonsense,x\n')
    assert result.refused[0][0] == 4
    assert read().fields == {"note": "one two"}


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("", "no column called email"),
        ("name,city\nAlice,Bonn\n", "no column called email"),
        ("email,mail\na@example.org,b@example.org\n", "Two columns"),
        ("email," + ",".join(f"f{number}" for number in range(60)) + "\n", "61 columns"),
        ('email\n"' + "x" * 200_000 + "\n", "cannot be read"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused_in_words(app: Flask, file: str, told: str) -> None:
    with pytest.raises(InputError, match=told) as refused:
        bring(file)
    assert refused.value.remedy


def test_a_file_in_another_encoding_is_refused_in_words(app: Flask, tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_bytes(f"email,first_name\n{ALICE},Zo\xeb\n".encode("latin-1"))
    with pytest.raises(InputError, match="UTF-8"):
        list(importing.lines_of(path))


@given(st.lists(st.lists(st.text(max_size=30), min_size=1, max_size=6), max_size=8))
def test_whatever_stands_in_a_file_is_a_person_or_a_refusal(rows: list[list[str]]) -> None:
    out = io.StringIO(newline="")
    csv.writer(out).writerows([["email", "first_name", "tags", "timezone", "mat"], *rows])
    seen = sum(len(chunk) for chunk in importing.chunks(out.getvalue()))
    assert seen == sum(1 for row in rows if any(cell.strip() for cell in row))


def test_many_people_come_in_a_few_statements_a_chunk(app: Flask) -> None:
    """Fast enough that a million rows take minutes, not days: each chunk is a handful of statements."""
    count = 3000
    lines = ["email,first_name,tags\n", *(f"p{number}@example.org,P{number},calm\n" for number in range(count))]
    began, result = time.monotonic(), ImportResult()
    errand = importing.Errand(SECRET, NOW, "open day", ATTEST)
    for chunk in importing.chunks(iter(lines)):
        assert len(chunk) <= importing.CHUNK
        with transaction() as session:
            importing.take(session, chunk, errand, result)
    assert (result.added, len(result.reachable)) == (count, count)
    assert [(tag.name, people) for tag, people in queries.tags(db.session())] == [("calm", count), ("open day", count)]
    assert db.session.scalar(select(func.count()).select_from(SubscriberEvent)) == count
    assert time.monotonic() - began < 60
