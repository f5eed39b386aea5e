"""Emails of series that are too late to go without being asked about (semantics 3.16). Only reads."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement, Select, TextClause, func, select
from sqlalchemy.orm import Session

from newsletter.audience.models import Subscriber
from newsletter.delivery.models import Delivery, in_state
from newsletter.delivery.rules import OVERDUE, Lane, State
from newsletter.work.claims import among


def _held() -> list[ColumnElement[bool] | TextClause]:
    # By the columns of the index of what waits, so that it costs what is held and not what there is.
    return [
        in_state(State.PLANNED, State.DEFERRED),
        Delivery.lane == int(Lane.SEQUENCE),
        Delivery.due_at == OVERDUE,
    ]


def count(session: Session) -> int:
    """How many there are."""
    return session.scalar(select(func.count(Delivery.id)).where(*_held())) or 0


def listed() -> Select[Delivery, str]:
    """All of them with their readers' addresses, the longest late first."""
    found = select(Delivery, Subscriber.email).join(Subscriber, Subscriber.id == Delivery.subscriber_id)
    return found.where(*_held()).order_by(Delivery.moved_from, Delivery.id)


def still(session: Session, delivery_ids: Collection[int]) -> list[int]:
    """Those of these emails that still wait for an operator's word."""
    return sorted(session.scalars(select(Delivery.id).where(*_held(), among(session, Delivery.id, delivery_ids))))


def after(session: Session, after_id: int, limit: int) -> Sequence[int]:
    """The ids of the next ones in the order of their ids."""
    found = select(Delivery.id).where(*_held(), Delivery.id > after_id).order_by(Delivery.id)
    return session.scalars(found.limit(limit)).all()
