"""From the ledger over real SMTP and back: end to end, on both databases."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from threading import Event

import pytest
from flask import Flask
from sqlalchemy import select, update
from sqlalchemy.orm import Session
from structlog.testing import capture_logs

from newsletter import clock, tokens
from newsletter.audience import actions as audience
from newsletter.audience.models import Subscriber
from newsletter.audience.rules import Status
from newsletter.database.engine import db, transaction
from newsletter.delivery import composing, handover, jobs, queries, routing, rules
from newsletter.delivery.letters import Withdrawn, one_by_one
from newsletter.delivery.models import Attempt, Delivery, MailboxMessage, Relay
from newsletter.delivery.rules import Claimed, Lane, State
from newsletter.work.queue import queue
from tests.conftest import SECRET
from tests.delivery.peer import Peer, serving
from tests.people import ALICE, BOB, CHARLIE, NOW, note_writer, person, planned, register


@pytest.fixture
def peer() -> Iterator[Peer]:
    with serving(Peer()) as made:
        yield made


@pytest.fixture
def mailing(app: Flask, peer: Peer) -> Flask:
    """The application with an SMTP_URL that leads to the peer, and a room that writes notes."""
    register(app, {"note": note_writer(), "offer": note_writer(marketing=True)})
    app.extensions["settings"] = replace(app.extensions["settings"], smtp=peer.smtp())
    return app


def send(minutes: float = 0) -> int:
    """Send all that is due that many minutes after NOW."""
    handled = 0
    with clock.standing_at(NOW + timedelta(minutes=minutes)):
        jobs.recover()
        while turn := jobs.send_due():
            handled += turn
    return handled


def states() -> dict[str, str]:
    """Where each email stands, by address and reason."""
    db.session.rollback()
    found = (
        select(Subscriber.email, Delivery.reason, Delivery.state)
        .join_from(Subscriber, Delivery, Subscriber.id == Delivery.subscriber_id)
        .order_by(Delivery.id)
    )
    return {f"{email} {reason}": state for email, reason, state in db.session.execute(found)}


def one() -> Delivery:
    db.session.rollback()
    return db.session.scalars(select(Delivery).execution_options(populate_existing=True)).one()


def plan(*addresses: str, **more: object) -> None:
    with transaction() as session:
        for address in addresses:
            planned(session, person(session, address), **more)  # type: ignore[arg-type]


def test_a_note_goes_out_once_and_the_ledger_knows(mailing: Flask, peer: Peer) -> None:
    with transaction() as session:
        planned(session, person(session, ALICE, first_name="Alice"))
    assert send() == 1
    assert send() == 0
    ((recipient, message),) = peer.taken
    assert recipient == ALICE
    assert message["Message-ID"] == one().message_id
    assert message["Subject"] == one().subject == "A note for Alice"
    assert "Hello Alice, this is a note." in message.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert (one().state, one().accepted_at, one().attempts) == (State.ACCEPTED, NOW, 1)


def test_what_is_not_due_waits(mailing: Flask, peer: Peer) -> None:
    plan(ALICE, due_at=NOW + timedelta(minutes=1))
    assert send() == 0
    assert send(1) == 1


def test_2_8_each_recipient_gets_what_their_server_said(mailing: Flask, peer: Peer) -> None:
    peer.recipients = {BOB: "450 4.2.0 Greylisted", CHARLIE: "550 5.1.1 No such user charlie@example.net"}
    peer.once = {BOB}
    plan(ALICE, BOB, CHARLIE)
    send()
    assert states() == {f"{ALICE} note:1": "accepted", f"{BOB} note:1": "deferred", f"{CHARLIE} note:1": "rejected"}
    send(8)
    assert states()[f"{BOB} note:1"] == "accepted"
    assert peer.to == [ALICE, BOB]
    assert db.session.scalars(select(Subscriber.status).where(Subscriber.email == CHARLIE)).one() == Status.BOUNCED


def test_no_address_of_a_reader_stands_in_the_log(mailing: Flask, peer: Peer) -> None:
    peer.recipients = {ALICE: "550 5.1.1 No such user alice@example.org"}
    plan(ALICE, BOB)
    with capture_logs() as said:
        send()
    assert [line["outcome"] for line in said if line["event"] == "email handed over"] == ["rejected"]
    assert "alice" not in str(said)
    assert "bob" not in str(said)


@pytest.mark.parametrize(
    ("lane", "copies", "state"), [(Lane.TRANSACTIONAL, 2, "accepted"), (Lane.SEQUENCE, 1, "unknown")]
)
def test_2_4_an_answer_lost_after_the_data(mailing: Flask, peer: Peer, lane: Lane, copies: int, state: str) -> None:
    peer.data = ["hang up"]
    plan(ALICE, lane=lane)
    send()
    assert one().state == state
    assert len(peer.taken) == copies
    assert {message["Message-ID"] for _, message in peer.taken} == {one().message_id}
    assert send(60 * 24) == 0


def test_2_4_a_server_that_always_drops_the_line_gets_three_copies_not_thousands(mailing: Flask, peer: Peer) -> None:
    peer.data = ["hang up"] * 50
    plan(ALICE, lane=Lane.TRANSACTIONAL)
    for minutes in range(0, 120, 10):
        send(minutes)
    assert (len(peer.taken), one().state) == (3, State.UNKNOWN)


def test_1_11_while_the_server_is_down_nothing_is_lost_and_it_goes_when_it_is_back(app: Flask) -> None:
    register(app, {"note": note_writer()})
    peer = Peer()
    with serving(peer):
        pass
    app.extensions["settings"] = replace(app.extensions["settings"], smtp=peer.smtp())
    plan(ALICE, BOB, lane=Lane.TRANSACTIONAL)
    send()
    assert set(states().values()) == {"planned"}
    (relay,) = queries.relay_problems(db.session())
    assert "cannot be used" in relay.problem
    assert relay.since == NOW
    assert send(0.5) == 0, "the relay rests"
    send(60 * 24 * 9)
    assert set(states().values()) == {"planned"}, "days later they still wait, and are not given up"
    with serving(peer, port=peer.port):
        send(60 * 24 * 9 + 2)
    assert set(states().values()) == {"accepted"}
    assert peer.to == [ALICE, BOB]
    db.session.rollback()
    assert queries.relay_problems(db.session()) == []


@pytest.mark.parametrize("refusal", ["550 5.7.1 You are not welcome", "530 Sign in first"])
def test_2_8_a_refusal_of_ourselves_stops_the_relay_and_nobody_bounces(
    mailing: Flask, peer: Peer, refusal: str
) -> None:
    peer.sender = refusal
    plan(ALICE, BOB, CHARLIE)
    send()
    assert sorted(states().values()) == ["deferred", "planned", "planned"]
    (relay,) = queries.relay_problems(db.session())
    assert refusal in relay.problem
    assert set(db.session.scalars(select(Subscriber.status))) == {Status.CONFIRMED}
    peer.sender = ""
    send(10)
    assert set(states().values()) == {"accepted"}
    assert len(peer.taken) == 3


def test_2_7_the_urgent_goes_first_over_the_wire(mailing: Flask, peer: Peer) -> None:
    with transaction() as session:
        for number, (address, lane) in enumerate(
            [(ALICE, Lane.BULK), (BOB, Lane.SEQUENCE), (CHARLIE, Lane.TRANSACTIONAL)]
        ):
            planned(session, person(session, address), lane=lane, due_at=NOW - timedelta(hours=3 - number))
        routing.keep_in_step(session, NOW)
        session.execute(update(Relay).values(connections=1))  # over two they would go side by side, in no order
    send()
    assert peer.to == [CHARLIE, BOB, ALICE]


def test_2_11_a_template_that_fails_for_one_reader_hurts_that_row_only(mailing: Flask, peer: Peer) -> None:
    demanding = "---\nsubject: Your mat\npreheader: x\n---\nYour mat is {{ subscriber.fields.mat }}.\n"
    register(mailing, {"note": note_writer(demanding)})
    with transaction() as session:
        for address, fields in ((ALICE, {"mat": "red"}), (BOB, {}), (CHARLIE, {"mat": "blue"})):
            reader = person(session, address)
            reader.fields = fields
            planned(session, reader)
    send()
    assert states() == {f"{ALICE} note:1": "accepted", f"{BOB} note:1": "deferred", f"{CHARLIE} note:1": "accepted"}
    why = db.session.scalars(select(Delivery.state_why).where(Delivery.state == State.DEFERRED)).one()
    assert "mat" in why
    register(mailing, {"note": note_writer()})
    send(10)
    assert states()[f"{BOB} note:1"] == "accepted"


def test_2_11_a_room_that_breaks_hurts_its_own_rows_only(mailing: Flask, peer: Peer) -> None:
    def breaks(_session: Session, _delivery: Claimed) -> Withdrawn:
        raise ZeroDivisionError("alice@example.org")

    register(mailing, {"broken": one_by_one(breaks)})
    plan(ALICE, reason="broken:1")
    plan(ALICE, reason="nobody writes this:1")
    plan(BOB)
    send()
    assert sorted(states().values()) == ["accepted", "deferred", "deferred"]
    assert all("alice@" not in why for why in db.session.scalars(select(Delivery.state_why)))


STATUSES = [
    (Status.CONFIRMED, True, True, True),
    (Status.CONFIRMED, False, True, False),  # asked for the gift only
    (Status.PENDING, False, True, False),
    (Status.UNSUBSCRIBED, False, True, False),
    (Status.BOUNCED, False, False, False),
    (Status.COMPLAINED, False, False, False),
    (Status.ERASED, False, False, False),
]


@pytest.mark.parametrize(("status", "marketing", "note", "offer"), STATUSES)
def test_2_6_eligibility_is_asked_again_at_sending(
    mailing: Flask, peer: Peer, status: Status, marketing: bool, note: bool, offer: bool
) -> None:
    """A note is what somebody asked for just now (a confirmation); an offer is marketing."""
    plan(ALICE, reason="note:1")
    plan(ALICE, reason="offer:1")
    with transaction() as session:
        session.execute(update(Subscriber).values(status=status, marketing=marketing))
    send()
    assert states() == {
        f"{ALICE} note:1": "accepted" if note else "canceled",
        f"{ALICE} offer:1": "accepted" if offer else "canceled",
    }
    assert len(peer.taken) == note + offer
    assert all(db.session.scalars(select(Delivery.state_why).where(Delivery.state == State.CANCELED)))


@pytest.mark.parametrize(("reason", "state"), [("complained", "canceled"), (audience.ERASED, "accepted")])
def test_2_6_suppressed_since_planning(mailing: Flask, peer: Peer, reason: str, state: str) -> None:
    """A living row of an erased address can only be that person's own fresh sign-up."""
    plan(ALICE)
    with transaction() as session:
        audience.suppress(session, tokens.fingerprint(SECRET, ALICE), reason, NOW)
    send()
    assert one().state == state


def test_a_record_that_was_merged_since_the_claim_waits_and_holds_up_nobody(mailing: Flask) -> None:
    plan(ALICE, BOB)
    with transaction() as session:
        alice, bob = handover.claim_due(session, "me", NOW, 10, Lane.SEQUENCE)
    gone = alice._replace(subscriber_id=999)
    drafts = composing.gather(db.session(), [gone, bob])
    assert "merged" in str(drafts[alice.id])
    assert isinstance(drafts[bob.id], composing.Draft)


def test_2_6_a_room_may_withdraw_its_letter(mailing: Flask, peer: Peer) -> None:
    register(mailing, {"note": one_by_one(lambda _session, _delivery: Withdrawn("left the series"))})
    plan(ALICE)
    send()
    assert (one().state, one().state_why) == (State.CANCELED, "left the series")
    assert peer.taken == []


def test_2_13_marketing_carries_the_way_out_and_other_mail_does_not(mailing: Flask, peer: Peer) -> None:
    plan(ALICE, reason="note:1")
    plan(ALICE, reason="offer:1")
    send()
    (_, note), (_, offer) = peer.taken
    assert "https://" in offer["List-Unsubscribe"] or "http://localhost:8000/unsubscribe/" in offer["List-Unsubscribe"]
    assert "mailto:studio@example.org" in offer["List-Unsubscribe"]
    assert offer["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert offer["List-Id"]
    assert offer["Feedback-ID"]
    assert note["List-Unsubscribe"] is None
    assert ALICE not in offer["List-Unsubscribe"]


def test_2_4_every_attempt_carries_the_same_message_id(mailing: Flask, peer: Peer) -> None:
    peer.data = ["451 4.3.0 Later", "451 4.3.0 Later"]
    plan(ALICE)
    for minutes in (0, 10, 60):
        send(minutes)
    assert one().state == State.ACCEPTED
    assert db.session.scalars(select(Attempt.outcome).order_by(Attempt.id)).all() == [
        "deferred",
        "deferred",
        "accepted",
    ]
    assert peer.taken[0][1]["Message-ID"] == one().message_id


def test_without_a_server_the_built_in_mailbox_takes_it_once(app: Flask) -> None:
    register(app, {"note": note_writer()})
    plan(ALICE)
    send()
    with transaction() as session:
        session.execute(update(Delivery).values(state=State.PLANNED))
    send(1)
    assert db.session.scalars(select(MailboxMessage.recipient)).all() == [ALICE]


def killed_while_sending() -> int:
    """A worker that claims everything due, begins to send two emails and is killed; returns its exit status."""
    process = os.fork()
    if process == 0:
        db.engine.dispose(close=False)  # the connections are the parent's
        with transaction() as session:
            claimed = [one for lane in Lane for one in handover.claim_due(session, "the dead", NOW, 10, lane)]
            handover.begin_sending(session, [one.id for one in claimed[:2]], "the dead")
        os.kill(os.getpid(), signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # it kills itself a moment later
def test_2_3_after_a_kill_only_what_was_being_sent_is_uncertain(mailing: Flask, peer: Peer) -> None:
    """Alice's confirmation goes again by itself, Bob's series email waits, Charlie's was not begun and just goes."""
    plan(ALICE, lane=Lane.TRANSACTIONAL)
    plan(BOB)
    plan(CHARLIE, lane=Lane.BULK)
    db.session.remove()
    assert killed_while_sending() == -signal.SIGKILL
    assert list(states().values()) == ["sending", "sending", "claimed"]
    assert send(4) == 0, "their leases are not over"
    send(rules.LEASE.total_seconds() / 60 + 1)
    assert list(states().values()) == ["accepted", "unknown", "accepted"]
    assert sorted(peer.to) == [ALICE, CHARLIE]


def test_2_3_a_slow_server_does_not_let_two_workers_send_the_same(mailing: Flask, peer: Peer) -> None:
    """Between two emails of a window the lease ends and another worker recovers: the rest is not sent by the first."""
    plan(ALICE, BOB, lane=Lane.TRANSACTIONAL)
    with clock.standing_at(NOW), transaction() as session:
        ids = [one.id for one in handover.claim_due(session, "slow", NOW, 10, Lane.TRANSACTIONAL)]
        handover.begin_sending(session, ids, "slow")
    send(6)
    assert sorted(peer.to) == [ALICE, BOB]
    with transaction() as session:
        assert handover.keep(session, "slow", NOW) == 0


def test_a_worker_asked_to_stop_ends_its_window_and_leaves_nothing_uncertain(mailing: Flask, peer: Peer) -> None:
    plan(*(f"reader{number}@example.org" for number in range(rules.SMALLEST_WINDOW + 5)))

    class StopsAfterTheFirst:
        """The worker's stop flag, raised while the first email is on its way."""

        def is_set(self) -> bool:
            return bool(peer.taken)

    queue().stop_flag = StopsAfterTheFirst()  # type: ignore[assignment]
    with clock.standing_at(NOW):
        jobs.send_due()
    assert set(states().values()) == {State.ACCEPTED, State.PLANNED}
    queue().stop_flag = Event()
    send()
    assert set(states().values()) == {State.ACCEPTED}
    assert len(peer.taken) == rules.SMALLEST_WINDOW + 5


def test_2_5_what_a_slow_worker_claims_again_is_sent_once(mailing: Flask, peer: Peer) -> None:
    """Its lease ended while it had the email at hand, nobody else was faster: the copy made before is thrown away."""
    plan(ALICE, BOB, lane=Lane.BULK)
    with clock.standing_at(NOW):
        (line,) = jobs._lines().values()
        assert line.fill() == 2
        line.prepare()
    later = NOW + rules.LEASE + timedelta(seconds=1)
    with clock.standing_at(later):
        assert jobs.recover() == 2
        line.again_at = 0.0
        assert line.fill() == 2
        line.prepare()
        line.turn_over()
        while line.flying:
            line.look_after(1)
            line.turn_over()
        line.close()
    assert sorted(peer.to) == [ALICE, BOB]
    assert set(states().values()) == {State.ACCEPTED}
