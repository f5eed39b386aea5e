"""One turn of what time does to sign-ups: reminders, notes that confirmations went out, forgetting."""

from __future__ import annotations

import structlog
from flask import current_app

from newsletter import clock
from newsletter.accounts import queries as accounts
from newsletter.database.engine import db, transaction
from newsletter.errors import Busy
from newsletter.settings import current
from newsletter.signup import actions, queries, spool

log = structlog.get_logger()


def take_spooled() -> int:
    """Take in the sign-ups that came while the database could not be written to."""
    settings, taken = current(), 0
    for one in spool.kept(settings.data_dir / "spool"):
        try:
            with transaction() as session:
                form = queries.form_by_slug(session, one.form)
                actions.sign_up(session, form, one.press, settings.secret_key, clock.now())
        except Busy:
            raise  # still not to be written to: all of them wait for the next turn
        except Exception:
            # Its form is gone, or a stranger sent what no column takes; everybody behind it must not wait for ever.
            log.exception("a kept sign-up cannot be taken in", file=one.file.name)
            one.file.rename(one.file.with_suffix(".refused"))
            continue
        # After the commit: killed in between it is taken in twice, and the cool-down makes that harmless.
        one.file.unlink()
        taken += 1
    return taken


def remind_due() -> int:
    """Remind those who have not confirmed after a day, where the studio wants it."""
    wanted = accounts.studio(db.session()).reminder
    if not wanted:
        return 0
    with transaction() as session:
        return actions.remind(session, clock.now())


def note_confirmations() -> int:
    """Complete the consent records."""
    with transaction() as session:
        return actions.note_confirmations(session, clock.now())


def purge_due() -> int:
    """Forget people who never confirmed."""
    days = accounts.studio(db.session()).purge_days
    with transaction() as session:
        return actions.purge(session, current_app.extensions["forget"], days, clock.now())
