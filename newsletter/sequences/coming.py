"""Which emails of series readers are to get soon that are not in the ledger yet (semantics 3.17)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import bindparam, select, text
from sqlalchemy.orm import Session

from newsletter.sequences import models, queries
from newsletter.sequences.models import Enrollment
from newsletter.sequences.rules import Kind
from newsletter.work.claims import among_given, kind_of, listed

# Written out: with bound values neither database sees that the partial index fits.
_DUE = text("enrollments.state = 'active' AND enrollments.held_at IS NULL")


def coming(session: Session, subscriber_ids: Sequence[int], until: datetime) -> dict[int, list[tuple[datetime, str]]]:
    """When an email of a series comes due for these people before `until`, with its reason, by their ids.

    An email to many asks this for each batch of its readers, so the first question is whether there is anything at all.
    """
    connection = session.connection()
    if connection.execute(_anything(), {"until": until}).first() is None:
        return {}
    kind = kind_of(session)
    given = {"ids": listed(kind, subscriber_ids), "until": until}
    found: dict[int, list[tuple[datetime, str]]] = defaultdict(list)
    for subscriber_id, at, step_id, enrollment_id in connection.execute(_theirs(kind), given):
        found[subscriber_id].append((at, queries.reason(step_id, enrollment_id)))
    return dict(found)


@cache
def _anything() -> Any:
    until = bindparam("until", type_=Enrollment.next_due_at.type)
    return select(Enrollment.id).where(_DUE, Enrollment.next_due_at < until).limit(1)


@cache
def _theirs(kind: str) -> Any:
    until = bindparam("until", type_=Enrollment.next_due_at.type)
    columns = Enrollment.subscriber_id, Enrollment.next_due_at, Enrollment.next_step_id, Enrollment.id
    # Only emails: a question or a tag makes no room in the day.
    emails = models.Step.kind == Kind.EMAIL.value, models.Step.deleted_at.is_(None)
    return (
        select(*columns)
        .join(models.Step, models.Step.id == Enrollment.next_step_id)
        .where(among_given(kind, Enrollment.subscriber_id), _DUE, Enrollment.next_due_at < until, *emails)
    )
