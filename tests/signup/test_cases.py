"""Signing up, by the table of semantics 1.2, on both databases, through the real pages, worker and mailbox."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from newsletter import clock, tokens
from newsletter.audience import actions as audience
from newsletter.audience.models import Consent, Suppression
from newsletter.audience.rules import Status
from newsletter.database.engine import db, transaction
from newsletter.sequences.models import Enrollment
from newsletter.settings import current
from tests.signup.conftest import Visitor, person, reasons

ALICE, BOB, CHARLIE = "alice@example.org", "bob@example.org", "charlie@example.org"


def kinds(email: str) -> list[str]:
    """The first words of a person's reasons."""
    return [reason.partition(":")[0] for reason in reasons(email)]


def test_1_2_unknown_becomes_pending_and_gets_a_confirmation(visitor: Visitor) -> None:
    visitor.sign_up(ALICE)
    alice = person(ALICE)
    assert alice is not None
    assert alice.status == Status.PENDING
    [email] = visitor.emails(ALICE)
    assert "/confirm/" in email.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert not list(email.iter_attachments())


def test_1_2_pending_gets_it_again_once_per_ten_minutes_and_three_times_a_day(visitor: Visitor) -> None:
    visitor.sign_up(ALICE)
    visitor.sign_up(ALICE)
    assert kinds(ALICE) == ["confirm"]
    for minutes in (11, 22, 33, 44):
        with clock.standing_at(clock.now() + timedelta(minutes=minutes)):
            visitor.sign_up(ALICE)
    assert kinds(ALICE) == ["confirm"] * 3
    with clock.standing_at(clock.now() + timedelta(days=1, minutes=45)):
        visitor.sign_up(ALICE)
    assert kinds(ALICE) == ["confirm"] * 4


def test_1_3_confirming_is_delivering(visitor: Visitor) -> None:
    page = visitor.confirm(ALICE)
    assert page.status_code == 200
    assert b"/download/" in page.data
    alice = person(ALICE)
    assert alice is not None
    assert (alice.status, alice.marketing) == (Status.CONFIRMED, True)
    assert db.session.scalars(select(Enrollment.subscriber_id)).all() == [alice.id]
    assert visitor.link(visitor.emails(ALICE)[-1], "download")


def test_1_2_confirmed_with_this_magnet_gets_the_delivery_again_without_a_reset(visitor: Visitor) -> None:
    visitor.confirm(ALICE)
    alice = person(ALICE)
    assert alice is not None
    with transaction() as session:
        audience.remove_tag(session, alice.id, "stretches", clock.now())
    visitor.sign_up(ALICE)
    assert kinds(ALICE).count("magnet") == 1, "within ten minutes nothing is sent again"
    with clock.standing_at(clock.now() + timedelta(minutes=11)):
        visitor.sign_up(ALICE)
        assert len(visitor.emails(ALICE)) == 3
    assert kinds(ALICE).count("magnet") == 2
    assert kinds(ALICE).count("confirm") == 1
    assert person(ALICE).tags == []  # type: ignore[union-attr]
    assert len(db.session.scalars(select(Enrollment)).all()) == 1


def test_1_2_confirmed_gets_a_new_magnet_at_once(visitor: Visitor) -> None:
    visitor.confirm(ALICE)
    visitor.sign_up(ALICE, "hips")
    assert kinds(ALICE).count("confirm") == 1
    assert kinds(ALICE).count("magnet") == 2
    assert [tag.name for tag in person(ALICE).tags] == ["hips", "stretches"]  # type: ignore[union-attr]


def test_1_2_unsubscribed_must_confirm_afresh(visitor: Visitor) -> None:
    visitor.confirm(ALICE)
    visitor.client.post(visitor.link(visitor.emails(ALICE)[0], "confirm"))
    alice = person(ALICE)
    assert alice is not None
    with transaction() as session:
        audience.unsubscribe(session, alice.id, "by hand", clock.now())
    with clock.standing_at(clock.now() + timedelta(minutes=11)):
        visitor.sign_up(ALICE)
        assert person(ALICE).status == Status.UNSUBSCRIBED  # type: ignore[union-attr]
        assert kinds(ALICE).count("magnet") == 1, "until confirmed nothing else"
        visitor.client.post(visitor.link(visitor.emails(ALICE)[-1], "confirm"))
    assert person(ALICE).status == Status.CONFIRMED  # type: ignore[union-attr]


@pytest.mark.parametrize("status", [Status.BOUNCED, Status.COMPLAINED])
def test_1_2_bounced_or_complained_gets_nothing_and_the_operator_sees_it(visitor: Visitor, status: Status) -> None:
    visitor.confirm(CHARLIE)
    charlie = person(CHARLIE)
    assert charlie is not None
    with transaction() as session:
        audience.close(session, charlie.id, status, "says their server", clock.now())
    before = reasons(CHARLIE)
    with clock.standing_at(clock.now() + timedelta(hours=1)):
        answer = visitor.sign_up(CHARLIE, "hips")
    assert answer.location == "/signup/thanks"
    assert reasons(CHARLIE) == before
    from newsletter.audience import queries as people

    assert any("nothing was sent" in line.text for line in people.history(db.session(), charlie.id))


def test_a_suppressed_address_gets_nothing(visitor: Visitor) -> None:
    print_ = tokens.fingerprint(current().secret_key, CHARLIE)
    with transaction() as session:
        audience.suppress(session, print_, "complained elsewhere", clock.now())
    assert visitor.sign_up(CHARLIE).location == "/signup/thanks"
    assert person(CHARLIE) is None


def test_4_an_erased_person_may_come_back_by_their_own_confirmation(visitor: Visitor) -> None:
    print_ = tokens.fingerprint(current().secret_key, BOB)
    with transaction() as session:
        audience.suppress(session, print_, audience.ERASED, clock.now())
    visitor.confirm(BOB)
    assert person(BOB).status == Status.CONFIRMED  # type: ignore[union-attr]
    assert db.session.scalars(select(Suppression)).all() == []


def test_1_7_deliver_only_people_get_nothing_else(visitor: Visitor) -> None:
    visitor.confirm(BOB, "plain")
    bob = person(BOB)
    assert bob is not None
    assert (bob.status, bob.marketing) == (Status.CONFIRMED, False)
    assert db.session.scalars(select(Enrollment)).all() == []
    assert kinds(BOB) == ["confirm", "magnet"]


def test_1_7_the_ticked_box_brings_the_follow_ups(visitor: Visitor) -> None:
    visitor.sign_up(BOB, "plain", follow="1")
    visitor.client.post(visitor.link(visitor.emails(BOB)[-1], "confirm"))
    assert person(BOB).marketing  # type: ignore[union-attr]
    assert len(db.session.scalars(select(Enrollment)).all()) == 1


def test_1_7_nobody_else_can_talk_a_deliver_only_person_into_follow_ups(visitor: Visitor) -> None:
    visitor.confirm(BOB, "plain")
    visitor.sign_up(BOB, "hips")
    assert not person(BOB).marketing  # type: ignore[union-attr]
    assert db.session.scalars(select(Enrollment)).all() == []
    assert kinds(BOB).count("magnet") == 2, "the gift comes at once"
    visitor.client.post(visitor.link(visitor.emails(BOB)[-2], "confirm"))
    assert person(BOB).marketing, "their own press does it"  # type: ignore[union-attr]


def test_1_8_consent_record(visitor: Visitor) -> None:
    visitor.client.environ_base["HTTP_USER_AGENT"] = "Browser 1.0"
    visitor.confirm(ALICE)
    visitor.emails()
    db.session.rollback()
    consent = db.session.scalars(select(Consent)).one()
    assert consent.email == ALICE
    assert consent.form_id == visitor.form_ids["stretches"]
    assert consent.wording == "You get the PDF.\nAnd the follow-ups."
    assert len(consent.wording_version) == 12
    assert consent.page_url == "http://localhost:8000/"
    assert (consent.ip, consent.user_agent) == ("127.0.0.1", "Browser 1.0")
    assert consent.requested_at <= consent.confirmation_sent_at <= consent.confirmed_at  # type: ignore[operator]
    with transaction() as session:
        audience.unsubscribe(session, consent.subscriber_id, "by hand", clock.now())
    db.session.rollback()
    kept = db.session.scalars(select(Consent)).one()
    assert kept.withdrawn_at is not None
    assert kept.confirmed_at == consent.confirmed_at


def test_1_9_one_reminder_after_a_day_and_purged_after_thirty(visitor: Visitor) -> None:
    visitor.sign_up(ALICE)
    visitor.confirm(BOB)
    start = clock.now()
    with clock.standing_at(start + timedelta(hours=23)):
        assert len(visitor.emails(ALICE)) == 1
    for hours in (25, 26, 50):
        with clock.standing_at(start + timedelta(hours=hours)):
            assert len(visitor.emails(ALICE)) == 2
    with clock.standing_at(start + timedelta(days=31)):
        visitor.emails()
    assert person(ALICE) is None
    assert person(BOB) is not None
    assert db.session.scalars(select(Consent.email)).all() == [BOB]


def test_1_9_the_reminder_can_be_switched_off(visitor: Visitor) -> None:
    from newsletter.accounts import actions as accounts

    with transaction() as session:
        accounts.ensure_studio(session).reminder = False
    visitor.sign_up(ALICE)
    with clock.standing_at(clock.now() + timedelta(hours=25)):
        assert len(visitor.emails(ALICE)) == 1
