"""The worker's side of the planner: readers who are due take their step, those whose email has ended go on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from newsletter.accounts import queries as accounts
from newsletter.audience import actions as audience
from newsletter.audience import queries as people
from newsletter.audience.queries import Reader
from newsletter.delivery import actions as delivery
from newsletter.delivery.actions import Due
from newsletter.delivery.rules import Lane, State
from newsletter.sequences import actions, facts, pauses, queries, ready, rules
from newsletter.sequences.models import Enrollment
from newsletter.sequences.queries import Ended
from newsletter.sequences.rules import (
    CaughtUp,
    Course,
    Effect,
    EnrollmentState,
    Facts,
    Finished,
    Left,
    Mail,
    Moved,
    Place,
    Tagged,
)


@dataclass
class Turn:
    """What one turn has read for all its readers, and the emails that it plans in one go."""

    session: Session
    now: datetime
    courses: Mapping[int, Course]
    readers: Mapping[int, Reader]
    known: dict[int, Facts]
    studio_zone: str
    rows: Sequence[Enrollment]
    mails: list[Due] = field(default_factory=list)

    def zone(self, row: Enrollment) -> ZoneInfo:
        """A reader's own zone, else the studio's."""
        return rules.zone_of(self.readers[row.subscriber_id].timezone, self.studio_zone)


def plan_due(session: Session, now: datetime, limit: int) -> int:
    """Let up to `limit` readers whose step is due take it; emails go to the ledger. Returns how many were looked at."""
    rows = ready.due(session, now, limit)
    turn = read(session, rows, now)
    barred = queries.barred(session, turn.readers.values())
    stopped = _stopped(session, rows)
    for row in rows:
        if row.state != EnrollmentState.ACTIVE or row.id in stopped:
            continue  # ended by what another step of this turn did, or paused
        if row.subscriber_id in barred:
            actions.end(session, row, EnrollmentState.EXITED, barred[row.subscriber_id], now)
            continue
        course, place = turn.courses[row.sequence_id], queries.place(row)
        place, effects = rules.arrive(course, place, turn.known[row.id], zone=turn.zone(row), now=now)
        carry_out(turn, row, place, effects)
    finish(turn)
    return len(rows)


def _stopped(session: Session, rows: Sequence[Enrollment]) -> set[int]:
    """Hold those whom a pause has missed: who joined while it was pressed was there for neither (semantics 3.15)."""
    whys = pauses.whys_held(session, [(row.sequence_id, row.subscriber_id) for row in rows])
    paused = [(row, why) for row, why in zip(rows, whys, strict=True) if why]
    scopes = {row.id: pauses.scope_of(why, row.sequence_id, row.subscriber_id) for row, why in paused}
    since = {scope: pauses.standing(session, scope) for scope in set(scopes.values())}
    for row, why in paused:
        begun = since[scopes[row.id]]
        if begun is not None:  # else it is ending now, and the next turn sees to them
            row.held_at, row.held_why = max(begun, row.enrolled_at), why
    return set(scopes)


def settle(session: Session, now: datetime, limit: int) -> int:
    """Let readers whose planned email has ended go on to their next step; returns how many emails were looked at.

    Found by the emails and not by the readers: however many are on their way or held, it costs those that ended since.
    """
    named = {queries.read_reason(email.reason)[1]: email for email in queries.ended(session, limit)}
    if not named:
        return 0
    rows = ready.taken(session, named)
    waiting = {key: row for key, row in rows.items() if _waits_for(row, named[key])}
    turn = read(session, list(waiting.values()), now)
    withdrawn = {row.subscriber_id for key, row in waiting.items() if named[key].state == State.CANCELED}
    barred = queries.barred(session, [turn.readers[one] for one in sorted(withdrawn)])
    for key, row in waiting.items():
        _settle_one(turn, row, named[key], barred.get(row.subscriber_id, ""))
    finish(turn)
    busy = ready.there(session, named.keys() - rows.keys())  # with another worker
    settled = [email.id for key, email in named.items() if key not in busy]
    delivery.settled(session, settled)
    return len(settled)


def _waits_for(row: Enrollment, email: Ended) -> bool:
    step_id, _ = queries.read_reason(email.reason)
    mine = row.next_step_id == step_id and row.subscriber_id == email.subscriber_id
    return mine and row.state == EnrollmentState.ACTIVE and row.next_due_at is None


def _settle_one(turn: Turn, row: Enrollment, email: Ended, barred: str) -> None:
    why = "address not working" if email.state == State.REJECTED else barred
    if why:
        actions.end(turn.session, row, EnrollmentState.EXITED, why, turn.now)
        return
    # Sent: the next delay counts from there. Canceled by hand or given up: from the end of that.
    at, sent = email.accepted_at or email.ended_at or turn.now, email.state == State.ACCEPTED
    course, place = turn.courses[row.sequence_id], queries.place(row)
    place, effects = rules.passed(course, place, at, turn.known[row.id], sent=sent, zone=turn.zone(row))
    carry_out(turn, row, place, effects)


def read(session: Session, rows: Sequence[Enrollment], now: datetime) -> Turn:
    """Read what is asked about these readers, for all of them at once."""
    courses = queries.courses(session, {row.sequence_id for row in rows})
    readers = people.readers(session, sorted({row.subscriber_id for row in rows})) if rows else {}
    known = facts.load(session, [(row.id, row.subscriber_id) for row in rows], courses)
    return Turn(session, now, courses, readers, known, accounts.studio(session).timezone, rows)


def carry_out(turn: Turn, row: Enrollment, place: Place, effects: Iterable[Effect]) -> None:
    """Write down where a reader stands now, and do what the planner says."""
    row.waits_since, row.last_sent_at, row.last_step_id = place.since, place.sent_at, place.last_id
    row.next_step_id, row.next_due_at = place.step_id, place.due_at
    for effect in effects:
        match effect:
            case Mail(step, at):
                turn.mails.append(Due(queries.reason(step.id, row.id), row.subscriber_id, at))
            case Tagged():
                _tag(turn, row, effect)
            case Moved(to_slug=slug):
                _move(turn, row, slug, effect.at)
            case CaughtUp():
                row.state = EnrollmentState.CAUGHT_UP
            case Finished(at):
                actions.end(turn.session, row, EnrollmentState.FINISHED, "", at)
            case Left(why, _):
                actions.end(turn.session, row, EnrollmentState.EXITED, why, turn.now)


def _tag(turn: Turn, row: Enrollment, effect: Tagged) -> None:
    """Change the reader's tags; what comes later in this turn sees them."""
    for name in effect.add:
        audience.add_tag(turn.session, row.subscriber_id, name, turn.now)
    for name in effect.remove:
        audience.remove_tag(turn.session, row.subscriber_id, name, turn.now)
    for other in turn.rows:
        if other.subscriber_id == row.subscriber_id:
            turn.known[other.id] = rules.with_tags(turn.known[other.id], effect)


def _move(turn: Turn, row: Enrollment, slug: str, at: datetime) -> None:
    """End this series and begin the other, as of the moment that this step was due."""
    other = queries.by_slug(turn.session, slug)
    actions.end(turn.session, row, EnrollmentState.FINISHED, f"moved on to “{other.name if other else slug}”", at)
    if other is not None:
        actions.enroll(turn.session, other.id, row.subscriber_id, f"series:{turn.courses[row.sequence_id].slug}", at)


def finish(turn: Turn) -> None:
    """Hand the emails of this turn to the ledger."""
    turn.session.flush()
    delivery.plan_each(turn.session, turn.mails, lane=Lane.SEQUENCE, now=turn.now)
