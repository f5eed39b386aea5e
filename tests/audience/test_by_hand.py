"""A person added on the operator's word, and a corrected name."""

from __future__ import annotations

import pytest
from flask import Flask

from newsletter import clock
from newsletter.addresses import parse
from newsletter.audience import actions, by_hand, occasions, queries
from newsletter.audience.rules import Happened, Status
from newsletter.database.engine import db, transaction
from newsletter.errors import InputError
from newsletter.settings import current
from tests.people import NOW

ATTEST = "Wrote their address on the list at Saturday's class."


def add(email: str, attest: str = ATTEST) -> int:
    with transaction() as session:
        secret = current().secret_key
        return by_hand.add(session, email, " Bob ", "", attest=attest, secret=secret, now=clock.now()).id


def test_the_operators_note_is_the_consent_record(app: Flask) -> None:
    person_id = add("Bob@example.org")
    person = queries.subscriber(db.session(), person_id)
    assert person is not None
    assert (person.status, person.marketing, person.first_name) == (Status.CONFIRMED, True, "Bob")
    consent = queries.consents(db.session(), person_id)[0]
    assert (consent.wording, consent.marketing, consent.wording_version) == (ATTEST, True, "by hand")
    assert consent.confirmed_at is not None
    assert person_id in db.session().scalars(queries.reachable()).all()


@pytest.mark.parametrize(("email", "attest"), [("no address", ATTEST), ("bob@example.org", "  ")])
def test_no_address_or_no_note_adds_nobody(app: Flask, email: str, attest: str) -> None:
    with pytest.raises(InputError):
        add(email, attest)


def test_somebody_who_only_waits_to_confirm_becomes_confirmed(app: Flask) -> None:
    with transaction() as session:
        waiting = actions.remember(session, parse("bob@example.org"), source="form", now=clock.now()).id
    assert add("bob@example.org") == waiting


def test_4_nobody_who_left_or_was_erased_is_brought_back_by_hand(app: Flask) -> None:
    left, erased = add("left@example.org"), add("erased@example.org")
    with transaction() as session:
        actions.unsubscribe(session, left, "pressed it", clock.now())
        actions.erase(session, erased, forget=[], secret=current().secret_key, now=clock.now())
    for email in ("left@example.org", "erased@example.org"):
        with pytest.raises(InputError):
            add(email)


def test_a_name_and_a_zone_are_corrected(app: Flask) -> None:
    person_id = add("bob@example.org")
    with transaction() as session:
        by_hand.correct(session, person_id, "Bob\x00\n", " Lund ", "Europe/Lisbon", NOW)
    person = queries.subscriber(db.session(), person_id)
    assert person is not None
    assert (person.first_name, person.last_name, person.timezone) == ("Bob", "Lund", "Europe/Lisbon")
    with pytest.raises(InputError), transaction() as session:
        by_hand.correct(session, person_id, "", "", "Europe/Atlantis", NOW)


def test_3_8_another_zone_stands_in_the_history_with_the_one_it_was(app: Flask) -> None:
    person_id = add("bob@example.org")
    for zone in ("Europe/Lisbon", "Europe/Lisbon", "America/New_York", ""):
        with transaction() as session:
            by_hand.correct(session, person_id, "Bob", "", zone, NOW)
    assert [line.text for line in queries.history(db.session(), person_id) if line.kind == "time zone"] == [
        "Time zone changed from the studio's to Europe/Lisbon",
        "Time zone changed from Europe/Lisbon to America/New York",
        "Time zone changed from America/New York to the studio's",
    ]
    with transaction() as session:
        assert [one.kind for one in occasions.take(session, 10, NOW)] == [Happened.ZONE] * 3


def test_3_8_the_zone_of_a_record_that_is_merged_stands_in_the_history(app: Flask) -> None:
    kept, dropped = add("bob@example.org"), add("bob@example.net")
    with transaction() as session:
        by_hand.correct(session, dropped, "Bob", "", "Asia/Tokyo", NOW)
        actions.merge(session, kept, dropped, absorb=[], secret=current().secret_key, now=NOW)
    told = [line.text for line in queries.history(db.session(), kept) if line.kind == "time zone"]
    assert told == ["Time zone changed from the studio's to Asia/Tokyo"] * 2, "that of either record"


def test_a_field_is_set_changed_and_taken_away_and_told_of(app: Flask) -> None:
    person_id = add("bob@example.org")
    for name, value, kept in (
        ("Birthday", " 1990-05-17 ", {"birthday": "1990-05-17"}),
        ("shoe size", "41", {"birthday": "1990-05-17", "shoe_size": "41"}),
        ("birthday", "1990-05-18", {"birthday": "1990-05-18", "shoe_size": "41"}),
        ("birthday", "1990-05-18", {"birthday": "1990-05-18", "shoe_size": "41"}),
        ("birthday", " ", {"shoe_size": "41"}),
    ):
        with transaction() as session:
            by_hand.set_field(session, person_id, name, value, NOW)
        person = queries.subscriber(db.session(), person_id)
        assert person is not None
        assert person.fields == kept
    with transaction() as session:
        told = [(one.kind, one.what) for one in occasions.take(session, 10, NOW)]
    assert told == [(Happened.FIELD, name) for name in ("birthday", "shoe_size", "birthday", "birthday")]


@pytest.mark.parametrize("name", ["", " ", "E-Mail", "time zone", "tags", "status", "marketing"])
def test_a_field_that_is_none_is_refused(app: Flask, name: str) -> None:
    person_id = add("bob@example.org")
    with pytest.raises(InputError), transaction() as session:
        by_hand.set_field(session, person_id, name, "x", NOW)
