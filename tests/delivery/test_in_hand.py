"""What a worker has claimed and not begun to send: a pause, a reader who leaves and a jump of the clock still count."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from newsletter import clock, worker
from newsletter.audience.models import Subscriber
from newsletter.database.engine import db, transaction
from newsletter.delivery import actions, jobs, rules
from newsletter.delivery.models import Delivery
from newsletter.delivery.rules import Lane
from newsletter.delivery.sending import Line
from newsletter.work.watch import Watch
from tests.delivery.peer import Peer, serving
from tests.people import ALICE, BOB, CHARLIE, NOW, note_writer, person, planned, register


@pytest.fixture
def peer() -> Iterator[Peer]:
    with serving(Peer()) as made:
        yield made


@pytest.fixture
def mailing(app: Flask, peer: Peer) -> Iterator[Flask]:
    """The application with the peer as its mail server, on a clock that stands, and notes due for three."""
    register(app, {"note": note_writer()})
    app.extensions["settings"] = replace(app.extensions["settings"], smtp=peer.smtp())
    with clock.standing_at(NOW):
        plan(ALICE, BOB, CHARLIE)
        yield app


def plan(*addresses: str) -> None:
    with transaction() as session:
        for address in addresses:
            planned(session, person(session, address), lane=Lane.BULK)


def in_hand(*, most: int = rules.BATCH) -> Line:
    """The worker's line with all that is due claimed and nothing begun."""
    (line,) = jobs._lines().values()
    line.window = most
    line.fill()
    return line


def to_its_end(line: Line) -> None:
    while line.ready or line.made or line.flying:
        if line.wants_turn:
            line.turn_over()
        line.look_after(0 if line.prepare() else jobs.GLANCE)
    line.close()


def states() -> dict[str, str]:
    """Where each email stands, by address."""
    db.session.rollback()
    both = select(Subscriber.email, Delivery.state).join_from(
        Subscriber, Delivery, Subscriber.id == Delivery.subscriber_id
    )
    return {email: state for email, state in db.session.execute(both)}  # noqa: C416 - rows are no pairs


@pytest.mark.parametrize("what", ["note:1", f"lane:{int(Lane.BULK)}"])
def test_2_10_what_is_held_after_the_claim_does_not_leave(mailing: Flask, peer: Peer, what: str) -> None:
    line = in_hand()
    assert len(line.ready) == 3
    with transaction() as session:
        actions.hold(session, what, "An operator said so.", NOW)
    to_its_end(line)
    assert peer.to == []
    assert jobs.send_due() == 0
    assert set(states().values()) == {"planned"}
    with transaction() as session:
        actions.let_go(session, what)
    jobs.recover()
    jobs.send_due()
    assert set(states().values()) == {"accepted"}
    assert sorted(peer.to) == sorted([ALICE, BOB, CHARLIE])


def test_2_6_who_leaves_after_the_claim_gets_nothing(mailing: Flask, peer: Peer) -> None:
    line = in_hand()
    with transaction() as session:
        gone = session.scalars(select(Subscriber.id).where(Subscriber.email == CHARLIE)).one()
        actions.cancel_all(session, gone, "Unsubscribed.", NOW)
    to_its_end(line)
    assert sorted(peer.to) == sorted([ALICE, BOB])
    assert states() == {ALICE: "accepted", BOB: "accepted", CHARLIE: "canceled"}


def test_2_7_behind_a_slow_relay_little_is_taken_in_hand(mailing: Flask) -> None:
    """As much as goes out in two seconds; the confirmation that comes in next is behind no more than that."""
    plan(*(f"reader{number}@example.org" for number in range(40)))
    line = in_hand(most=rules.SMALLEST_WINDOW)
    assert len(line.ready) == 4 * rules.SMALLEST_WINDOW < 43
    to_its_end(line)


def test_3_20_a_jump_of_the_clock_between_two_claims_is_seen_before_the_second(mailing: Flask, peer: Peer) -> None:
    mailing.extensions["watch"] = Watch(worker.stop_for_jump)
    with clock.standing_at(NOW + timedelta(days=2)):
        assert jobs.send_due() == 0
    assert peer.to == []
    assert set(states().values()) == {"planned"}
