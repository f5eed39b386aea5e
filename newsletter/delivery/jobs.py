"""One turn of sending: claim, make, mark as sending, hand over, write down the answer."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from itertools import islice

import structlog
from flask import current_app
from sqlalchemy import select

from newsletter import addresses, clock
from newsletter.database import blobs
from newsletter.database.engine import db, transaction
from newsletter.delivery import actions, dkim, queries, transports
from newsletter.delivery.composing import Sealed, compose, sender_domain
from newsletter.delivery.letters import Withdrawn
from newsletter.delivery.models import Delivery, Relay, Trial
from newsletter.delivery.rules import Reply, stops_relay
from newsletter.delivery.transports import Transport
from newsletter.errors import RelayError, SuppleError
from newsletter.settings import current
from newsletter.work.queue import stopping

log = structlog.get_logger()

BATCH = 100
# Marked as sending in one commit: after a crash at most this many per connection are uncertain (semantics 2.3).
WINDOW = 10


def worker_name() -> str:
    """This process, as its claims and heartbeats name it."""
    return f"{socket.gethostname()}:{os.getpid()}"


def make_keys() -> int:
    """Make the keys that emails are signed with, once for each sender domain."""
    domain = sender_domain(current())
    if queries.signers(db.session(), domain):
        return 0
    db.session.rollback()
    # Made before the transaction: finding the primes of an RSA key takes up to a second.
    made = {f"supple-{kind}": dkim.to_pem(key) for kind, key in dkim.new_keys().items()}
    with transaction() as session:
        return actions.keep_keys(session, domain, made, clock.now())


def recover() -> int:
    """Pick up what dead workers left behind."""
    with transaction() as session:
        return actions.recover(session, clock.now())


def send_due() -> int:
    """Send one batch of what is due; returns how many emails were handled, 0 when nothing is due or the relay rests."""
    transport = transports.choose(current())
    if _is_resting(transport.name):
        return 0
    worker = worker_name()
    with transaction() as session:
        claimed = actions.claim_due(session, worker, clock.now(), BATCH)
    if not claimed:
        return 0
    ready = [sealed for delivery_id in claimed if (sealed := _make(delivery_id))]
    _send(transport, worker, ready)
    return len(claimed)


def _is_resting(relay: str) -> bool:
    row = db.session.scalars(select(Relay).where(Relay.name == relay)).first()
    retry_at = row.retry_at if row else None
    db.session.rollback()
    return retry_at is not None and retry_at > clock.now()


def _make(delivery_id: int) -> Sealed | None:
    """The email's bytes, or None when it is not to be sent (now); what that means is written down."""
    session, now = db.session(), clock.now()
    made: Sealed | Withdrawn | SuppleError
    try:
        made = compose(session, session.get_one(Delivery, delivery_id, populate_existing=True), now)
    except SuppleError as problem:
        made = problem
    except Exception as problem:  # one reader's broken email must not stop everybody else's
        log.exception("an email could not be made", delivery=delivery_id)
        made = SuppleError(f"The email could not be made: {type(problem).__name__}.")
    finally:
        session.rollback()
    if isinstance(made, Sealed):
        _keep_pictures(made)
        return made
    with transaction() as writing:
        if isinstance(made, Withdrawn):
            actions.cancel(writing, delivery_id, made.why, now)
        else:
            actions.fail_template(writing, delivery_id, str(made), now)
    return None


def _keep_pictures(sealed: Sealed) -> None:
    # Known per application: asking the database for every picture of every email would be most of its work.
    kept: set[str] = current_app.extensions.setdefault("kept_pictures", set())
    new = [picture for picture in sealed.pictures if picture.content_hash not in kept]
    if new:
        with transaction() as session:
            for picture in new:
                blobs.put(session, picture.content, picture.content_type, clock.now())
        kept.update(picture.content_hash for picture in new)


def _send(transport: Transport, worker: str, ready: Sequence[Sealed]) -> None:
    if not ready:
        return
    waiting = iter(ready)
    try:
        with transport:
            while not stopping() and (window := list(islice(waiting, WINDOW))):
                _send_window(transport, worker, window)
    except RelayError as problem:
        log.warning("relay stopped", relay=transport.name, problem=problem.happened)
        with transaction() as session:
            actions.relay_stopped(session, transport.name, str(problem), clock.now())
            why, again = "The mail server could not be used.", clock.now() + actions.RELAY_PAUSE
            actions.give_back(session, [sealed.delivery_id for sealed in ready], worker, why, again)
    else:
        if left := [sealed.delivery_id for sealed in waiting]:
            with transaction() as session:
                actions.give_back(session, left, worker, "The worker was stopped.", clock.now())


def _send_window(transport: Transport, worker: str, window: list[Sealed]) -> None:
    with transaction() as session:
        mine = actions.begin_sending(session, [sealed.delivery_id for sealed in window], worker, clock.now())
    # No transaction from here: the network may take a minute, and a writer held that long would stop everybody.
    for sealed in window:
        if sealed.delivery_id not in mine:
            continue
        reply = transport.send(sealed.sender, sealed.recipient, sealed.message_id, sealed.content)
        mine.discard(sealed.delivery_id)
        with transaction() as session:
            state = actions.record(
                session, sealed.delivery_id, reply, relay=transport.name, subject=sealed.subject, now=clock.now()
            )
            mine = actions.keep_sending(session, list(mine), worker, clock.now())
            if reply.code and not stops_relay(reply):
                actions.relay_works(session, transport.name)
        log.info("email handed over", delivery=sealed.delivery_id, outcome=state, code=reply.code)
        if stops_relay(reply):
            raise RelayError(f"The mail server {transport.name} refuses us: {reply.code} {reply.text}")


def send_trials() -> int:
    """Send the test emails that operators asked for; returns how many were handled."""
    with transaction() as session:
        claimed = actions.claim_trials(session, clock.now())
    wanted = select(Trial.id, Trial.recipient, Trial.message_id, Trial.content).where(Trial.id.in_(claimed))
    trials = db.session.execute(wanted).all() if claimed else []
    db.session.rollback()  # no transaction is held while the network answers
    for trial_id, recipient, message_id, content in trials:
        reply = _hand_over_trial(recipient, message_id, content)
        with transaction() as session:
            actions.record_trial(session, trial_id, reply, clock.now())
    return len(claimed)


def _hand_over_trial(recipient: str, message_id: str, content: bytes) -> Reply:
    transport, sender = transports.choose(current()), addresses.on_the_wire(current().mail_from)
    try:
        with transport:
            return transport.send(sender, addresses.on_the_wire(recipient), message_id, content)
    except RelayError as problem:
        return Reply(421, text=str(problem), about="session")
