"""Reads about forms, and what the guards count."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import String as SqlString
from sqlalchemy import cast as sql_cast
from sqlalchemy import exists, func, literal, select
from sqlalchemy.orm import Session

from newsletter.audience.models import Consent, Subscriber
from newsletter.audience.rules import Status
from newsletter.delivery.models import Delivery
from newsletter.delivery.rules import State
from newsletter.errors import NotFound
from newsletter.signup.models import Form, SignupAttempt
from newsletter.signup.rules import Counts

HOUR, TEN_MINUTES = timedelta(hours=1), timedelta(minutes=10)


def form_by_slug(session: Session, slug: str) -> Form:
    """The form of that name; raises NotFound."""
    form = session.scalar(select(Form).where(Form.slug == slug))
    if form is None:
        raise NotFound("There is no such form here.", remedy="Start from the front page.")
    return form


def form(session: Session, form_id: int | None) -> Form | None:
    """The form with that id."""
    return session.get(Form, form_id) if form_id else None


def choices(session: Session) -> list[tuple[str, str]]:
    """Every form as (short name, name), for who lets an operator choose one."""
    return [(row.slug, row.name) for row in session.scalars(select(Form).order_by(Form.name))]


def leading_to(session: Session, sequence_id: int) -> list[str]:
    """The names of the forms that let people join a series by themselves."""
    found = select(Form.name).where(Form.sequence_id == sequence_id)
    return list(session.scalars(found.order_by(Form.name)))


def counts(session: Session, *, ip_print: str, address_print: str, domain_print: str, now: datetime) -> Counts:
    """How many presses there were lately."""
    return Counts(
        ip_hour=_attempts(session, SignupAttempt.ip_print == ip_print, SignupAttempt.at > now - HOUR),
        address_hour=_attempts(session, SignupAttempt.address_print == address_print, SignupAttempt.at > now - HOUR),
        domain_hour=_attempts(session, SignupAttempt.domain_print == domain_print, SignupAttempt.at > now - HOUR),
        all_ten_minutes=recent_attempts(session, now),
    )


def recent_attempts(session: Session, now: datetime) -> int:
    """Presses from everywhere in the last ten minutes."""
    return _attempts(session, SignupAttempt.at > now - TEN_MINUTES)


def _attempts(session: Session, *where: object) -> int:
    return session.scalar(select(func.count()).select_from(SignupAttempt).where(*where)) or 0  # type: ignore[arg-type]


def is_spent(session: Session, proof_print: str) -> bool:
    """Whether a proof of work was used before."""
    return session.scalar(select(exists().where(SignupAttempt.proof_print == proof_print))) or False


def to_remind(session: Session, before: datetime, after: datetime, limit: int) -> Sequence[Consent]:
    """Consents asked for in that span, still unconfirmed, whose people were not reminded yet."""
    reminded = exists().where(
        Delivery.subscriber_id == Consent.subscriber_id,
        Delivery.reason == literal("reminder:") + sql_cast(Consent.subscriber_id, SqlString),
    )
    found = (
        select(Consent)
        .join(Subscriber, Subscriber.id == Consent.subscriber_id)
        .where(
            Consent.requested_at <= before,
            Consent.requested_at > after,
            Consent.confirmed_at.is_(None),
            Subscriber.status == Status.PENDING,
            ~reminded,
        )
        .order_by(Consent.id)
    )
    return session.scalars(found.limit(limit)).all()


def confirmations_sent(session: Session, after: datetime) -> Sequence[tuple[Consent, datetime]]:
    """Consents asked for since `after` whose confirmation was accepted but not noted yet, and when it was."""
    found = (
        select(Consent, Delivery.accepted_at)
        .join(
            Delivery,
            (Delivery.subscriber_id == Consent.subscriber_id)
            & (Delivery.reason == literal("confirm:") + sql_cast(Consent.id, SqlString)),
        )
        .where(Consent.confirmation_sent_at.is_(None), Consent.requested_at > after, Delivery.state == State.ACCEPTED)
    )
    return [(consent, at) for consent, at in session.execute(found.limit(500)) if at]


def to_purge(session: Session, before: datetime, limit: int) -> Sequence[int]:
    """People who never confirmed and whose last request is older than `before`."""
    newer = exists().where(Consent.subscriber_id == Subscriber.id, Consent.requested_at > before)
    found = select(Subscriber.id).where(Subscriber.status == Status.PENDING, Subscriber.created_at <= before, ~newer)
    return session.scalars(found.limit(limit)).all()
