"""Starting broadcasts whose moment has come, after a proof run: every reader's email rendered once (semantics 2.11)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import cast

import structlog
from flask import current_app
from sqlalchemy.orm import Session

from newsletter import clock
from newsletter.audience.models import Subscriber
from newsletter.broadcasts import actions, queries, rules
from newsletter.broadcasts.letters import in_place, letter_of
from newsletter.broadcasts.models import Broadcast
from newsletter.database.engine import db, transaction
from newsletter.delivery.composing import render
from newsletter.delivery.letters import Letter, studio_in_mail
from newsletter.errors import NotFound, SuppleError

log = structlog.get_logger()

# One turn proves this many emails (about half a second) and lets the ledger send in between: a confirmation must not
# wait for the proof of a million-person broadcast (semantics 2.7).
SLICE = 200


@dataclass
class Proof:
    """How far the proof run of one broadcast has come, in this process; a worker that dies begins it again."""

    source: str
    audience: str
    after_id: int = 0
    seen: int = 0
    failed: dict[int, str] = field(default_factory=dict)


@dataclass
class Desk:
    """The proofs in progress of one process, one thread at a time."""

    proofs: dict[int, Proof] = field(default_factory=dict)
    busy: Lock = field(default_factory=Lock)


def start_due() -> int:
    """Take one step with every broadcast that is due; returns the number of steps, 0 when none is due."""
    desk = cast(Desk, current_app.extensions.setdefault("broadcast_desk", Desk()))
    if not desk.busy.acquire(blocking=False):
        return 0  # another thread of this process is at it
    try:
        session = db.session()
        due = queries.due(session, clock.now())
        session.rollback()
        for gone in desk.proofs.keys() - set(due):
            del desk.proofs[gone]
        for broadcast_id in due:
            _step(desk.proofs, broadcast_id)
        return len(due)
    finally:
        desk.busy.release()


def _step(proofs: dict[int, Proof], broadcast_id: int) -> None:
    now, session = clock.now(), db.session()
    try:
        broadcast, people, tags, letter = _read(session, proofs, broadcast_id)
    except NotFound:
        return
    except SuppleError as problem:
        session.rollback()
        _refuse(broadcast_id, str(problem))
        return
    proof = proofs[broadcast_id]
    for person in people:
        _prove(proof, letter, person, tags.get(person.id, []), now)
    if len(people) == SLICE:
        return
    del proofs[broadcast_id]
    _finish(broadcast, proof, now)


def _read(
    session: Session, proofs: dict[int, Proof], broadcast_id: int
) -> tuple[Broadcast, list[Subscriber], dict[int, list[str]], Letter]:
    """The next slice of readers and what they are to get, detached: nothing is held open while emails are made."""
    broadcast = queries.find(session, broadcast_id)
    proof = proofs.get(broadcast_id)
    if proof is None or (proof.source, proof.audience) != (broadcast.source, broadcast.audience):
        proof = proofs[broadcast_id] = Proof(broadcast.source, broadcast.audience)
    letter = letter_of(broadcast.source, studio_in_mail(session))
    people = list(queries.people_after(session, rules.audience(broadcast.audience), proof.after_id, SLICE))
    tags = queries.tags_of(session, [person.id for person in people])
    for row in (broadcast, *people):
        session.expunge(row)
    session.rollback()
    return broadcast, people, tags, letter


def _prove(proof: Proof, letter: Letter, person: Subscriber, tags: list[str], now: datetime) -> None:
    try:
        render(letter, person, tags, now)
    except SuppleError as problem:
        proof.failed[person.id] = str(in_place(problem))
    except Exception as problem:  # whatever one reader's fields do to a template, the others are still proved
        log.exception("an email could not be made", subscriber=person.id)
        proof.failed[person.id] = f"The email could not be made: {type(problem).__name__}."
    proof.seen += 1
    proof.after_id = person.id


def _refuse(broadcast_id: int, problem: str) -> None:
    with transaction() as session:
        actions.refuse(session, queries.find(session, broadcast_id), problem)
    log.warning("broadcast not started", broadcast=broadcast_id)


def _finish(broadcast: Broadcast, proof: Proof, now: datetime) -> None:
    problem = in_words(proof)
    with transaction() as session:
        if proof.seen and len(proof.failed) == proof.seen:
            actions.refuse(session, broadcast, problem)
            started = 0
        else:
            started = actions.start(session, broadcast, proof.failed, problem, now)
    log.info("broadcast proved", broadcast=broadcast.id, started=started, failed=len(proof.failed))


def in_words(proof: Proof) -> str:
    """What the proof run found, for the operator; empty when all is well. Names no reader: this text outlives them."""
    if not proof.seen:
        return "Nobody was in this audience when it started."
    if not proof.failed:
        return ""
    why, _ = Counter(proof.failed.values()).most_common(1)[0]
    if len(proof.failed) == proof.seen:
        return f"It was not sent, because it cannot be made for any of its {proof.seen:,} readers. {why}"
    return (
        f"For {len(proof.failed):,} of {proof.seen:,} readers the email could not be made; the others get it. "
        f"They are listed in the outbox as canceled. Most often: {why}"
    )
