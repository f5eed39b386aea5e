"""`flask doctor`: looks at the installation and says what to do about each finding."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import current_app
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from newsletter import clock
from newsletter.accounts import queries as accounts
from newsletter.database.engine import db
from newsletter.delivery import health, relay_rows
from newsletter.delivery.rules import Lane, State
from newsletter.delivery.transports import exchange
from newsletter.errors import RelayError, Unsealable
from newsletter.logs import without_addresses
from newsletter.magnets import queries as magnets
from newsletter.settings import Settings, Smtp, current
from newsletter.work import heartbeats
from newsletter.work.queue import queue

LATE = timedelta(minutes=10)
# A worker gives a sign of life every minute; three missed ones are no coincidence.
SILENCE = timedelta(minutes=3)
SKEW = timedelta(minutes=1)  # a lease lasts five minutes, so clocks that differ by less do no harm
# SQLite needs room for its journal; below this a broadcast of 100,000 no longer fits.
FULL, PLENTY, NEARLY_FULL = 200 * 2**20, 5 * 2**30, 0.1


@dataclass(frozen=True)
class Finding:
    """Something to mend: what is wrong and what to do; `serious` means emails do not go out or links do not work.

    `fatal` means that nothing else can be looked at.
    """

    what: str
    remedy: str
    serious: bool = True
    fatal: bool = False


def examine() -> list[Finding]:
    """Every finding, the serious ones first."""
    try:
        db.session().connection()
    except SQLAlchemyError as problem:
        what = f"The database cannot be reached: {problem}."
        return [Finding(what, "Check DATABASE_URL and that it is running.", fatal=True)]
    checks: tuple[Callable[[], Iterator[Finding]], ...] = (
        _schema,
        _workers,
        _database_clock,
        _database_durability,
        _queue,
        _disk,
        _mail,
        _outbox,
        _studio,
        _gifts,
    )
    if any(True for _ in _schema()):
        return list(_schema())
    found = [finding for check in checks for finding in check()]
    return sorted(found, key=lambda finding: not finding.serious)


def _schema() -> Iterator[Finding]:
    migrations = ScriptDirectory(f"{current_app.root_path}/newsletter/database/migrations")
    is_at = MigrationContext.configure(db.session().connection()).get_current_revision()
    if is_at != migrations.get_current_head():
        what = f"The database is at version {is_at}, the program wants another."
        yield Finding(what, "Run: flask db upgrade", fatal=True)


def _workers() -> Iterator[Finding]:
    now = clock.now()
    beat = heartbeats.last_beat(db.session())
    if beat is None or now - beat > SILENCE:
        seen = f" The last one was seen at {_moment(beat)}." if beat else ""
        yield Finding(
            f"No worker is running, so nothing is sent.{seen}", "Start one: flask worker (python app.py does both)."
        )
    for name, at in heartbeats.workers(db.session(), now - heartbeats.FORGOTTEN):
        if at - now > SKEW:
            yield Finding(
                f"The clock of the worker {name} is {_minutes(at - now)} ahead of this machine's.",
                "Let every machine set its clock by NTP (timedatectl set-ntp true); leases and rates go by it.",
            )
    left = health.stuck(db.session(), now)
    if left:
        yield Finding(
            f"{left:,} {'email is' if left == 1 else 'emails are'} in the hands of a worker that does not answer.",
            "Nothing to do while another worker runs: it takes back what was not sent. Else start one.",
            serious=False,
        )


def _database_clock() -> Iterator[Finding]:
    if current().database_url.startswith("postgresql"):
        away = db.session().execute(text("SELECT clock_timestamp()")).scalar_one() - clock.now()
        if abs(away) > SKEW:
            side = "ahead of" if away > timedelta(0) else "behind"
            yield Finding(
                f"The database's clock is {_minutes(abs(away))} {side} this machine's.",
                "Let both machines set their clocks by NTP (timedatectl set-ntp true).",
            )


def _database_durability() -> Iterator[Finding]:
    if current().database_url.startswith("postgresql"):
        shown = "SELECT name FROM pg_settings WHERE name IN ('fsync', 'synchronous_commit') AND setting = 'off'"
        for setting in db.session().scalars(text(shown)):
            # Tried: after a crash of the server emails that had gone stood as planned again, and went twice.
            yield Finding(
                f"The database's setting {setting} is off: when it crashes it forgets what was sent, and sends again.",
                f"Set {setting} = on in postgresql.conf and reload it.",
                serious=False,
            )


def _queue() -> Iterator[Finding]:
    try:
        queue().huey.pending_count()
    except Exception as problem:  # each kind of queue has errors of its own
        yield Finding(
            f"The queue cannot be reached: {without_addresses(str(problem))}",
            "Check QUEUE_URL and that it is running; until then nothing wakes the workers.",
        )


def _disk() -> Iterator[Finding]:
    url = current().database_url
    if url.startswith("sqlite:///"):
        folder = Path(url.removeprefix("sqlite:///")).parent
        room = shutil.disk_usage(folder)
        if room.free < FULL:
            yield Finding(
                f"The disk of {folder} is full: {room.free // 2**20:,} MB are left.",
                "Make room now: without it no sign-up is kept and nothing is sent. Nothing is lost that was kept.",
            )
        elif room.free < room.total * NEARLY_FULL and room.free < PLENTY:
            yield Finding(
                f"The disk of {folder} is nearly full: {room.free // 2**20:,} MB are left.",
                "Make room, or move DATA_DIR to a bigger disk.",
                serious=False,
            )


def _mail() -> Iterator[Finding]:
    session, settings = db.session(), current()
    if relay_rows.into_mailbox(session):
        yield Finding(
            "SMTP_URL is not set: every email stays in the mailbox.",
            "Set it, or add a mail server in the back office, to go live.",
            serious=False,
        )
        return
    if settings.is_local:
        yield Finding("BASE_URL is local: links in emails work on this machine only.", "Set BASE_URL.")
    for name, smtp in _servers(session, settings).items():
        try:
            with exchange(smtp(), name=name):
                pass
        except (RelayError, Unsealable) as problem:
            yield Finding(problem.happened, problem.remedy or "Check SMTP_URL, or what the back office says of it.")


def _servers(session: Session, settings: Settings) -> dict[str, Callable[[], Smtp | None]]:
    """How to reach each mail server in use; the one of SMTP_URL has no row before the first worker ran."""
    own: dict[str, Callable[[], Smtp | None]] = {}
    if settings.smtp:
        own[relay_rows.name_of(settings.smtp)] = lambda: settings.smtp
    return own | {relay.name: partial(relay_rows.smtp_of, relay) for relay in health.relays(session)}


def _outbox() -> Iterator[Finding]:
    session, now = db.session(), clock.now()
    held = health.held(session)
    for hold in held:
        yield Finding(
            f"{hold.words} {'are' if hold.lane else 'is'} on hold since {_moment(hold.since)}: {hold.why}",
            "Press “Go on” in the outbox when it may go out."
            if hold.lane
            else "Let it go on, or cancel it, in Emails.",
            serious=False,
        )
    # Where emails do go out, a long queue is a rate or a cap; a confirmation goes in front of all of it.
    flows = bool(health.ended_since(session, [State.ACCEPTED], now - LATE))
    for lane, due in health.oldest_due(session, now).items():
        on_hold = f"lane:{int(lane)}" in {hold.what for hold in held}
        if now - due > LATE and not on_hold and (lane is Lane.TRANSACTIONAL or not flows):
            yield Finding(
                f"{health.LANE_WORDS[lane]} are waiting since {_moment(due)}.",
                "Look at the outbox for the reason, and at the log of the workers.",
            )
    for relay in health.relays(session):
        if relay.problem:
            again = f" It is asked again at {_moment(relay.retry_at)}." if relay.retry_at else ""
            yield Finding(
                f"The mail server {relay.name} is not used since {_moment(relay.since)}: {relay.problem}",
                f"Mend it; sending resumes by itself.{again}",
            )
    unknown = health.totals(session).get(State.UNKNOWN, 0)
    if unknown:
        yield Finding(
            f"{unknown:,} {'email is' if unknown == 1 else 'emails are'} uncertain: the answer was lost.",
            "Decide in the outbox: send again, or count as sent.",
            serious=False,
        )


def _moment(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC" if at else "some time ago"


def _minutes(span: timedelta) -> str:
    return f"{round(span.total_seconds() / 60)} minutes"


def overview() -> list[str]:
    """How sending stands, in a few lines; what is wrong is in `examine`."""
    session, now = db.session(), clock.now()
    seen = heartbeats.workers(session, now - heartbeats.FORGOTTEN)
    at_work = [name for name, at in seen if now - at <= SILENCE]
    told = [f"workers: {len(at_work)} at work" + (f", last seen {_moment(seen[0][1])}" if seen else "")]
    totals, due = health.totals(session), health.oldest_due(session, now)
    waiting = sum(totals.get(state, 0) for state in (State.PLANNED, State.CLAIMED, State.SENDING, State.DEFERRED))
    ages = [f"{health.LANE_WORDS[lane].lower()} {_minutes(now - at)}" for lane, at in due.items()]
    told.append(f"emails: {waiting:,} waiting; " + (f"longest due: {', '.join(ages)}" if ages else "none is due"))
    for relay in health.relays(session):
        told.append(f"mail server {relay.name}: {'not used, it has a problem' if relay.problem else 'well'}")
    return told


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
