"""How far the emails of a series reached, and the readers an operator may look at them as: reads for the editor."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import ColumnElement, Select, case, distinct, func, or_, select
from sqlalchemy.orm import Session

from newsletter.audience.models import Subscriber
from newsletter.audience.rules import Status
from newsletter.delivery.models import Delivery
from newsletter.delivery.rules import Lane
from newsletter.sequences import models
from newsletter.sequences.models import Enrollment
from newsletter.tracking import queries as tracking
from newsletter.tracking.models import Click
from newsletter.tracking.queries import LinkClicks
from newsletter.web.paging import LIKE_ESCAPE, containing


def clicked(session: Session, step_ids: Iterable[int]) -> dict[int, int]:
    """How many readers pressed a link in the emails of each step; programs that test links are left out."""
    ids = list(step_ids)
    if not ids:
        return {}
    # From the clicks to the emails: there are far fewer of them, and the ledger is read by its primary key.
    readers = [func.count(distinct(case((_of_step(number), Click.subscriber_id)))) for number in ids]
    found = select(*readers).join(Delivery, Delivery.id == Click.delivery_id)
    row = session.execute(found.where(~Click.robot, Delivery.lane == Lane.SEQUENCE)).one()
    return dict(zip(ids, row, strict=True))


def pressed(session: Session, step_id: int) -> list[LinkClicks]:
    """Which links in a step's emails readers pressed, the one with the most readers first."""
    emails: Select[int] = select(Delivery.id).where(_of_step(step_id), Delivery.lane == Lane.SEQUENCE)
    return tracking.clicks_by_link(session, emails)


def _of_step(step_id: int) -> ColumnElement[bool]:
    return Delivery.reason.startswith(f"step:{step_id}:", autoescape=True)


def readers_like(session: Session, text: str, limit: int) -> Sequence[Subscriber]:
    """The people whose address or name holds `text`, the newest first; the erased are nobody any more."""
    pattern = containing(text.casefold())
    full_name = func.lower(Subscriber.first_name + " " + Subscriber.last_name)
    fits = or_(Subscriber.email_key.like(pattern, escape=LIKE_ESCAPE), full_name.like(pattern, escape=LIKE_ESCAPE))
    found = select(Subscriber).where(Subscriber.status != Status.ERASED, fits)
    return session.scalars(found.order_by(Subscriber.id.desc()).limit(limit)).all()


def readers_of(session: Session, sequence_id: int, limit: int) -> Sequence[Subscriber]:
    """Some of the people in a series, those who joined last first."""
    latest = (
        select(Enrollment.subscriber_id)
        .where(Enrollment.sequence_id == sequence_id)
        .order_by(Enrollment.id.desc())
        .limit(limit)
    )
    found = select(Subscriber).where(Subscriber.id.in_(latest), Subscriber.status != Status.ERASED)
    return session.scalars(found.order_by(Subscriber.id.desc())).all()


def likeness(person: Subscriber) -> Subscriber:
    """A reader's double for looking at emails as; its id 0 makes every link in them one that changes nothing."""
    return Subscriber(
        id=0,
        email=person.email,
        first_name=person.first_name,
        last_name=person.last_name,
        timezone=person.timezone,
        fields=person.fields,
    )


def anybody_ever(session: Session, sequence_id: int) -> bool:
    """Whether anybody was ever in a series."""
    return session.scalar(select(Enrollment.id).where(Enrollment.sequence_id == sequence_id).limit(1)) is not None


def led_to_by(session: Session, slug: str) -> list[str]:
    """The names of the series that move their readers to this one."""
    found = (
        select(models.Sequence.name, models.Step.config)
        .join(models.Step, models.Step.sequence_id == models.Sequence.id)
        .where(models.Step.kind == "move", models.Step.deleted_at.is_(None))
    )
    return sorted({name for name, config in session.execute(found) if config.get("to") == slug})


def names(session: Session) -> dict[str, str]:
    """What every series is called, by its slug, in the order of the names."""
    found = select(models.Sequence.slug, models.Sequence.name).order_by(models.Sequence.name)
    return dict(session.execute(found).all())
