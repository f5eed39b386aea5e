"""Reads about the edits of a sequence: what it is now, what it has been, whom an edit moves, what may be undone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, false, func, or_, select
from sqlalchemy.orm import Session, aliased

from newsletter.accounts import queries as accounts
from newsletter.accounts.models import Operator
from newsletter.audience.models import Subscriber
from newsletter.delivery.models import Delivery
from newsletter.delivery.rules import Lane
from newsletter.errors import NotFound
from newsletter.sequences import drafts, models, queries
from newsletter.sequences.differing import touched
from newsletter.sequences.drafts import Draft, DraftStep
from newsletter.sequences.models import Enrollment, SequenceVersion
from newsletter.sequences.rules import EnrollmentState, Place

SLICE = 1000  # readers looked at in one statement


def current(session: Session, sequence_id: int) -> Draft:
    """The sequence as it is now; raises NotFound."""
    return drafts.of_rows(queries.sequence(session, sequence_id), queries.all_steps(session, sequence_id))


@dataclass(frozen=True)
class Reader:
    """Somebody whom an edit may move: an enrollment, where they stand, and the zone they named."""

    enrollment_id: int
    subscriber_id: int
    state: str
    place: Place
    zone: str
    held: bool
    ended_at: datetime | None


def readers(session: Session, sequence_id: int, *, finished: bool) -> Iterator[Reader]:
    """Everybody under way or caught up, in the order of the enrollments; `finished`: those who may be let on, too."""
    states = [EnrollmentState.ACTIVE, EnrollmentState.CAUGHT_UP] + [EnrollmentState.FINISHED] * finished
    after = 0
    while rows := session.execute(_readers(sequence_id, states, after)).all():
        barred = queries.barred(session, [person for row, person in rows if row.state != EnrollmentState.ACTIVE])
        for row, person in rows:
            if row.state == EnrollmentState.ACTIVE or person.id not in barred:
                held = row.held_at is not None
                zone = person.timezone
                yield Reader(row.id, person.id, row.state, queries.place(row), zone, held, row.ended_at)
        after = rows[-1][0].id


def _readers(sequence_id: int, states: list[EnrollmentState], after: int) -> Select[Enrollment, Subscriber]:
    later = aliased(Enrollment)
    # Whoever is in the series again is there already; their earlier time in it stays as it ended.
    again = select(later.id).where(
        later.sequence_id == Enrollment.sequence_id,
        later.subscriber_id == Enrollment.subscriber_id,
        later.round > Enrollment.round,
    )
    return (
        select(Enrollment, Subscriber)
        .join(Subscriber, Subscriber.id == Enrollment.subscriber_id)
        .where(
            Enrollment.sequence_id == sequence_id,
            Enrollment.state.in_(states),
            Enrollment.id > after,
            or_(Enrollment.state == EnrollmentState.ACTIVE, ~again.exists()),
        )
        .order_by(Enrollment.id)
        .limit(SLICE)
        .execution_options(populate_existing=True)
    )


def listed(sequence_id: int) -> Select[SequenceVersion, str]:
    """The edits of a sequence, newest first, each with its operator's name or address."""
    who = func.coalesce(func.nullif(Operator.name, ""), Operator.email)
    return (
        select(SequenceVersion, who)
        .outerjoin(Operator, Operator.id == SequenceVersion.operator_id)
        .where(SequenceVersion.sequence_id == sequence_id)
        .order_by(SequenceVersion.version.desc())
    )


def latest(session: Session, sequence_id: int) -> tuple[SequenceVersion, str | None] | None:
    """The last edit of a sequence, and whose it was."""
    row = session.execute(listed(sequence_id).limit(1)).first()
    return (row[0], row[1]) if row else None


def version(session: Session, sequence_id: int, version_id: int) -> SequenceVersion:
    """One edit of a sequence; raises NotFound."""
    found = session.get(SequenceVersion, version_id)
    if found is None or found.sequence_id != sequence_id:
        raise NotFound("There is no such change.", remedy="Go back to the changes of this series.")
    return found


def undoable(session: Session, sequence_id: int) -> SequenceVersion | None:
    """The edit that an undo would take back: the last one that was not; None when there is none."""
    found = select(SequenceVersion).where(
        SequenceVersion.sequence_id == sequence_id, SequenceVersion.undone_at.is_(None)
    )
    return session.scalar(found.order_by(SequenceVersion.version.desc()).limit(1))


def sent_because(session: Session, edit: SequenceVersion) -> int:
    """How many emails went out, or are on their way, that may be so only because of an edit."""
    before, after = drafts.read(edit.before), drafts.read(edit.after)
    known = {step.id: step.source for step in before.steps}
    reworded = [step.id for step in after.steps if known.get(step.id, step.source) != step.source]
    because = or_(
        _of_steps(touched(before, after)) & (Delivery.planned_at >= edit.at),
        _of_steps(reworded) & (Delivery.accepted_at >= edit.at),
    )
    return session.scalar(select(func.count(Delivery.id)).where(Delivery.lane == Lane.SEQUENCE, because)) or 0


def _of_steps(step_ids: Iterable[int]) -> ColumnElement[bool]:
    return or_(false(), *(Delivery.reason.startswith(f"step:{one}:", autoescape=True) for one in sorted(step_ids)))


def under_way(session: Session, sequence_id: int) -> int:
    """How many readers are under way, or wait for new steps."""
    found = select(func.count(Enrollment.id)).where(_there(sequence_id))
    return session.scalar(found) or 0


def _there(sequence_id: int) -> ColumnElement[bool]:
    states = [EnrollmentState.ACTIVE, EnrollmentState.CAUGHT_UP]
    return and_(Enrollment.sequence_id == sequence_id, Enrollment.state.in_(states))


def next_readers(session: Session, sequence_id: int, limit: int) -> Sequence[int]:
    """The ids of those under way who get something next."""
    found = select(Enrollment.subscriber_id).where(
        Enrollment.sequence_id == sequence_id, Enrollment.state == EnrollmentState.ACTIVE
    )
    return session.scalars(found.order_by(Enrollment.next_due_at, Enrollment.id).limit(limit)).all()


def finished_at(session: Session, sequence_id: int) -> dict[int | None, int]:
    """How many finished after which step, by its id."""
    found = select(Enrollment.last_step_id, func.count(Enrollment.id)).where(
        Enrollment.sequence_id == sequence_id, Enrollment.state == EnrollmentState.FINISHED
    )
    return dict(session.execute(found.group_by(Enrollment.last_step_id)).all())


def going_to_get(session: Session, sequence_id: int, step: DraftStep, draft: Draft) -> int:
    """How many readers under way have not come past a step."""
    places = {one.id: at for at, one in enumerate(draft.steps)}
    here = [one.id for one in draft.steps if places[one.id] <= places[step.id]]
    found = select(func.count(Enrollment.id)).where(
        Enrollment.sequence_id == sequence_id,
        Enrollment.state == EnrollmentState.ACTIVE,
        Enrollment.next_step_id.in_(here),
    )
    return session.scalar(found) or 0


def all_series(session: Session) -> Sequence[int]:
    """The ids of all sequences, by name."""
    return session.scalars(select(models.Sequence.id).order_by(models.Sequence.name)).all()


def without_zone(session: Session, limit: int) -> list[int]:
    """The ids of readers under way who named no zone, those who get something next first."""
    soonest = func.min(Enrollment.next_due_at)
    found = select(Enrollment.subscriber_id).join(Subscriber, Subscriber.id == Enrollment.subscriber_id)
    found = found.where(_ZONELESS).group_by(Enrollment.subscriber_id).order_by(soonest, Enrollment.subscriber_id)
    return list(session.scalars(found.limit(limit)))


def count_without_zone(session: Session) -> int:
    """How many readers under way named no zone."""
    found = select(func.count(Enrollment.subscriber_id.distinct()))
    return session.scalar(found.join(Subscriber, Subscriber.id == Enrollment.subscriber_id).where(_ZONELESS)) or 0


_ZONELESS = and_(Enrollment.state == EnrollmentState.ACTIVE, Subscriber.timezone == "")


@dataclass(frozen=True)
class Held:
    """Somebody under way whom a pause concerns, or would."""

    sequence_id: int
    subscriber_id: int
    held_at: datetime | None


def in_scope(session: Session, where: Iterable[ColumnElement[bool]], limit: int) -> list[Held]:
    """Those under way whom a pause concerns, those who get something next first."""
    found = select(Enrollment.sequence_id, Enrollment.subscriber_id, Enrollment.held_at)
    found = found.where(*where, Enrollment.state == EnrollmentState.ACTIVE)
    rows = session.execute(found.order_by(Enrollment.next_due_at, Enrollment.id).limit(limit))
    return [Held(*row) for row in rows]


def studio_zone(session: Session) -> str:
    """The zone of readers who named none."""
    return accounts.studio(session).timezone
