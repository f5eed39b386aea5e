"""A step's email as it leaves."""

from __future__ import annotations

from email import message_from_bytes, policy

from flask import Flask
from sqlalchemy import select

from newsletter.database.engine import db, transaction
from newsletter.delivery.models import MailboxMessage
from newsletter.delivery.rules import Claimed, State
from newsletter.sequences import letters, queries, wording
from newsletter.sequences.models import Step
from tests.sequences.conftest import MONDAY, at, emails, join, person, run, step, turn


def test_it_is_list_mail_of_its_series(app: Flask, series: int) -> None:
    """2.13, 3.14: one-click ends this series, so the List-Id names it."""
    alice = person("Alice")
    join(series, alice)
    turn(at("2026-03-04T07:00"))
    (kept,) = db.session.scalars(select(MailboxMessage)).all()
    message = message_from_bytes(kept.content, policy=policy.default)
    assert message["Subject"] == "Hello"
    assert message["List-Id"].startswith("<core-series.")
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    body = message.get_body(("plain",))
    assert body is not None
    assert "Hello Alice." in body.get_content()


def test_3_2_wording_is_live_until_sent(app: Flask, series: int) -> None:
    alice, bob = person("Alice"), person("Bob")
    join(series, alice)
    join(series, bob, at("2026-03-03T10:00"))
    turn(at("2026-03-04T07:00"))
    with transaction() as session:
        session.get_one(Step, step(series, "hello").id).source = wording.write("Hello again", "", "New words.")
    turn(at("2026-03-05T07:00"))
    assert [row.subject for number in (alice, bob) for row in emails(number)] == ["Hello", "Hello again"]


def test_2_11_a_broken_template_waits_and_says_why(app: Flask, series: int) -> None:
    alice = person("Alice")
    join(series, alice)
    with transaction() as session:
        broken = wording.write("Hi", "", "{{ subscriber.shoe_size.upper() }}")
        session.get_one(Step, step(series, "hello").id).source = broken
    turn(at("2026-03-04T07:00"))
    (email,) = emails(alice)
    assert email.state == State.DEFERRED
    assert "shoe_size" in email.state_why
    with transaction() as session:
        session.get_one(Step, step(series, "hello").id).source = wording.write("Hi", "", "Mended.")
    run(at("2026-03-05T00:00"))
    assert emails(alice)[0].state == State.ACCEPTED


def test_a_step_is_compiled_once_for_all_readers(app: Flask, series: int) -> None:
    for name in ("Alice", "Bob", "Dora"):
        join(series, person(name))
    wording.compiled.cache_clear()
    turn(at("2026-03-04T07:00"))
    assert wording.compiled.cache_info().misses == 1
    assert wording.compiled.cache_info().hits == 2


def test_the_reason_is_said_in_words(app: Flask, series: int) -> None:
    alice = person("Alice")
    join(series, alice, MONDAY)
    turn(at("2026-03-04T07:00"))
    run(at("2026-03-06T07:00"))
    words = [queries.reason_words(db.session(), row.reason) for row in emails(alice)]
    assert words == ["Core series, email 1", "Core series, email 2"]
    assert queries.reason_words(db.session(), "step:999:enrollment:1") == ""


def test_letters_of_an_enrollment_that_is_gone_are_withdrawn(app: Flask, series: int) -> None:
    alice = person("Alice")
    join(series, alice)
    turn(at("2026-03-04T07:00"))
    (email,) = emails(alice)
    gone = Claimed(email.id, "step:1:enrollment:999", email.lane, alice, email.message_id, MONDAY, MONDAY, attempts=0)
    assert isinstance(letters.letters(db.session(), [gone])[email.id], letters.Withdrawn)
    db.session.rollback()
