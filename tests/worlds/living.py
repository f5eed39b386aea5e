"""Days that really pass: the worker's turn at every minute in which there is something to do, on a moved clock."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import wraps
from typing import NamedTuple

from sqlalchemy import bindparam, func, select, union_all

from newsletter import clock, worker
from newsletter.audience.models import Occasion, Subscriber
from newsletter.broadcasts.jobs import start_due
from newsletter.broadcasts.models import Broadcast
from newsletter.broadcasts.rules import BroadcastState
from newsletter.database.engine import db
from newsletter.delivery.jobs import send_due
from newsletter.delivery.models import Delivery
from newsletter.delivery.rules import Lane, State
from newsletter.sequences import jobs as sequences
from newsletter.sequences.models import Enrollment, Sequence, Step, TriggerDate
from newsletter.sequences.queries import UNSETTLED, read_reason
from newsletter.sequences.rules import EnrollmentState

MINUTE = timedelta(minutes=1)
# The worker's jobs that can have something to do in a world without sign-ups, gifts and trouble, in its own order. All
# of them in every world would take twice as long; every tenth world is lived with all.
CONCERNED = frozenset(
    {getattr(sequences, name) for name in ("enter_due", "plan_due") if hasattr(sequences, name)} | {start_due, send_due}
)


class Seen(NamedTuple):
    """One email, as the forecast and the ledger both can tell it; `step` names a step's key, or a broadcast."""

    minute: str
    address: str
    subject: str
    sequence: str | None
    step: str | None


@dataclass
class Lived:
    """What was sent, in how many turns; `idle` of them at minutes in which nothing should have been due."""

    emails: list[Seen]
    turns: int
    idle: int


NOW = bindparam("now", type_=Delivery.due_at.type)
# A turn goes on until a round finds nothing, so that most calls of a job are in vain. These two cost the most by far:
# 13 ms and 6 ms of a round's 24 ms, where this question costs less than one.
WORK = {
    send_due: select(Delivery.id).where(
        Delivery.state.in_([State.PLANNED, State.DEFERRED, State.CLAIMED, State.SENDING]), Delivery.due_at <= NOW
    ),
    sequences.plan_due: union_all(
        select(Delivery.id).where(UNSETTLED),
        select(Enrollment.id).where(
            Enrollment.state == EnrollmentState.ACTIVE, Enrollment.held_at.is_(None), Enrollment.next_due_at <= NOW
        ),
    ),
}


@contextmanager
def only_concerned() -> Iterator[None]:
    """The worker's turn without the jobs that have nothing to do here."""
    before = worker.JOBS
    worker.JOBS = tuple(_asked(job) for job in before if job in CONCERNED)
    try:
        yield
    finally:
        worker.JOBS = before


def _asked(job: Callable[[], int]) -> Callable[[], int]:
    """A job that is left alone while the database holds nothing for it."""
    question = WORK.get(job)
    if question is None:
        return job

    @wraps(job)
    def if_any() -> int:
        found = db.session().connection().execute(question, {"now": clock.now()}).first()
        db.session.rollback()
        return job() if found else 0

    return if_any


def live(now: datetime, days: float, *, glances: int = 0, seed: int = 0, every_minute: bool = False) -> Lived:
    """Let the worker take its turn now and at every whole minute from which something is due.

    That the minutes between may be left out is shown, not believed: at `glances` of them, taken at random, the worker
    takes a turn as well and must find nothing to do.
    """
    until, chance = now + timedelta(days=days), random.Random(seed)
    moment: datetime | None = now
    gone = set(db.session.scalars(select(Delivery.id).where(Delivery.accepted_at >= now)))  # in this second, but before
    turns = idle = 0
    while moment is not None and moment <= until:
        _turn(moment)
        turns += 1
        following = _whole(moment + timedelta(seconds=1)) if every_minute else next_minute(moment)
        end = min(following or until, until)
        between = int((end - moment) / MINUTE) - 1
        if glances > idle and between > 1 and chance.random() < 0.3:
            glance = _whole(moment) + chance.randint(1, between) * MINUTE
            if moment < glance < end:
                assert _turn(glance) == 0, f"there was something to do at {glance}, which was to be skipped"
                idle += 1
        moment = following
    return Lived(sorted(_sent(now, until, gone), key=str), turns, idle)


def _turn(moment: datetime) -> int:
    with clock.standing_at(moment):
        done = worker.take_turn()
    assert not worker.failed, f"jobs failed: {worker.failed}"
    return done


def _whole(moment: datetime) -> datetime:
    """The whole minute at or after a moment."""
    floor = moment.replace(second=0, microsecond=0)
    return floor if floor == moment else floor + MINUTE


def next_minute(after: datetime) -> datetime | None:
    """The first whole minute after `after` at which the database holds something due; None when it never will.

    Every job looks for rows whose moment has come, so a minute in which no such moment has come since the last turn
    (which went on until there was nothing left to do) is one in which they find nothing.
    """
    db.session.rollback()
    session = db.session()
    waiting = Delivery.state.in_([State.PLANNED, State.DEFERRED])
    moments = [
        (Enrollment.next_due_at, Enrollment.state == EnrollmentState.ACTIVE),
        (Delivery.due_at, waiting & (Delivery.due_at < after + timedelta(days=1000))),
        (Broadcast.send_at, Broadcast.state == BroadcastState.QUEUED),
        (TriggerDate.next_at, TriggerDate.next_at > after),
        (Occasion.at, Occasion.at > after),
    ]
    found = [session.scalar(select(func.min(column)).where(where, column > after)) for column, where in moments]
    session.rollback()
    known = [_whole(moment) for moment in found if moment is not None]
    return min(known, default=None)


def _sent(now: datetime, until: datetime, gone: set[int]) -> Iterator[Seen]:
    """What the ledger says was taken by the mailbox, of what a forecast speaks of."""
    session = db.session()
    steps = {
        step_id: (slug, key)
        for step_id, slug, key in session.execute(
            select(Step.id, Sequence.slug, Step.key).join(Sequence, Sequence.id == Step.sequence_id)
        )
    }
    found = (
        select(Delivery.id, Delivery.accepted_at, Delivery.reason, Delivery.subject, Subscriber.email)
        .join(Subscriber, Subscriber.id == Delivery.subscriber_id)
        .where(Delivery.accepted_at >= now, Delivery.accepted_at <= until, Delivery.lane != int(Lane.TRANSACTIONAL))
    )
    for number, at, reason, subject, email in session.execute(found):
        if number in gone:
            continue
        is_step = reason.startswith("step:")
        slug, key = steps[read_reason(reason)[0]] if is_step else (None, reason)
        yield Seen(f"{at:%Y-%m-%d %H:%M}", email, subject, slug, key)
    session.rollback()
