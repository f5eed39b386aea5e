"""Which emails to many readers are to get soon that are not in the ledger yet (semantics 3.17)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from newsletter.broadcasts import queries, rules
from newsletter.broadcasts.models import Broadcast
from newsletter.broadcasts.rules import BroadcastState


def coming(session: Session, subscriber_ids: Sequence[int], until: datetime) -> dict[int, list[tuple[datetime, str]]]:
    """When an email to many comes due for these people before `until`, with its reason, by their ids.

    Queued ones, and those that are starting and have not got to a reader yet.
    """
    queued = and_(Broadcast.state == BroadcastState.QUEUED, Broadcast.send_at < until)
    wanted = select(Broadcast).where(or_(queued, Broadcast.state == BroadcastState.STARTING))
    found: dict[int, list[tuple[datetime, str]]] = defaultdict(list)
    for broadcast in session.scalars(wanted.order_by(Broadcast.send_at, Broadcast.id)):
        if broadcast.send_at is None:
            continue
        readers = queries.recipients(rules.audience(broadcast.audience)).subquery()
        theirs = select(readers.c[0]).where(readers.c[0].in_(subscriber_ids))
        if broadcast.state == BroadcastState.STARTING:
            theirs = theirs.where(readers.c[0] > broadcast.planned_to, readers.c[0] <= broadcast.through_id)
        for subscriber_id in session.scalars(theirs):
            found[subscriber_id].append((broadcast.send_at, queries.reason_of(broadcast.id)))
    return dict(found)
