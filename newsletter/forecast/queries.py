"""The forecast of everybody under way, and of the broadcasts already queued."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from newsletter.accounts import queries as accounts
from newsletter.audience.models import Subscriber
from newsletter.broadcasts import queries as broadcasts
from newsletter.broadcasts import rules as broadcast_rules
from newsletter.delivery.models import Delivery
from newsletter.delivery.rules import ENDED, State
from newsletter.forecast.rules import Row, Standing, ahead
from newsletter.forecast.subjects import subject
from newsletter.sequences import queries as sequences
from newsletter.sequences.models import Enrollment, Step
from newsletter.sequences.rules import Course, Way, due, zone_of

SLICE = 1000  # people read at a time; memory holds only the rows
Told = Callable[[int], None]


@dataclass(frozen=True)
class _Wording:
    """What a row says about a step, apart from its reader."""

    step: Step
    sequence: str
    reason: str


def forecast(session: Session, now: datetime, days: int, *, told: Told | None = None) -> Iterator[Row]:
    """Every email of the next `days` days, in the order they leave; `told` hears how many people were looked at.

    Given no new events, running those days sends exactly these rows at these minutes (semantics 3.21).
    """
    until = now + timedelta(days=days)
    rows = [*_from_sequences(session, now, until, told), *_from_broadcasts(session, now, until)]
    yield from sorted(rows, key=lambda row: (row.at, row.subscriber, row.subject))


def _from_sequences(session: Session, now: datetime, until: datetime, told: Told | None) -> Iterator[Row]:
    studio_zone = accounts.studio(session).timezone
    courses: dict[int, Course] = {}
    words: dict[int, _Wording] = {}
    after, seen = 0, 0
    while rows := sequences.under_way(session, until, after, SLICE):
        for number in {row.sequence_id for row, _, _ in rows} - courses.keys():
            courses |= sequences.courses(session, [number])
            words |= _wordings(session, number)
        barred = sequences.barred(session, [person for _, person, _ in rows])
        for row, person, email in rows:
            if person.id in barred:
                continue
            course, zone = courses[row.sequence_id], zone_of(person.timezone, studio_zone)
            standing = _standing(row, email, course, person, studio_zone, now)
            for at, step in ahead(course, standing, zone=zone, now=now, until=until) if standing else ():
                known = words[step.id]
                title = subject(session, known.step.source, person)
                yield Row(at, person.email, title, known.sequence, known.step.key, known.reason)
        after, seen = rows[-1][0].id, seen + len(rows)
        if told:
            told(seen)


def _wordings(session: Session, sequence_id: int) -> dict[int, _Wording]:
    series = sequences.sequence(session, sequence_id)
    return {
        row.id: _Wording(row, series.slug, f"email {at} of {series.name}, {sequences.timing_words(row, first=at == 1)}")
        for at, row in enumerate(sequences.steps(session, sequence_id), 1)
    }


def _standing(
    row: Enrollment, email: Delivery | None, course: Course, person: Subscriber, studio_zone: str, now: datetime
) -> Standing | None:
    """Where a reader stands; None when only the operator can decide how it goes on."""
    way = Way(row.enrolled_at, row.waits_since, row.last_sent_at)
    if row.next_due_at is not None:
        return Standing(way, row.next_step_id, row.next_due_at)
    if email is None or email.state in {State.UNKNOWN, State.REJECTED}:
        return None
    if email.state not in ENDED:
        return Standing(way, row.next_step_id, planned_at=email.due_at)
    # It has ended, and the worker's next turn will see it.
    ended = email.accepted_at or email.ended_at or now
    sent = ended if email.state == State.ACCEPTED else way.sent_at
    way = Way(way.enrolled_at, max(way.since, ended), sent)
    step = course.after(row.next_step_id)
    if step is None:
        return None
    return Standing(way, step.id, due(course, step, way, zone=zone_of(person.timezone, studio_zone), now=now))


def _from_broadcasts(session: Session, now: datetime, until: datetime) -> Iterator[Row]:
    for broadcast_id in broadcasts.due(session, until):
        queued = broadcasts.find(session, broadcast_id)
        who = broadcast_rules.audience(queued.audience)
        at = max(queued.send_at or now, now)
        words = broadcast_rules.audience_words(who, broadcasts.count(session, who))
        after = 0
        while people := broadcasts.people_after(session, who, after, SLICE):
            for person in people:
                yield Row(
                    at, person.email, subject(session, queued.source, person), None, None, f"broadcast to {words}"
                )
            after = people[-1].id
