"""Reads about sequences and the people in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, func, literal, select, union_all
from sqlalchemy.orm import Session

from newsletter import tokens
from newsletter.accounts import queries as accounts
from newsletter.audience import rules as audience_rules
from newsletter.audience.actions import ERASED
from newsletter.audience.history import HistoryLine
from newsletter.audience.models import Subscriber, Suppression
from newsletter.audience.queries import Reader
from newsletter.delivery.models import UNSETTLED, Delivery
from newsletter.delivery.rules import State
from newsletter.errors import NotFound
from newsletter.sequences import models
from newsletter.sequences.models import Enrollment
from newsletter.sequences.rules import (
    ENROLLMENT_WORDS,
    UNDER_WAY,
    Course,
    EnrollmentState,
    Kind,
    Place,
    Step,
)
from newsletter.sequences.timing import of_step as timing_of
from newsletter.sequences.timing import say
from newsletter.sequences.triggers import source_words
from newsletter.settings import current
from newsletter.web.paging import LIKE_ESCAPE, containing


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of a planned email."""

    id: int
    reason: str
    subscriber_id: int
    state: str
    accepted_at: datetime | None
    ended_at: datetime | None


_ACCEPTED = Delivery.state == State.ACCEPTED


def reason(step_id: int, enrollment_id: int) -> str:
    """Why the ledger sends a step to a reader."""
    return f"step:{step_id}:enrollment:{enrollment_id}"


def read_reason(text: str) -> tuple[int, int]:
    """The step and the enrollment that a reason names."""
    _, step_id, _, enrollment_id = text.split(":")
    return int(step_id), int(enrollment_id)


def by_slug(session: Session, slug: str) -> models.Sequence | None:
    """The sequence of that name."""
    return session.scalar(select(models.Sequence).where(models.Sequence.slug == slug))


def sequence(session: Session, sequence_id: int) -> models.Sequence:
    """The sequence with that id; raises NotFound."""
    found = session.get(models.Sequence, sequence_id)
    if found is None:
        raise NotFound("There is no such series.", remedy="Choose one from the list.")
    return found


def steps_by_id(session: Session, ids: Iterable[int]) -> dict[int, models.Step]:
    """These steps, as the database has them now."""
    found = select(models.Step).where(models.Step.id.in_(set(ids))).execution_options(populate_existing=True)
    return {row.id: row for row in session.scalars(found)}


def enrollments_by_id(session: Session, ids: Iterable[int]) -> dict[int, Enrollment]:
    """These enrollments, as the database has them now."""
    found = select(Enrollment).where(Enrollment.id.in_(set(ids))).execution_options(populate_existing=True)
    return {row.id: row for row in session.scalars(found)}


def steps(session: Session, sequence_id: int) -> Sequence[models.Step]:
    """The steps of a sequence that were not deleted, in their order."""
    return [row for row in all_steps(session, sequence_id) if row.deleted_at is None]


def all_steps(session: Session, sequence_id: int) -> Sequence[models.Step]:
    """The steps of a sequence in their order, deleted ones among them."""
    found = select(models.Step).where(models.Step.sequence_id == sequence_id)
    return session.scalars(found.order_by(models.Step.position, models.Step.id)).all()


def step(session: Session, sequence_id: int, step_id: int) -> models.Step:
    """One step of a sequence; raises NotFound when it does not exist, or not any more."""
    found = session.get(models.Step, step_id)
    if found is None or found.sequence_id != sequence_id or found.deleted_at is not None:
        raise NotFound("This series has no such email (any more).", remedy="Go back to the series.")
    return found


def timing_words(row: models.Step, *, first: bool, before: str = "") -> str:
    """A stored step's timing in words; `before` is what the step before it is called."""
    return say(timing_of(row), first=first, before=before)


def courses(session: Session, sequence_ids: Iterable[int]) -> dict[int, Course]:
    """Sequences as the planner sees them, by id."""
    wanted = set(sequence_ids)
    if not wanted:
        return {}
    by_sequence: dict[int, list[Step]] = {sequence_id: [] for sequence_id in wanted}
    found = select(models.Step).where(models.Step.sequence_id.in_(wanted))
    for row in session.scalars(found.order_by(models.Step.position, models.Step.id)):
        by_sequence[row.sequence_id].append(plain_step(row))
    overdue = accounts.studio(session).overdue_hours
    rows = session.scalars(select(models.Sequence).where(models.Sequence.id.in_(wanted)))
    return {row.id: plain_course(row, tuple(by_sequence[row.id]), overdue) for row in rows}


def plain_step(row: models.Step) -> Step:
    """A stored step as the planner sees it."""
    kind, deleted = row.kind or Kind.EMAIL, row.deleted_at is not None
    return Step(row.id, row.key, row.position, kind, timing_of(row), row.config or {}, deleted)


def plain_course(row: models.Sequence, steps: tuple[Step, ...], overdue_hours: int) -> Course:
    """A stored sequence with these steps as the planner sees it."""
    return Course(
        id=row.id,
        slug=row.slug,
        steps=steps,
        min_gap_hours=row.min_gap_hours,
        evergreen=row.evergreen,
        reentry=row.reentry,
        cooldown_days=row.cooldown_days,
        entry=row.entry,
        goal=row.goal,
        exits=tuple(row.exits),
        overdue_hours=overdue_hours,
    )


def place(row: Enrollment) -> Place:
    """Where a stored reader stands."""
    return Place(
        row.enrolled_at + timedelta(minutes=row.shifted_minutes or 0),
        row.waits_since,
        row.last_sent_at,
        row.next_step_id,
        row.next_due_at,
        row.last_step_id,
        frozenset(row.skips or ()),
    )


def ended(session: Session, limit: int) -> list[Ended]:
    """Up to `limit` emails of series that have ended and are not settled, in the order they were planned."""
    columns = Delivery.id, Delivery.reason, Delivery.subscriber_id, Delivery.state
    found = select(*columns, Delivery.accepted_at, Delivery.ended_at).where(UNSETTLED)
    return [Ended(*row) for row in session.execute(found.order_by(Delivery.id).limit(limit))]


def planned(session: Session, enrollment: Enrollment) -> int | None:
    """The delivery on its way to a reader, if there is one."""
    if enrollment.next_step_id is None or enrollment.next_due_at is not None:
        return None
    why = reason(enrollment.next_step_id, enrollment.id)
    found = select(Delivery.id).where(Delivery.reason == why, Delivery.subscriber_id == enrollment.subscriber_id)
    return session.scalar(found)


def barred(session: Session, people: Iterable[Subscriber | Reader]) -> dict[int, str]:
    """Who of these must not get a series, by id, and why in words (semantics 3.13)."""
    secret = current().secret_key
    prints = {tokens.fingerprint(secret, person.email_key): person for person in people}
    if not prints:
        return {}
    why = {
        person.id: words
        for person in prints.values()
        if (words := audience_rules.why_not_marketing(person.status, person.marketing))
    }
    listed = select(Suppression.fingerprint, Suppression.reason).where(Suppression.fingerprint.in_(prints))
    for fingerprint, words in session.execute(listed):
        if words == ERASED:  # a living row of an erased address can only be their own fresh sign-up
            continue
        why.setdefault(prints[fingerprint].id, f"on the suppression list: {words}")
    return why


def active(session: Session, subscriber_id: int, sequence_id: int | None = None) -> Sequence[Enrollment]:
    """What a person is in; only that sequence where it is given."""
    found = select(Enrollment).where(Enrollment.subscriber_id == subscriber_id, Enrollment.state.in_(UNDER_WAY))
    if sequence_id is not None:
        found = found.where(Enrollment.sequence_id == sequence_id)
    return session.scalars(found.order_by(Enrollment.id)).all()


def enrollments(session: Session, subscriber_id: int) -> Sequence[tuple[Enrollment, models.Sequence]]:
    """Every enrollment of a person, with its sequence, oldest first."""
    found = (
        select(Enrollment, models.Sequence)
        .join(models.Sequence, models.Sequence.id == Enrollment.sequence_id)
        .where(Enrollment.subscriber_id == subscriber_id)
    )
    return session.execute(found.order_by(Enrollment.id)).all()


def reason_words(session: Session, text: str) -> str:
    """Why an email of a sequence is sent, in words for the operator; empty when its step is unknown."""
    row = session.get(models.Step, read_reason(text)[0])
    if row is None:
        return ""
    name = sequence(session, row.sequence_id).name
    earlier = select(func.count()).where(
        models.Step.sequence_id == row.sequence_id,
        models.Step.kind == Kind.EMAIL,
        models.Step.deleted_at.is_(None),
        models.Step.position < row.position,
    )
    return f"{name}, email {(session.scalar(earlier) or 0) + 1}"


def history(session: Session, subscriber_id: int) -> list[HistoryLine]:
    """When a person joined and left which series."""
    lines = []
    for row, series in enrollments(session, subscriber_id):
        how = f": {source_words(row.source)}" if row.source else ""
        lines.append(HistoryLine(row.enrolled_at, "series", f"Joined the series “{series.name}”{how}"))
        if row.ended_at is not None:
            words = ENROLLMENT_WORDS[EnrollmentState(row.state)].capitalize()
            why = f": {row.ended_why}" if row.ended_why else ""
            lines.append(HistoryLine(row.ended_at, "series", f"{words} the series “{series.name}”{why}"))
    return lines


def held(session: Session, subscriber_id: int) -> dict[str, Any]:
    """What this room holds about a person."""
    return {
        "series": [
            {
                "name": series.name,
                "state": ENROLLMENT_WORDS[EnrollmentState(row.state)],
                "joined": row.enrolled_at,
                "joined by": row.source,
                "last email": row.last_sent_at,
                "next email": row.next_due_at,
                "ended": row.ended_at,
                "ended because": row.ended_why,
            }
            for row, series in enrollments(session, subscriber_id)
        ]
    }


def sent_counts(session: Session, step_ids: Iterable[int]) -> dict[int, int]:
    """How many emails of each step were sent; walks along the index, through these steps' emails only."""
    each = [select(literal(number), func.count()).where(of_step(number), _ACCEPTED) for number in set(step_ids)]
    return dict(session.execute(union_all(*each)).all()) if each else {}


def of_step(step_id: int) -> ColumnElement[bool]:
    """The emails of one step, as a stretch of the index over reasons.

    A reason goes on with “enrollment”, so that ends of “e” and “f” hold it in whatever order a database sorts signs.
    """
    return (Delivery.reason >= f"step:{step_id}:e") & (Delivery.reason < f"step:{step_id}:f")


def listed(search: str) -> Select[models.Sequence]:
    """Every sequence, by name."""
    found = select(models.Sequence).order_by(models.Sequence.name)
    return found.where(models.Sequence.name.ilike(containing(search), escape=LIKE_ESCAPE)) if search else found


def states(session: Session, sequence_ids: Iterable[int]) -> dict[int, dict[str, int]]:
    """How many people are under way in, finished, or left each sequence."""
    ids = list(sequence_ids)
    counts: dict[int, dict[str, int]] = {number: {} for number in ids}
    found = (
        select(Enrollment.sequence_id, Enrollment.state, func.count())
        .where(Enrollment.sequence_id.in_(ids))
        .group_by(Enrollment.sequence_id, Enrollment.state)
    )
    for number, state, count in session.execute(found):
        counts[number][state] = count
    return counts


def lengths(session: Session, sequence_ids: Iterable[int]) -> dict[int, int]:
    """How many emails each sequence has; one that has none is not among them."""
    step = models.Step
    found = (
        select(step.sequence_id, func.count())
        .where(step.sequence_id.in_(list(sequence_ids)), step.kind == Kind.EMAIL, step.deleted_at.is_(None))
        .group_by(step.sequence_id)
    )
    return dict(session.execute(found).all())


def waiting_at(session: Session, sequence_id: int) -> dict[int | None, int]:
    """How many people wait for each step of a sequence, by the step's id."""
    found = (
        select(Enrollment.next_step_id, func.count())
        .where(Enrollment.sequence_id == sequence_id, Enrollment.state == EnrollmentState.ACTIVE)
        .group_by(Enrollment.next_step_id)
    )
    return dict(session.execute(found).all())


def people_in(sequence_id: int, *, search: str, state: str) -> Select[Enrollment, Subscriber]:
    """The people of a sequence: who gets the next email first, then those at its end."""
    found = (
        select(Enrollment, Subscriber)
        .join(Subscriber, Subscriber.id == Enrollment.subscriber_id)
        .where(Enrollment.sequence_id == sequence_id)
        .order_by(Enrollment.state, Enrollment.next_due_at, Enrollment.id)
    )
    if state in set(EnrollmentState):
        found = found.where(Enrollment.state == state)
    return found.where(Subscriber.email.ilike(containing(search), escape=LIKE_ESCAPE)) if search else found
