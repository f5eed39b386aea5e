"""What changes operators, the studio and the audit log."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any

from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from newsletter import addresses
from newsletter.accounts import passwords, queries, rules
from newsletter.accounts.models import AuditEntry, Operator, Studio
from newsletter.database import blobs
from newsletter.errors import InputError, Refused


def record(
    session: Session, action: str, *, by: int | None, now: datetime, subject: str = "", **detail: str | int | list[str]
) -> None:
    """Write down that operator `by` did `action` to `subject` ("subscriber:7"); raises ValueError on an address."""
    if "@" in f"{subject} {detail}":
        raise ValueError("the audit log holds no addresses: name a row by its id")
    session.add(AuditEntry(at=now, operator_id=by, action=action, subject=subject, detail=dict(detail)))


def told(text: str) -> str:
    """What an operator typed as the audit log may hold it: on one line, at most 300 characters, without an address."""
    return " ".join(text.replace("@", " at ").split())[:300]


def ensure_studio(session: Session) -> Studio:
    """The studio's row, made with every default when it is missing."""
    found = session.get(Studio, queries.STUDIO_ID)
    if found is not None:
        return found
    try:
        with session.begin_nested():
            session.add(queries.default_studio())
    except IntegrityError:
        pass  # another process was faster; its row is the row
    return session.get_one(Studio, queries.STUDIO_ID)


def create_operator(session: Session, email: str, password: str, now: datetime, name: str = "") -> Operator:
    """Make an operator, and with the first one the setup link void; raises InputError in words for the person."""
    key = addresses.parse(email).key
    problem = rules.password_problem(password, key)
    if problem:
        raise InputError("This password cannot be used.", means=problem)
    if queries.operator_by_email(session, key) is not None:
        raise InputError("There is an operator with this address already.", remedy="Sign in, or use another address.")
    ensure_studio(session)
    session.execute(update(Studio).where(Studio.setup_at.is_(None)).values(setup_at=now))
    operator = Operator(
        email=key,
        name=name.strip()[:120],
        password_hash=passwords.keep(password),
        session_key=secrets.token_urlsafe(32),
        created_at=now,
        signed_in_at=None,
    )
    session.add(operator)
    session.flush()
    record(session, "operator.created", by=operator.id, now=now, subject=f"operator:{operator.id}")
    return operator


def create_first_operator(session: Session, email: str, password: str, now: datetime, name: str = "") -> Operator:
    """Make the operator of the setup link; raises Refused when somebody else was first."""
    ensure_studio(session)
    # One statement decides the race: of two people pressing at once, one changes the row, the other finds it changed.
    won = session.execute(
        update(Studio).where(Studio.id == queries.STUDIO_ID, Studio.setup_at.is_(None)).values(setup_at=now)
    )
    if won.rowcount != 1:  # type: ignore[attr-defined]
        raise Refused("This site has its operator already.", remedy="Sign in instead.")
    return create_operator(session, email, password, now, name)


def signed_in(session: Session, operator: Operator, password: str, now: datetime) -> Operator:
    """Note a sign-in, and keep the password with today's parameters when its hash is older."""
    kept = session.get_one(Operator, operator.id)
    kept.signed_in_at = now
    if passwords.is_outdated(kept.password_hash):
        kept.password_hash = passwords.keep(password)
    return kept


def end_sessions(session: Session, operator_id: int) -> Operator:
    """Make every session cookie of an operator worthless, on every device."""
    operator = session.get_one(Operator, operator_id)
    operator.session_key = secrets.token_urlsafe(32)
    return operator


def change_password(session: Session, operator_id: int, current: str, new: str, now: datetime) -> Operator:
    """Change a password and end every session; raises InputError when the current one is wrong or the new one unfit."""
    operator = session.get_one(Operator, operator_id)
    if not passwords.matches(operator.password_hash, current):
        raise InputError("That is not your current password.")
    problem = rules.password_problem(new, operator.email)
    if problem:
        raise InputError(problem)
    operator.password_hash = passwords.keep(new)
    record(session, "password.changed", by=operator.id, now=now, subject=f"operator:{operator.id}")
    return end_sessions(session, operator_id)


def reset_password(session: Session, email: str, new: str, now: datetime) -> Operator:
    """Give an operator who forgot theirs a new password, and end every session; raises InputError."""
    operator = queries.operator_by_email(session, email)
    if operator is None:
        raise InputError("There is no operator with this address.", remedy="Leave --reset out to make one.")
    problem = rules.password_problem(new, operator.email)
    if problem:
        raise InputError("This password cannot be used.", means=problem)
    operator.password_hash = passwords.keep(new)
    record(session, "password.changed", by=operator.id, now=now, subject=f"operator:{operator.id}")
    return end_sessions(session, operator.id)


def rename(session: Session, operator_id: int, name: str, now: datetime) -> None:
    """Change how an operator is called."""
    session.get_one(Operator, operator_id).name = " ".join(name.split())[:120]
    record(session, "operator.renamed", by=operator_id, now=now, subject=f"operator:{operator_id}")


def change_settings(session: Session, values: dict[str, Any], *, by: int, now: datetime) -> list[str]:
    """Keep checked settings (see settings_form); returns the names of those that changed."""
    studio = ensure_studio(session)
    changed = [name for name, value in values.items() if getattr(studio, name) != value]
    zones = {"zone_was": studio.timezone, "zone_is": values["timezone"]} if "timezone" in changed else {}
    for name in changed:
        setattr(studio, name, values[name])
    if changed:
        record(session, "settings.changed", by=by, now=now, subject="studio:1", fields=changed, **zones)
    return changed


def set_logo(session: Session, png: bytes | None, *, by: int, now: datetime) -> None:
    """Keep a logo made by `logo.remake`, or none; the old file stays, because sent emails show it."""
    studio = ensure_studio(session)
    studio.logo_hash = blobs.put(session, png, "image/png", now) if png else None
    record(session, "logo.changed" if png else "logo.removed", by=by, now=now, subject="studio:1")
