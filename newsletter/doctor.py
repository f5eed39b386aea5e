"""`flask doctor`: looks at the installation and says what to do about each finding."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import current_app
from sqlalchemy.exc import SQLAlchemyError

from newsletter import clock
from newsletter.accounts import queries as accounts
from newsletter.database.engine import db
from newsletter.delivery import queries as ledger
from newsletter.delivery.transports import choose
from newsletter.errors import RelayError
from newsletter.magnets import queries as magnets
from newsletter.settings import current
from newsletter.work import heartbeats

LATE = timedelta(minutes=10)


@dataclass(frozen=True)
class Finding:
    """Something to mend: what is wrong and what to do; `serious` means emails do not go out or links do not work."""

    what: str
    remedy: str
    serious: bool = True


def examine() -> list[Finding]:
    """Every finding, the serious ones first."""
    try:
        db.session().connection()
    except SQLAlchemyError as problem:
        return [Finding(f"The database cannot be reached: {problem}.", "Check DATABASE_URL and that it is running.")]
    checks: tuple[Callable[[], Iterator[Finding]], ...] = (_schema, _worker, _mail, _outbox, _studio, _gifts)
    if any(True for _ in _schema()):
        return list(_schema())
    found = [finding for check in checks for finding in check()]
    return sorted(found, key=lambda finding: not finding.serious)


def _schema() -> Iterator[Finding]:
    migrations = ScriptDirectory(f"{current_app.root_path}/newsletter/database/migrations")
    is_at = MigrationContext.configure(db.session().connection()).get_current_revision()
    if is_at != migrations.get_current_head():
        yield Finding(f"The database is at version {is_at}, the program wants another.", "Run: flask db upgrade")


def _worker() -> Iterator[Finding]:
    beat = heartbeats.last_beat(db.session())
    if beat is None or clock.now() - beat > timedelta(minutes=3):
        yield Finding("No worker is running, so nothing is sent.", "Start one: flask worker (python app.py does both).")


def _mail() -> Iterator[Finding]:
    settings = current()
    if settings.smtp is None:
        yield Finding("SMTP_URL is not set: every email stays in the mailbox.", "Set it to go live.", serious=False)
        return
    if settings.is_local:
        yield Finding("BASE_URL is local: links in emails work on this machine only.", "Set BASE_URL.")
    try:
        with choose(settings):
            pass
    except RelayError as problem:
        yield Finding(problem.happened, problem.remedy or "Check SMTP_URL.")


def _outbox() -> Iterator[Finding]:
    due = ledger.next_due(db.session())
    if due is not None and clock.now() - due > LATE:
        yield Finding(f"An email is waiting since {due:%Y-%m-%d %H:%M} UTC.", "Look at the outbox for the reason.")
    for relay in ledger.relay_problems(db.session()):
        yield Finding(
            f"The mail server {relay.name} refuses us: {relay.problem}", "Mend it; sending resumes by itself."
        )
    unknown = ledger.counts(db.session()).get("unknown", 0)
    if unknown:
        yield Finding(f"{unknown} emails are uncertain.", "Decide in the outbox: send again, or count as sent.")


def _studio() -> Iterator[Finding]:
    studio = accounts.studio(db.session())
    if not studio.postal_address and not current().postal_address:
        yield Finding("No postal address is set; the law asks for one in every email.", "Set it in Settings.", False)
    if not accounts.is_set_up(db.session()):
        yield Finding("There is no operator yet.", "Open the link that python app.py prints.", serious=False)
    try:
        ZoneInfo(studio.timezone)
    except (KeyError, ValueError):
        yield Finding(f"The time zone {studio.timezone!r} is unknown.", "Choose one in Settings.", serious=False)


def _gifts() -> Iterator[Finding]:
    for magnet in magnets.drawn(db.session()):
        if magnet.press_error:
            yield Finding(f"The gift “{magnet.title}” cannot be made: {magnet.press_error}", "Change it in Gifts.")
