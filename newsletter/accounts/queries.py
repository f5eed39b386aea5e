"""Reading operators and the studio."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from newsletter import addresses, clock, tokens
from newsletter.accounts.models import AuditEntry, Operator, Studio
from newsletter.errors import InputError
from newsletter.settings import current
from newsletter.tokens import Purpose

STUDIO_ID = 1


def studio(session: Session) -> Studio:
    """The studio; before anything was saved, one with every default, which belongs to no session."""
    return session.get(Studio, STUDIO_ID) or default_studio()


def series_paused_at(session: Session, *, keep: bool = False) -> datetime | None:
    """Since when all series are paused, read afresh; None also while that is being changed, if it is to be kept.

    `keep`: nobody changes it until the transaction ends.
    """
    found = select(Studio.series_paused_at).where(Studio.id == STUDIO_ID)
    return session.scalar(found.with_for_update(read=True, skip_locked=True) if keep else found)


def default_studio() -> Studio:
    """A studio as it is before anybody changed it."""
    return Studio(
        id=STUDIO_ID,
        name="Your Studio",
        sender_name="",
        postal_address="",
        signature="",
        accent="#A84A27",
        logo_hash=None,
        video_url="",
        timezone="UTC",
        download_days=365,
        purge_days=30,
        reminder=True,
        embed_images=False,
        track_clicks=True,
        one_a_day=True,
        first="series",
        overdue_hours=48,
        series_paused_at=None,
        setup_at=None,
    )


def zone_of(studio: Studio) -> ZoneInfo:
    """The studio's time zone, UTC when this machine does not know it."""
    try:
        return ZoneInfo(studio.timezone)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def is_set_up(session: Session) -> bool:
    """Whether the first operator was made already, from the link or on the command line."""
    return studio(session).setup_at is not None or (session.scalar(select(func.count(Operator.id))) or 0) > 0


def setup_url(session: Session) -> str | None:
    """The link that makes the first operator, good for a week; None once there is one."""
    if is_set_up(session):
        return None
    settings = current()
    return f"{settings.base_url}/admin/setup/{tokens.sign(settings.secret_key, Purpose.SETUP, at=clock.now())}"


def operator_by_email(session: Session, typed: str) -> Operator | None:
    """The operator with that address, however it was typed."""
    try:
        key = addresses.parse(typed).key
    except InputError:
        return None
    return session.scalar(select(Operator).where(Operator.email == key))


def audit_log() -> Select[AuditEntry, str]:
    """What operators did, newest first, each with the operator's name or address."""
    who = func.coalesce(func.nullif(Operator.name, ""), Operator.email)
    return (
        select(AuditEntry, who)
        .outerjoin(Operator, Operator.id == AuditEntry.operator_id)
        .order_by(AuditEntry.at.desc(), AuditEntry.id.desc())
    )


def audit_of(actions: Iterable[str], subjects: Iterable[str]) -> Select[AuditEntry, str]:
    """Those lines of the audit log that are about these subjects and say that one of these things was done."""
    return audit_log().where(AuditEntry.action.in_(list(actions)), AuditEntry.subject.in_(list(subjects)))
