"""Background work of broadcasts: starting those whose moment has come, and watching over those under way.

Starting goes in slices, each its own short transaction, and the ledger sends in between: a confirmation must not wait
for a million-person broadcast (semantics 2.7). Emails leave from the first planned slice on. Planning a million rows
takes seconds, and holding them back until the last would mean to touch every row once more; the 5% rule and cancel
work on the part that is there, and stop the planning too. What may not begin early is the first slice: every reader's
email has been made once before it (semantics 2.11).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from time import monotonic

import structlog

from newsletter import clock
from newsletter.broadcasts import queries, rules, running
from newsletter.broadcasts.models import Broadcast
from newsletter.broadcasts.proof import Proof
from newsletter.broadcasts.queries import Tally
from newsletter.broadcasts.rules import Answers, BroadcastState
from newsletter.database.engine import db, transaction
from newsletter.errors import NotFound, SuppleError

log = structlog.get_logger()

PIECE = 200  # readers loaded at once; memory stays the same for ten and for a million
TURN = 0.2  # seconds of proving before the ledger may send again (semantics 2.7)
RATE_EVERY = timedelta(seconds=3)


def start_due() -> int:
    """Take one step with every broadcast that is due; returns the number of steps, 0 when there is none to take."""
    session, now = db.session(), clock.now()
    due = queries.due(session, now)
    for broadcast_id in due:
        with transaction() as writing:
            if not running.refuse_overdue(writing, broadcast_id, now):
                running.begin(writing, broadcast_id, now)
    starting = queries.starting(session)
    session.rollback()
    return sum(_step(broadcast_id) for broadcast_id in starting)


def _step(broadcast_id: int) -> int:
    try:
        broadcast = _read(broadcast_id)
        if broadcast.proved_to < broadcast.through_id:
            return _prove(broadcast_id)
    except NotFound:
        return 0
    with transaction() as session:
        planned = running.plan_slice(session, broadcast, clock.now())
    log.debug("broadcast planned", broadcast=broadcast_id, planned=planned)
    return 1


def _read(broadcast_id: int) -> Broadcast:
    """The row as it is now, detached: nothing is held open while emails are made."""
    session = db.session()
    broadcast = queries.find(session, broadcast_id)
    session.expunge(broadcast)
    session.rollback()
    return broadcast


def _prove(broadcast_id: int) -> int:
    with transaction() as session:
        if not running.take_proof(session, broadcast_id, clock.now()):
            return 0
    broadcast = _read(broadcast_id)
    try:
        proof = _proved(broadcast)
    except SuppleError as problem:
        with transaction() as session:
            running.refuse(session, broadcast, str(problem))
        log.warning("broadcast not started", broadcast=broadcast_id)
        return 1
    with transaction() as session:
        running.note_proved(session, broadcast, proof.proved_to, proof.seen, proof.failed)
    log.info("broadcast proved", broadcast=broadcast_id, readers=proof.seen, failed=len(proof.failed))
    return 1


def _proved(broadcast: Broadcast) -> Proof:
    """Prove for one turn's time, at least one reader."""
    session, until, now = db.session(), monotonic() + TURN, clock.now()
    proof = Proof(session, broadcast)
    while not proof.is_finished:
        proof.step(session, PIECE, now, until)
        if monotonic() > until:
            break
    return proof


def watch_over() -> int:
    """Stop what is refused too often, close what is finished, clear up what was canceled; returns how much it did."""
    session, now = db.session(), clock.now()
    found, unswept = queries.running(session), queries.unswept(session)
    tallies = queries.tallies(session, (broadcast.id for broadcast in found)) if found else {}
    for broadcast in found:
        session.expunge(broadcast)
    session.rollback()
    done = sum(_watch(broadcast, tallies[broadcast.id], now) for broadcast in found)
    for broadcast_id in unswept:
        with transaction() as writing:
            done += running.sweep(writing, broadcast_id, now)
    return done


def _watch(broadcast: Broadcast, tally: Tally, now: datetime) -> int:
    runs = broadcast.state != BroadcastState.PAUSED
    answers = tally.answers.since(Answers(broadcast.accepted_before, broadcast.refused_before))
    if runs and rules.refused_too_often(answers):
        with transaction() as session:
            stopped = running.pause(session, broadcast.id, rules.refused_words(answers), now)
        log.warning("broadcast paused", broadcast=broadcast.id, refused=answers.refused, answers=answers.total)
        return int(stopped)
    if broadcast.state != BroadcastState.STARTING and not tally.open:
        with transaction() as session:
            finished = running.finish(session, broadcast, now)
        log.info("broadcast finished", broadcast=broadcast.id, accepted=tally.accepted, rejected=tally.rejected)
        return int(finished)
    if runs and (broadcast.rate_at is None or now - broadcast.rate_at >= RATE_EVERY):
        with transaction() as session:
            running.note_rate(session, broadcast, tally.done, now)
    return 0
