"""Keeping the days ahead fresh for calendar programs, which fetch a feed and never wait for it."""

from __future__ import annotations

from datetime import timedelta

from newsletter import clock
from newsletter.database.engine import db
from newsletter.forecast import looking, outlooks

FRESH = timedelta(hours=1)  # as often as the feed asks programs to come back
READ_LATELY = timedelta(days=2)  # a feed that no program fetches any more costs nothing


def refresh() -> int:
    """Work out a moment's worth of what is ahead, when a feed that is read shows what is an hour old."""
    session, now = db.session(), clock.now()
    if not outlooks.read_since(session, now - READ_LATELY):
        return 0
    done = outlooks.newest(session, done=True)
    if done is not None and now - done.begun_at < FRESH:
        return 0
    looking.look(anew=True)
    return 1
