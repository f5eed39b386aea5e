"""Operators, the studio and the audit log, on both databases."""

from __future__ import annotations

import runpy
import threading

import pytest
from argon2 import PasswordHasher
from flask import Flask
from sqlalchemy import func, select

from newsletter import clock
from newsletter.accounts import actions, passwords, queries
from newsletter.accounts.models import AuditEntry, Operator, Studio
from newsletter.database.engine import db, transaction
from newsletter.errors import InputError, Refused
from tests.accounts.people import ALICE, PASSWORD, make_alice


def test_an_operator_is_kept_with_a_hash_and_no_password(app: Flask) -> None:
    alice = make_alice()
    assert alice.password_hash.startswith("$argon2id$")
    assert PASSWORD not in alice.password_hash
    assert queries.is_set_up(db.session())


@pytest.mark.parametrize(
    ("email", "password"), [("nothing", PASSWORD), ("bob@example.org", "short"), (ALICE, PASSWORD)]
)
def test_an_operator_that_cannot_be_is_refused(app: Flask, email: str, password: str) -> None:
    make_alice()
    with pytest.raises(InputError), transaction() as session:
        actions.create_operator(session, email, password, clock.now())
    assert db.session().scalar(select(func.count(Operator.id))) == 1


def test_two_people_racing_for_the_setup_link_make_one_operator(app: Flask) -> None:
    start, outcomes = threading.Barrier(2), []

    def race(email: str) -> None:
        with app.app_context():
            start.wait()
            try:
                with transaction() as session:
                    actions.create_first_operator(session, email, PASSWORD, clock.now())
                outcomes.append("made")
            except Refused:
                outcomes.append("refused")
            finally:
                db.session.remove()

    racers = [threading.Thread(target=race, args=(email,)) for email in (ALICE, "charlie@example.org")]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert sorted(outcomes) == ["made", "refused"]
    assert db.session().scalar(select(func.count(Operator.id))) == 1


def test_a_refused_password_leaves_the_setup_link_good(app: Flask) -> None:
    with pytest.raises(InputError), transaction() as session:
        actions.create_first_operator(session, ALICE, "short", clock.now())
    assert queries.setup_url(db.session()) is not None


def test_the_setup_link_is_void_once_there_is_an_operator(app: Flask) -> None:
    assert queries.setup_url(db.session())
    make_alice()
    assert queries.setup_url(db.session()) is None


def test_a_password_costs_what_rfc_9106_wants() -> None:
    """Its section 4, the second choice; the module is loaded anew, because all other tests keep passwords cheaply."""
    assert runpy.run_path(passwords.__file__)["keep"](PASSWORD).startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_a_hash_with_old_parameters_is_renewed_at_the_next_sign_in(app: Flask) -> None:
    alice = make_alice()
    with transaction() as session:
        weak = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)
        session.get_one(Operator, alice.id).password_hash = weak.hash(PASSWORD)
    with transaction() as session:
        renewed = actions.signed_in(session, alice, PASSWORD, clock.now())
    assert not passwords.is_outdated(renewed.password_hash)
    assert passwords.matches(renewed.password_hash, PASSWORD)


def test_a_changed_password_changes_the_session_key(app: Flask) -> None:
    alice = make_alice()
    before = alice.session_key
    with transaction() as session:
        changed = actions.change_password(session, alice.id, PASSWORD, "a different mat", clock.now())
    assert changed.session_key != before
    assert passwords.matches(changed.password_hash, "a different mat")
    with pytest.raises(InputError), transaction() as session:
        actions.change_password(session, alice.id, PASSWORD, "yet another mat", clock.now())


def test_reading_the_studio_makes_no_row(app: Flask) -> None:
    assert queries.studio(db.session()).name == "Your Studio"
    db.session().commit()
    assert db.session().scalar(select(func.count(Studio.id))) == 0


def test_settings_are_kept_and_their_names_written_down(app: Flask) -> None:
    alice = make_alice()
    with transaction() as session:
        values = {"name": "Mill Lane Movement", "postal_address": "hello@example.org\nMill Lane 3", "timezone": "UTC"}
        changed = actions.change_settings(session, values, by=alice.id, now=clock.now())
    assert changed == ["name", "postal_address"]
    assert queries.studio(db.session()).name == "Mill Lane Movement"
    entry = db.session().scalars(select(AuditEntry).where(AuditEntry.action == "settings.changed")).one()
    assert (entry.operator_id, entry.detail) == (alice.id, {"fields": ["name", "postal_address"]})


def test_3_8_another_zone_of_the_studio_is_written_down_with_the_one_it_was(app: Flask) -> None:
    alice = make_alice()
    for zone in ("Europe/Lisbon", "Asia/Tokyo"):
        with transaction() as session:
            actions.change_settings(session, {"timezone": zone}, by=alice.id, now=clock.now())
    told = select(AuditEntry.detail).where(AuditEntry.action == "settings.changed").order_by(AuditEntry.id)
    assert [(detail["zone_was"], detail["zone_is"]) for detail in db.session.scalars(told)] == [
        ("UTC", "Europe/Lisbon"),
        ("Europe/Lisbon", "Asia/Tokyo"),
    ]


def test_the_audit_log_takes_no_address(app: Flask) -> None:
    with pytest.raises(ValueError, match="no addresses"), transaction() as session:
        actions.record(session, "subscriber.erased", by=None, now=clock.now(), who="bob@example.org")


def test_nobody_has_no_password(app: Flask) -> None:
    assert not passwords.matches(None, "the password of nobody")
    assert not passwords.matches("not a hash", PASSWORD)
