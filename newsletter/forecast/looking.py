"""Looking ahead a second at a time: whoever asks works out a little more, and nobody waits for the whole."""

from __future__ import annotations

import time
from dataclasses import dataclass

from newsletter import clock
from newsletter.accounts import queries as accounts
from newsletter.database.engine import db, transaction
from newsletter.forecast import actions, outlooks, records
from newsletter.forecast.calendar import share
from newsletter.forecast.models import Outlook
from newsletter.forecast.queries import stretch

PATIENCE = 1.0  # seconds that a request works at it; with the rest of the page that stays below two
FIRST, FEWEST, MOST = 500, 100, 20_000  # readers in a slice
SLICE_SECONDS = 0.3  # what a slice should take


@dataclass(frozen=True)
class Looked:
    """What there is to show: the outlook to read from, and how much of a newer one is worked out (percent)."""

    outlook: Outlook
    share: int
    done: bool


def look(patience: float = PATIENCE, *, anew: bool = False) -> Looked:
    """The days ahead, worked out for at most about `patience` seconds; `anew` does not take what is there."""
    until, now = time.monotonic() + patience, clock.now()
    session = db.session()
    marks = records.marks(session)
    done, under_way = outlooks.newest(session, done=True), outlooks.newest(session, done=False)
    if done is not None and outlooks.holds(done, marks, now) and not anew and under_way is None:
        return Looked(done, 100, True)
    if under_way is None or not outlooks.goes_on(under_way, marks, now):
        with transaction() as writing:
            under_way = actions.begin(writing, marks, now)
    size = FIRST
    while under_way.done_at is None and time.monotonic() < until:
        began = time.monotonic()
        under_way = _slice(under_way, size, began)
        size = _next_size(size, time.monotonic() - began)
    if under_way.done_at is not None:
        return Looked(under_way, 100, True)
    far = share(under_way.after, records.highest_reader(db.session()))
    # The last one that was finished is worth more than half of the next; its own page says from when it is.
    return Looked(outlooks.newest(db.session(), done=True) or under_way, far, False)


def _slice(outlook: Outlook, size: int, began: float) -> Outlook:
    session = db.session()
    zone = accounts.zone_of(accounts.studio(session))
    rows, last = stretch(session, outlook.begun_at, outlook.until, outlook.after, size)
    with transaction() as writing:
        actions.add(writing, outlook, rows, last, zone, time.monotonic() - began, clock.now())
    # As it is now, whoever moved it on; when somebody began anew meanwhile, it is gone, and theirs is the one.
    session = db.session()
    found = outlooks.newest(session, done=False) or outlooks.newest(session, done=True)
    return found or outlook


def _next_size(size: int, took: float) -> int:
    return max(FEWEST, min(MOST, int(size * min(4.0, SLICE_SECONDS / max(took, 0.001)))))
