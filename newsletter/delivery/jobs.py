"""One turn of sending: every relay's line for about a second, keys, test emails, and what dead workers left."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from flask import current_app
from sqlalchemy import select

from newsletter import addresses, clock
from newsletter.database.engine import db, transaction
from newsletter.delivery import actions, dkim, handover, queries, routing, transports
from newsletter.delivery.composing import sender_domain
from newsletter.delivery.models import Trial
from newsletter.delivery.rules import Lane, Reply
from newsletter.delivery.sending import Line
from newsletter.errors import RelayError
from newsletter.settings import current
from newsletter.work import watch
from newsletter.work.heartbeats import worker_name
from newsletter.work.queue import call_for_help, stopping

# One stretch of sending, before other jobs have their turn: series to plan, broadcasts to watch (seconds).
STRETCH = 1.0
# With nothing else to do, the connections are waited for so long (seconds).
GLANCE = 0.1
# Emails of a broadcast that goes on are brought back this many at a time, so that no transaction takes long.
UNPARK = 10_000


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
    """Pick up what dead workers left behind, and what was put aside while a broadcast was paused."""
    with transaction() as session:
        return handover.recover(session, clock.now()) + actions.unpark(session, clock.now(), limit=UNPARK)


def send_due() -> int:
    """Send for about a second, or until nothing is due; returns how many emails were taken up.

    When it returns nothing is under way: all is written down, or given back. It is 1 also when a rate or a domain's
    share holds back, for less than a minute, what is due: then there is more to do soon.
    """
    lines, began = _lines(), clock.now()
    until = time.monotonic() + STRETCH
    trouble: Exception | None = None
    handled = claimed = 0
    held = False
    try:
        while True:
            on = trouble is None and not stopping() and time.monotonic() < until
            try:
                watch.look()  # what came due while the machine slept is not to be claimed as if nothing had happened
                claimed = sum(line.fill() for line in lines.values()) if on else 0
            except Exception as problem:  # whatever it is: what is under way must still be written down
                trouble, claimed = problem, 0
            handled += claimed
            busy = _go_on(list(lines.values()), claimed)
            # A clock that was made to stand does not bring the moment nearer.
            idle = not busy and trouble is None and not stopping() and clock.now() > began
            held = idle and _wait(lines.values())
            if not busy and (not held or time.monotonic() > until):
                break
    finally:
        _rest(lines, spare=time.monotonic() >= until and trouble is None and not stopping())
    if trouble is not None:
        raise trouble
    if handled and time.monotonic() >= until:
        call_for_help()
    return handled or int(held)


def _go_on(lines: Sequence[Line], claimed: int) -> bool:
    """One round over all lines; whether there is more to do."""
    for line in lines:
        if line.problem:
            line.give_back("The mail server could not be used.")
        elif stopping():
            line.give_back("The worker was stopped.")
        if line.wants_turn:
            line.turn_over()
    patience = GLANCE if len(lines) == 1 else GLANCE / 10
    for line in lines:
        line.look_after(0 if line.prepare() else patience)
    return bool(claimed) or any(line.ready or line.made or line.flying for line in lines)


def _wait(lines: Iterable[Line]) -> bool:
    """Wait a moment for what a limit holds back; whether there is anything like that."""
    left = [seconds for line in lines if (seconds := line.idle_for()) is not None]
    if left:
        time.sleep(min(GLANCE, max(0.01, min(left))))
    return bool(left)


def _lines() -> dict[int, Line]:
    """This process's lines: one for each relay that takes mail now, kept open while there is much to send."""
    lines: dict[int, Line] = current_app.extensions.setdefault("lines", {})
    with transaction() as session:
        # Nothing is under way now, so what this worker still holds is left from a turn whose database went away.
        handover.pick_up(session, worker_name(), clock.now())
        ways = {way.relay_id: way for way in routing.ways(session, clock.now())}
    for relay_id in lines.keys() - ways.keys():
        lines.pop(relay_id).close()
    for relay_id, way in ways.items():
        if relay_id not in lines:
            lines[relay_id] = Line(way, worker_name())
        lines[relay_id].way = way
    return lines


def _rest(lines: dict[int, Line], *, spare: bool) -> None:
    """Close the lines; with `spare` those that work stay open for the next stretch, which begins in a moment."""
    for relay_id, line in list(lines.items()):
        if not spare or line.problem or line.flying:
            del lines[relay_id]
            line.close()


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
    sender = addresses.on_the_wire(current().mail_from)
    with transaction() as session:
        ways = routing.ways(session, clock.now())
        problems = [relay.problem for relay in queries.relay_problems(session)]
    if not ways:
        return Reply(421, text=" ".join(problems) or "Every mail server is switched off or used up.", about="session")
    # The operator wants to see what their readers see: the way that emails to many take, where there is one.
    way = next((way for way in ways if Lane.BULK in way.lanes), ways[0])
    try:
        with transports.Transport(transports.exchange(way.smtp, name=way.name)) as transport:
            return transport.send(sender, addresses.on_the_wire(recipient), message_id, content)
    except RelayError as problem:
        return Reply(421, text=str(problem), about="session")
