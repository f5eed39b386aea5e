"""Writes about people, on both databases: confirming, leaving, tags, suppression, erasing, merging."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import inspect, select, text

from newsletter import addresses, tokens
from newsletter.audience import actions, queries
from newsletter.audience.models import Consent, Subscriber, SubscriberEvent, Suppression
from newsletter.audience.rules import Status
from newsletter.database.engine import db, transaction
from newsletter.delivery import actions as delivery
from newsletter.delivery import handover, mailbox
from newsletter.delivery.models import Attempt, Delivery
from newsletter.delivery.rules import Reply, State
from tests.conftest import SECRET
from tests.people import ALICE, BOB, CHARLIE, NOW, consent, person, planned
from tests.threads import at_once

LATER = NOW + timedelta(days=3)
FINGERPRINT = tokens.fingerprint(SECRET, ALICE)


def read(subscriber_id: int = 1) -> Subscriber:
    db.session.rollback()
    return queries.fresh(db.session(), subscriber_id)


def kinds(subscriber_id: int = 1) -> list[str]:
    found = select(SubscriberEvent.kind).where(SubscriberEvent.subscriber_id == subscriber_id)
    return list(db.session.scalars(found.order_by(SubscriberEvent.id)))


def test_1_2_unknown_becomes_pending_and_known_stays_who_they_are(app: Flask) -> None:
    with transaction() as session:
        first = actions.remember(session, addresses.parse("Alice@Example.org"), source="form", now=NOW)
        assert (first.status, first.marketing, first.email) == (Status.PENDING, False, "Alice@example.org")
        again = actions.remember(session, addresses.parse("ALICE@example.org"), source="import", now=LATER)
        assert again.id == first.id
    assert (read().source, read().created_at) == ("form", NOW)


def test_1_2_a_double_click_is_one_person(app: Flask) -> None:
    def press(_number: int) -> int:
        with transaction() as session:
            known = actions.remember(session, addresses.parse(ALICE), source="form", now=NOW).id
            actions.add_tag(session, known, "Calm", NOW)
            time.sleep(0.02)
            return known

    assert at_once(app, 4, press) == [1, 1, 1, 1]
    assert queries.tag_names(db.session(), 1) == ["calm"]


@pytest.mark.parametrize("marketing", [True, False])
def test_1_7_confirming_gives_what_the_consent_allows(app: Flask, marketing: bool) -> None:
    with transaction() as session:
        alice = person(session, status=Status.PENDING, marketing=False)
        actions.confirm(session, consent(session, alice, marketing=marketing), LATER)
    assert (read().status, read().marketing, read().confirmed_at) == (Status.CONFIRMED, marketing, LATER)
    given = queries.latest_consent(db.session(), 1)
    assert given
    assert given.confirmed_at == LATER
    assert kinds() == ["confirmed"]


def test_1_7_asking_for_a_gift_only_does_not_take_away_what_was_agreed_before(app: Flask) -> None:
    with transaction() as session:
        alice = person(session)
        actions.confirm(session, consent(session, alice, marketing=False), LATER)
    assert read().marketing is True
    assert read().confirmed_at == NOW


def test_1_2_unsubscribed_comes_back_by_a_fresh_confirmation_only(app: Flask) -> None:
    with transaction() as session:
        alice = person(session)
        old = consent(session, alice)
        actions.unsubscribe(session, alice.id, "Pressed the link", NOW)
    assert (read().status, read().marketing, read().unsubscribed_at) == (Status.UNSUBSCRIBED, False, NOW)
    with transaction() as session:
        assert session.get_one(Consent, old.id).withdrawn_at == NOW
        actions.confirm(session, consent(session, queries.fresh(session, 1), now=LATER), LATER)
    assert (read().status, read().marketing, read().unsubscribed_at) == (Status.CONFIRMED, True, None)


@pytest.mark.parametrize("status", [Status.BOUNCED, Status.COMPLAINED, Status.ERASED])
def test_1_2_an_old_link_does_not_bring_back_who_is_closed(app: Flask, status: Status) -> None:
    with transaction() as session:
        alice = person(session, status=status, marketing=False)
        actions.confirm(session, consent(session, alice), LATER)
    assert (read().status, read().marketing) == (status, False)


def test_1_8_consent_is_kept_after_unsubscribing_with_the_moment_it_ended(app: Flask) -> None:
    with transaction() as session:
        alice = person(session)
        consent(session, alice)
        actions.unsubscribe(session, alice.id, "Pressed the link", LATER)
        actions.unsubscribe(session, alice.id, "Pressed the link again", LATER + timedelta(days=1))
    (kept,) = queries.consents(db.session(), 1)
    assert (kept.withdrawn_at, kept.wording, kept.ip) == (LATER, "I would like the sheet and the series.", "192.0.2.7")


@pytest.mark.parametrize("status", [Status.BOUNCED, Status.COMPLAINED, Status.ERASED])
def test_leaving_does_not_make_somebody_closed_look_open(app: Flask, status: Status) -> None:
    with transaction() as session:
        person(session, status=status, marketing=False)
        actions.unsubscribe(session, 1, "Pressed the link", NOW)
    assert read().status == status


def test_closing_is_never_lifted_by_a_lesser_reason(app: Flask) -> None:
    with transaction() as session:
        person(session)
        actions.close(session, 1, Status.COMPLAINED, "Marked as spam", NOW)
        actions.close(session, 1, Status.BOUNCED, "No such user", NOW)
    assert (read().status, read().marketing) == (Status.COMPLAINED, False)


def test_tags_are_kept_once_and_under_one_spelling(app: Flask) -> None:
    with transaction() as session:
        person(session)
        for name in ("Calm", " calm ", "STRONG", "", " "):
            actions.add_tag(session, 1, name, NOW)
    assert queries.tag_names(db.session(), 1) == ["calm", "strong"]
    with transaction() as session:
        actions.remove_tag(session, 1, " CALM", NOW)
        actions.remove_tag(session, 1, "never had", NOW)
    assert queries.tag_names(db.session(), 1) == ["strong"]
    assert kinds() == ["tagged", "tagged", "untagged"]
    assert [(tag.name, count) for tag, count in queries.tags(db.session())] == [("calm", 0), ("strong", 1)]


def test_4_a_suppression_keeps_its_first_reason_and_only_an_erasure_is_lifted(app: Flask) -> None:
    with transaction() as session:
        actions.suppress(session, FINGERPRINT, "complained", NOW)
        session.flush()
        actions.suppress(session, FINGERPRINT, actions.ERASED, NOW)
        actions.lift_erasure(session, FINGERPRINT)
    assert queries.suppressed_because(db.session(), FINGERPRINT) == "complained"


def everywhere() -> Iterator[tuple[str, str, Any]]:
    """Every value of every column of every table."""
    db.session.rollback()
    for table in inspect(db.engine).get_table_names():
        for row in db.session.execute(text(f"SELECT * FROM {table}")).mappings():  # noqa: S608 - our own tables
            for column, value in row.items():
                yield table, column, value


def told(*words: str) -> list[str]:
    """Where any of these words still stands."""
    return [
        f"{table}.{column}"
        for table, column, value in everywhere()
        for word in words
        if word in (bytes(value).decode("latin-1") if isinstance(value, bytes | memoryview) else str(value)).casefold()
    ]


def a_full_life(app: Flask) -> None:
    """Alice with everything that can be held of her by the floors up to the ledger, and Bob beside her."""
    with transaction() as session:
        alice = person(session, "Alice@example.org", first_name="Alicia")
        alice.last_name, alice.fields, alice.timezone = "Wunderland", {"mat": "alicia's red one"}, "Europe/Berlin"
        actions.confirm(session, consent(session, alice), NOW)
        actions.add_tag(session, alice.id, "calm", NOW)
        for number, code in enumerate((250, 450, 550, 0)):
            planned(session, alice, reason=f"note:{number}")
            session.flush()
            row = session.scalars(select(Delivery).where(Delivery.reason == f"note:{number}")).one()
            row.state = State.SENDING
            session.flush()
            reply = Reply(code, text=f"{code} for alice@example.org")
            handover.record(session, [(row.id, reply)], relay="relay", subjects={row.id: "For Alicia"}, now=NOW)
            mailbox.receive(session, row.message_id, "alice@example.org", b"Subject: x\r\n\r\nHello Alicia", NOW)
        planned(session, alice, reason="note:later", due_at=LATER)
        person(session, BOB, first_name="Bob")


def test_4_after_erasing_no_column_anywhere_holds_the_person(app: Flask) -> None:
    a_full_life(app)
    words = ("alice", "alicia", "wunderland", "192.0.2.7")
    assert told(*words)
    with transaction() as session:
        actions.erase(session, 1, forget=app.extensions["forget"], secret=SECRET, now=LATER)
    assert told(*words) == []
    assert told("bob")
    assert db.session.scalars(select(Suppression.fingerprint)).all() == [FINGERPRINT]
    assert (read().status, read().marketing, read().fields, read().timezone) == (Status.ERASED, False, {}, "")
    assert len(db.session.scalars(select(Attempt)).all()) == 4, "the figures stay right"


def test_4_erased_twice_and_under_another_spelling(app: Flask) -> None:
    with transaction() as session:
        person(session, "ALICE@example.org")
        for _ in range(2):
            actions.erase(session, 1, forget=app.extensions["forget"], secret=SECRET, now=NOW)
    assert FINGERPRINT in db.session.scalars(select(Suppression.fingerprint)).all()
    with transaction() as session:
        assert actions.remember(session, addresses.parse(ALICE), source="form", now=LATER).id == 2


def test_4_what_a_mail_server_says_after_the_erasure_is_not_written_down(app: Flask) -> None:
    with transaction() as session:
        person(session)
        actions.erase(session, 1, forget=app.extensions["forget"], secret=SECRET, now=NOW)
        actions.close(session, 1, Status.BOUNCED, "550 no such user alice@example.org", NOW)
    assert told("alice") == []
    assert read().status == Status.ERASED


def merged(app: Flask, keep: Status, drop: Status, *, marketing: tuple[bool, bool] = (True, True)) -> Subscriber:
    with transaction() as session:
        person(session, ALICE, status=keep, marketing=marketing[0])
        person(session, BOB, status=drop, marketing=marketing[1])
        actions.merge(session, 1, 2, absorb=[delivery.absorb], secret="s", now=NOW)
    return read()


@pytest.mark.parametrize(
    ("keep", "drop", "after"),
    [
        (Status.CONFIRMED, Status.CONFIRMED, Status.CONFIRMED),
        (Status.CONFIRMED, Status.UNSUBSCRIBED, Status.UNSUBSCRIBED),
        (Status.UNSUBSCRIBED, Status.CONFIRMED, Status.UNSUBSCRIBED),
        (Status.CONFIRMED, Status.COMPLAINED, Status.COMPLAINED),
        (Status.BOUNCED, Status.PENDING, Status.BOUNCED),
    ],
)
def test_4_merging_keeps_the_stricter_status(app: Flask, keep: Status, drop: Status, after: Status) -> None:
    assert merged(app, keep, drop).status == after


@pytest.mark.parametrize(("marketing", "after"), [((True, True), True), ((True, False), False), ((False, True), False)])
def test_4_merging_keeps_the_stricter_consent(app: Flask, marketing: tuple[bool, bool], after: bool) -> None:
    assert merged(app, Status.CONFIRMED, Status.CONFIRMED, marketing=marketing).marketing is after


def test_4_an_import_cannot_bring_the_dropped_address_back(app: Flask) -> None:
    merged(app, Status.CONFIRMED, Status.CONFIRMED)
    assert queries.suppressed_because(db.session(), tokens.fingerprint("s", BOB)) == actions.ERASED


def test_4_merging_joins_what_is_known_and_loses_no_consent(app: Flask) -> None:
    with transaction() as session:
        keep, drop = person(session, ALICE, now=LATER), person(session, BOB, first_name="Bob")
        keep.fields, drop.fields = {"mat": "red"}, {"mat": "blue", "shoe": "41"}
        for one in (keep, drop):
            consent(session, one)
            actions.add_tag(session, one.id, "calm", NOW)
        actions.add_tag(session, drop.id, "strong", NOW)
        actions.merge(session, 1, 2, absorb=[delivery.absorb], secret="s", now=NOW)
    found = read()
    assert (found.email, found.first_name, found.created_at) == (ALICE, "Bob", NOW)
    assert found.fields == {"mat": "red", "shoe": "41"}
    assert queries.tag_names(db.session(), 1) == ["calm", "strong"]
    assert len(queries.consents(db.session(), 1)) == 2
    shell = db.session.get_one(Subscriber, 2)
    assert (shell.status, shell.email) == (Status.ERASED, "erased-2@erased.invalid")


@pytest.mark.parametrize(
    ("keeps", "drops", "after"),
    [
        (State.PLANNED, State.ACCEPTED, State.ACCEPTED),
        (State.ACCEPTED, State.PLANNED, State.ACCEPTED),
        (State.DEFERRED, State.UNKNOWN, State.UNKNOWN),
        (State.PLANNED, State.PLANNED, State.PLANNED),
        (State.CANCELED, State.ACCEPTED, State.CANCELED),
    ],
)
def test_2_5_merging_never_sends_the_same_email_twice(app: Flask, keeps: State, drops: State, after: State) -> None:
    with transaction() as session:
        for address, state in ((ALICE, keeps), (BOB, drops)):
            reader = person(session, address)
            planned(session, reader, reason="broadcast:1")
            session.flush()
            session.scalars(select(Delivery).where(Delivery.subscriber_id == reader.id)).one().state = state
        planned(session, queries.fresh(session, 2), reason="note:only theirs")
        actions.merge(session, 1, 2, absorb=[delivery.absorb], secret="s", now=NOW)
    rows = db.session.execute(select(Delivery.reason, Delivery.subscriber_id, Delivery.state)).all()
    assert sorted(rows) == [("broadcast:1", 1, after), ("note:only theirs", 1, State.PLANNED)]


def test_who_may_get_a_broadcast(app: Flask) -> None:
    with transaction() as session:
        person(session, ALICE)
        person(session, BOB, marketing=False)
        person(session, CHARLIE, status=Status.UNSUBSCRIBED)
        person(session, "dora@example.org")
        actions.add_tag(session, 4, "calm", NOW)
        actions.add_tag(session, 2, "calm", NOW)
    assert sorted(db.session.scalars(queries.reachable())) == [1, 4]
    assert list(db.session.scalars(queries.reachable("calm"))) == [4]
    assert list(db.session.scalars(queries.reachable("nobody has it"))) == []


def test_4_a_persons_own_copy_holds_everything_and_nobody_elses(app: Flask) -> None:
    a_full_life(app)
    with app.test_request_context():
        held = {key: value for room in app.extensions["held"] for key, value in room(db.session(), 1).items()}
        lines = [line for room in app.extensions["history"] for line in room(db.session(), 1)]
    said = str(held)
    for word in ("Alice@example.org", "Alicia", "Wunderland", "alicia's red one", "192.0.2.7", "calm", "For Alicia"):
        assert word in said
    assert "bob" not in said.casefold()
    assert {"confirmed", "tagged", "consent", "email"} <= {line.kind for line in lines}
    assert all(line.at.tzinfo for line in lines)
