"""Reads about triggers and the dates they wait for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Select, exists, func, or_, select
from sqlalchemy.orm import Session

from newsletter.audience import occasions
from newsletter.errors import NotFound
from newsletter.sequences.models import Trigger, TriggerDate
from newsletter.sequences.triggers import Kind, Opening


def opening(row: Trigger) -> Opening:
    """A stored trigger as a plain value."""
    return Opening(row.sequence_id, row.kind, row.what, row.config, row.enabled, row.id)


def all_of(session: Session, sequence_id: int | None = None) -> list[Opening]:
    """Every trigger, or those of one series, in the order they were made; few, so they are read whole."""
    found = select(Trigger).order_by(Trigger.id).execution_options(populate_existing=True)
    if sequence_id is not None:
        found = found.where(Trigger.sequence_id == sequence_id)
    return [opening(row) for row in session.scalars(found)]


def trigger(session: Session, sequence_id: int, trigger_id: int) -> Trigger:
    """One trigger of a series; raises NotFound."""
    row = session.get(Trigger, trigger_id)
    if row is None or row.sequence_id != sequence_id:
        raise NotFound("This series has no such beginning (any more).", remedy="Go back to the series.")
    return row


def anything_new(session: Session, now: datetime, studio_zone: str) -> bool:
    """Whether there is anything for the sweep to do; costs the same however many people there are."""
    unread = exists().where(_unread(studio_zone))
    due = exists().where(TriggerDate.next_at <= now)
    return occasions.any_waiting(session, now) or bool(session.scalar(select(or_(unread, due))))


def _unread(studio_zone: str) -> ColumnElement[bool]:
    return (Trigger.kind == Kind.DATE) & (Trigger.through_at.is_(None) | (Trigger.zone != studio_zone))


def unread(session: Session, studio_zone: str) -> Trigger | None:
    """A date trigger for which not everybody's date was read yet, or by another zone; locked against other workers."""
    found = select(Trigger).where(_unread(studio_zone)).order_by(Trigger.id).limit(1)
    return session.scalar(_locked(found, skip=True))


def of_dates(session: Session) -> Sequence[Trigger]:
    """Every date trigger, locked: only one worker at a time writes the dates of each."""
    found = select(Trigger).where(Trigger.kind == Kind.DATE).order_by(Trigger.id)
    return session.scalars(_locked(found)).all()


def _locked(found: Select[Trigger], *, skip: bool = False) -> Select[Trigger]:
    # Its key stays free: who joins by the trigger's series must not wait.
    return found.with_for_update(key_share=True, skip_locked=skip).execution_options(populate_existing=True)


def dates_of(session: Session, trigger_id: int, subscriber_ids: Collection[int]) -> dict[int, TriggerDate]:
    """What one trigger waits for with these people, by their ids; locked: another worker may just let them join."""
    found = select(TriggerDate).where(
        TriggerDate.trigger_id == trigger_id, TriggerDate.subscriber_id.in_(list(subscriber_ids))
    )
    locked = found.with_for_update().execution_options(populate_existing=True)
    return {row.subscriber_id: row for row in session.scalars(locked)}


def dates_due(session: Session, now: datetime, limit: int) -> list[tuple[TriggerDate, Opening]]:
    """Dates that have come, the longest ago first; another worker's are passed over."""
    found = (
        select(TriggerDate, Trigger)
        .join(Trigger, Trigger.id == TriggerDate.trigger_id)
        .where(TriggerDate.next_at <= now)
        .order_by(TriggerDate.next_at, TriggerDate.trigger_id, TriggerDate.subscriber_id)
        .limit(limit)
        .with_for_update(skip_locked=True, of=TriggerDate)
        .execution_options(populate_existing=True)
    )
    return [(date, opening(row)) for date, row in session.execute(found)]


def coming(
    session: Session, until: datetime, subscriber_ids: Collection[int] | None = None
) -> list[tuple[TriggerDate, Opening]]:
    """Dates that come by a moment, of these people or of all: what the forecast lets join."""
    found = (
        select(TriggerDate, Trigger)
        .join(Trigger, Trigger.id == TriggerDate.trigger_id)
        .where(TriggerDate.next_at <= until)
        .order_by(TriggerDate.next_at, TriggerDate.trigger_id, TriggerDate.subscriber_id)
    )
    if subscriber_ids is not None:
        found = found.where(TriggerDate.subscriber_id.in_(list(subscriber_ids)))
    return [(date, opening(row)) for date, row in session.execute(found)]


def figures(
    session: Session, trigger_ids: Collection[int], now: datetime, until: datetime
) -> dict[int, tuple[int, int]]:
    """For each of these date triggers, how many people will join by a moment, and how many dates cannot be read."""
    soon = func.count().filter(TriggerDate.next_at > now, TriggerDate.next_at <= until)
    found = (
        select(TriggerDate.trigger_id, soon, func.count().filter(TriggerDate.unreadable))
        .where(TriggerDate.trigger_id.in_(list(trigger_ids)))
        .group_by(TriggerDate.trigger_id)
    )
    return {number: (people, unreadable) for number, people, unreadable in session.execute(found)}
