"""How far the emails of a series reached, and the readers an operator may look at them as: reads for the editor."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import distinct, func, literal, or_, select, union_all
from sqlalchemy.orm import Session

from newsletter.audience.models import Subscriber
from newsletter.audience.rules import Status
from newsletter.delivery.models import Delivery
from newsletter.sequences import models, queries
from newsletter.sequences.models import Enrollment
from newsletter.tracking import queries as tracking
from newsletter.tracking.models import Click
from newsletter.tracking.queries import LinkClicks
from newsletter.web.paging import LIKE_ESCAPE, containing


def clicked(session: Session, step_ids: Iterable[int]) -> dict[int, int]:
    """How many readers pressed a link in the emails of each step; programs that test links are left out."""
    each = [
        select(literal(number), func.count(distinct(Click.subscriber_id)))
        .join(Delivery, Delivery.id == Click.delivery_id)
        .where(queries.of_step(number), ~Click.robot)
        for number in set(step_ids)
    ]
    return dict(session.execute(union_all(*each)).all()) if each else {}


def pressed(session: Session, step_id: int) -> list[LinkClicks]:
    """Which links in a step's emails readers pressed, the one with the most readers first."""
    return tracking.clicks_by_link(session, select(Delivery.id).where(queries.of_step(step_id)))


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


def leads(session: Session) -> dict[str, set[str]]:
    """Every series, by its slug, with those to which its steps move people."""
    found: dict[str, set[str]] = {slug: set() for slug in session.scalars(select(models.Sequence.slug))}
    steps = (
        select(models.Sequence.slug, models.Step.config)
        .join(models.Step, models.Step.sequence_id == models.Sequence.id)
        .where(models.Step.kind == "move", models.Step.deleted_at.is_(None))
    )
    for slug, config in session.execute(steps):
        found[slug].add(str(config.get("to", "")))
    return found


def names(session: Session) -> dict[str, str]:
    """What every series is called, by its slug, in the order of the names."""
    found = select(models.Sequence.slug, models.Sequence.name).order_by(models.Sequence.name)
    return dict(session.execute(found).all())
