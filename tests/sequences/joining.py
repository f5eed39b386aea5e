"""What tests of triggers share: things happen with people, and the sweep looks at them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from newsletter import clock
from newsletter.audience import actions as audience
from newsletter.audience import importing
from newsletter.audience.models import Occasion, SubscriberEvent
from newsletter.database.engine import db, transaction
from newsletter.sequences import entering, jobs
from newsletter.sequences.models import Enrollment, TriggerDate
from tests.sequences.conftest import MONDAY


def begins(sequence_id: int, kind: str, what: str = "any", now: datetime = MONDAY, **config: Any) -> int:
    """Let people join a series by that; returns the trigger's id."""
    with transaction() as session:
        return entering.add(session, sequence_id, kind, what, config, now).id


def tag(subscriber_id: int, name: str = "client", now: datetime = MONDAY) -> None:
    with transaction() as session:
        audience.add_tag(session, subscriber_id, name, now)


def enter(now: datetime = MONDAY) -> None:
    with clock.standing_at(now):
        while jobs.enter_due():
            pass


def joined(subscriber_id: int) -> list[tuple[str, datetime]]:
    """By what a person joined which series, and when."""
    db.session.rollback()
    found = select(Enrollment.source, Enrollment.enrolled_at).where(Enrollment.subscriber_id == subscriber_id)
    return [(source, moment) for source, moment in db.session.execute(found.order_by(Enrollment.id))]


def notes(subscriber_id: int) -> list[str]:
    db.session.rollback()
    found = select(SubscriberEvent.detail).where(SubscriberEvent.subscriber_id == subscriber_id)
    return list(db.session.scalars(found.order_by(SubscriberEvent.id)))


def waiting() -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(Occasion)) or 0


def coming(subscriber_id: int) -> datetime | None:
    """When a date lets this person join next."""
    db.session.rollback()
    found = select(TriggerDate).where(TriggerDate.subscriber_id == subscriber_id)
    return db.session.scalars(found.execution_options(populate_existing=True)).one().next_at


def bring(text: str, now: datetime = MONDAY, **more: str) -> importing.ImportResult:
    """Import a file of people who agreed."""
    with transaction() as session:
        return importing.import_csv(
            session, text, secret="a secret of thirty-two characters!", now=now, **({"attest": "On paper"} | more)
        )
