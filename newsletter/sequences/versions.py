"""Reads about the edits of a sequence: what it is now, what it has been, whom an edit moves, what may be undone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import ColumnElement, Select, String, and_, false, func, or_, select, type_coerce
from sqlalchemy import cast as sql_cast
from sqlalchemy.orm import Session, aliased
from sqlalchemy.types import NullType

from newsletter.accounts import queries as accounts
from newsletter.accounts.models import Operator
from newsletter.audience import queries as people
from newsletter.audience.models import Subscriber
from newsletter.delivery.models import Delivery
from newsletter.delivery.rules import Lane
from newsletter.errors import NotFound
from newsletter.sequences import drafts, facts, models, queries
from newsletter.sequences.conditions import Condition, lets_in
from newsletter.sequences.differing import touched
from newsletter.sequences.drafts import Draft, DraftStep
from newsletter.sequences.models import Enrollment, SequenceMove, SequenceVersion
from newsletter.sequences.rules import EnrollmentState, Place
from newsletter.work.claims import among

SLICE = 5000  # readers looked at in one go


def current(session: Session, sequence_id: int) -> Draft:
    """The sequence as it is now; raises NotFound."""
    return drafts.of_rows(queries.sequence(session, sequence_id), queries.all_steps(session, sequence_id))


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody whom an edit may move: an enrollment, where they stand, and the zone they named."""

    enrollment_id: int
    subscriber_id: int
    state: str
    place: Place
    zone: str
    held: bool
    ended_at: datetime | None


Stand = tuple[int | None, int | None, bool]  # next step, last step, whether they wait for a moment
_WAITS = Enrollment.next_due_at.is_not(None)
_COLUMNS = (
    Enrollment.id,
    Enrollment.subscriber_id,
    Enrollment.state,
    Enrollment.enrolled_at,
    Enrollment.shifted_minutes,
    Enrollment.waits_since,
    Enrollment.last_sent_at,
    Enrollment.next_step_id,
    Enrollment.next_due_at,
    Enrollment.last_step_id,
    Enrollment.skips,
    Enrollment.held_at,
    Enrollment.ended_at,
    Subscriber.timezone,
)


# As the driver gives them: to see that nothing changed, nobody need read a hundred thousand moments.
_UNREAD = tuple(
    sql_cast(column, String) if column is Enrollment.skips else type_coerce(column, NullType()) for column in _COLUMNS
)
# Whoever an edit moved and who stands there still; an undo puts them back.
STILL_THERE = (
    Enrollment.next_step_id.is_not_distinct_from(SequenceMove.to_step_id),
    Enrollment.state != EnrollmentState.EXITED,
)


def stands(session: Session, sequence_id: int) -> set[Stand]:
    """Where the readers under way stand, each place once however many are there."""
    found = select(Enrollment.next_step_id, Enrollment.last_step_id, _WAITS).distinct()
    active = found.where(Enrollment.sequence_id == sequence_id, Enrollment.state == EnrollmentState.ACTIVE)
    return {(step, last, bool(waits)) for step, last, waits in session.execute(active)}


def readers(
    session: Session,
    sequence_id: int,
    at: Iterable[Stand],
    ids: Iterable[int],
    *,
    finished: bool,
    but: int | None,
    entry: Condition,
) -> Iterator[Reader]:
    """Of these enrollments those whom `marks` would give, as they stand; in their order.

    Whoever has finished is asked the `entry`, as all who come into the sequence are.

    A slice at a time: PostgreSQL gives up on whoever holds a transaction and asks nothing for twenty seconds.
    """
    asked = _readers(_COLUMNS, sequence_id, list(at), finished=finished, but=but).order_by(Enrollment.id)
    left = sorted(ids)
    for start in range(0, len(left), SLICE):
        these = asked.where(among(session, Enrollment.id, left[start : start + SLICE]))
        # On the connection: through the session each row would cost as much again.
        rows = session.connection().execute(these).all()
        idle = [row.subscriber_id for row in rows if row.state != EnrollmentState.ACTIVE]
        barred = queries.barred(session, people.readers(session, idle).values()) if idle else {}
        outside = [row.subscriber_id for row in rows if row.state == EnrollmentState.FINISHED]
        known = facts.of_joining(session, entry, outside)
        for row in rows:
            kept_out = row.state == EnrollmentState.FINISHED and not lets_in(entry, known[row.subscriber_id])
            if row.state == EnrollmentState.ACTIVE or not (kept_out or row.subscriber_id in barred):
                place = queries.place(cast(Enrollment, row))
                held = row.held_at is not None
                yield Reader(row.id, row.subscriber_id, row.state, place, row.timezone, held, row.ended_at)


def marks(
    session: Session,
    sequence_id: int,
    at: Iterable[Stand],
    *,
    finished: bool,
    but: int | None = None,
    lock: bool = False,
) -> dict[int, int]:
    """Those under way who stand `at` these places, and everybody caught up; `finished`: those who may be let on, too.

    Each enrollment with a number that is another as soon as anything in its row is; without those whom an undo of
    version `but` puts back. With `lock` no worker lets them go on until the transaction ends.
    """
    asked = _readers(_UNREAD, sequence_id, list(at), finished=finished, but=but)
    if lock:
        asked = asked.order_by(Enrollment.id).with_for_update(of=Enrollment)
    found: dict[int, int] = {}
    for rows in session.connection().execute(asked).partitions(SLICE):
        found |= {row[0]: hash(row) for row in rows}
    return found


def _readers(
    columns: Iterable[Any], sequence_id: int, at: list[Stand], *, finished: bool, but: int | None
) -> Select[*tuple[Any, ...]]:
    later = aliased(Enrollment)
    # Whoever is in the series again is there already; their earlier time in it stays as it ended.
    again = select(later.id).where(
        later.sequence_id == Enrollment.sequence_id,
        later.subscriber_id == Enrollment.subscriber_id,
        later.round > Enrollment.round,
    )
    here = [
        and_(
            Enrollment.next_step_id.is_not_distinct_from(step),
            Enrollment.last_step_id.is_not_distinct_from(last),
            _WAITS if waits else ~_WAITS,
        )
        for step, last, waits in at
    ]
    skipping = sql_cast(Enrollment.skips, String) != "[]"  # what they pass over may lie ahead of them now
    idle = [EnrollmentState.CAUGHT_UP, EnrollmentState.FINISHED] if finished else [EnrollmentState.CAUGHT_UP]
    active = and_(Enrollment.state == EnrollmentState.ACTIVE, or_(skipping, *here))
    wanted = or_(active, and_(Enrollment.state.in_(idle), ~again.exists()))
    found = select(*columns).join(Subscriber, Subscriber.id == Enrollment.subscriber_id)
    if but is not None:
        put_back = SequenceMove.version_id == but, SequenceMove.enrollment_id == Enrollment.id, *STILL_THERE
        wanted = and_(wanted, ~select(SequenceMove.enrollment_id).where(*put_back).exists())
    return found.where(Enrollment.sequence_id == sequence_id, wanted)


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


def numbered(session: Session, sequence_id: int, number: int) -> SequenceVersion | None:
    """The edit that made a sequence's version of that number."""
    found = select(SequenceVersion).where(SequenceVersion.sequence_id == sequence_id, SequenceVersion.version == number)
    return session.scalar(found)


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


def hurried_back(session: Session, edit_id: int, now: datetime) -> int:
    """How many of those whom an edit moved would be due at once if it were taken back, and are not (semantics 3.9)."""
    found = select(func.count(SequenceMove.enrollment_id)).join(Enrollment, Enrollment.id == SequenceMove.enrollment_id)
    waits = or_(Enrollment.next_due_at.is_(None), Enrollment.next_due_at > now), Enrollment.held_at.is_(None)
    back = SequenceMove.state == EnrollmentState.ACTIVE, SequenceMove.due_at <= now
    return session.scalar(found.where(SequenceMove.version_id == edit_id, *STILL_THERE, *back, *waits)) or 0


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
