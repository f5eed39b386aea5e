"""Looking ahead a second at a time: whoever asks works out a little more, and nobody waits for the whole."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from threading import Lock
from time import monotonic
from zoneinfo import ZoneInfo

from newsletter import clock
from newsletter.accounts import queries as accounts
from newsletter.database.engine import db, transaction
from newsletter.errors import Busy
from newsletter.forecast import actions, outlooks, records
from newsletter.forecast.calendar import Cell, bounds, share
from newsletter.forecast.outlooks import Snapshot
from newsletter.forecast.queries import stretch
from newsletter.forecast.records import Marks

PATIENCE = 1.0  # seconds that a request works at it; with the rest of the page that stays below two
# Readers in a slice; no more than that, because behind ten thousand quick ones may come slow ones.
FIRST, FEWEST, MOST = 100, 25, 2_000
SLICE_SECONDS = 0.3  # what a slice should take
# One thread works at it. Fifty people who open the calendar at once would all work out the same slice, and all but the
# first for nothing; between processes it is the row that decides.
_WORKING = Lock()


# A day that took longer to count (seconds) is counted once and kept: after this margin nothing is added to it any more.
WORTH_KEEPING, MARGIN = 0.05, timedelta(hours=1)


@dataclass(frozen=True)
class Behind:
    """What was sent, as far as it is counted (percent of the days)."""

    cells: list[Cell]
    share: int
    done: bool


@dataclass(frozen=True)
class Looked:
    """What there is to show: the outlook to read from, and how much of a newer one is worked out (percent)."""

    outlook: Snapshot
    share: int
    done: bool


def look(patience: float = PATIENCE, *, anew: bool = False) -> Looked:
    """The days ahead, worked out for at most about `patience` seconds; `anew` does not take what is there."""
    until, now = monotonic() + patience, clock.now()
    session = db.session()
    marks = records.marks(session)
    done, under_way = outlooks.newest(session, done=True), outlooks.newest(session, done=False)
    if done is not None and outlooks.holds(done, marks, now) and not anew and under_way is None:
        return Looked(done, 100, True)
    if not _WORKING.acquire(blocking=False):
        nothing = Snapshot(0, marks.structure, marks.data, now, now, 0, 0.0, None)  # not even begun
        return _so_far(done or under_way or nothing, under_way or nothing)
    try:
        return _work(under_way, marks, now, until)
    finally:
        _WORKING.release()


def _work(under_way: Snapshot | None, marks: Marks, now: datetime, until: float) -> Looked:
    if under_way is None or not outlooks.goes_on(under_way, marks, now):
        with transaction() as writing:
            actions.begin(writing, marks, now)
        under_way = _latest()
    size, took = FIRST, 0.0
    while under_way.done_at is None and (began := monotonic()) + took < until:
        under_way = _slice(under_way, size, began)
        took = monotonic() - began
        size = _next_size(size, took)
    if under_way.done_at is not None:
        return Looked(under_way, 100, True)
    return _so_far(outlooks.newest(db.session(), done=True) or under_way, under_way)


def _so_far(shown: Snapshot, under_way: Snapshot) -> Looked:
    # The last one that was finished is worth more than half of the next; its own page says from when it is.
    return Looked(shown, share(under_way.after, records.highest_reader(db.session())), False)


def _slice(outlook: Snapshot, size: int, began: float) -> Snapshot:
    session = db.session()
    zone = accounts.zone_of(accounts.studio(session))
    rows, last = stretch(session, outlook.begun_at, outlook.until, outlook.after, size)
    with transaction() as writing:
        actions.add(writing, outlook, rows, last, zone, monotonic() - began, clock.now())
    return _latest()


def _latest() -> Snapshot:
    """The outlook to go on with, whoever moved it on; when somebody began anew or finished, theirs is the one."""
    session = db.session()
    found = outlooks.newest(session, done=False) or outlooks.newest(session, done=True)
    if found is None:
        raise Busy("What is ahead was thrown away while it was worked out.", remedy="Look again.")
    return found


def look_back(days: list[date], zone: ZoneInfo, now: datetime, patience: float = PATIENCE / 2) -> Behind:
    """What was sent on these days until now, counted for at most about `patience` seconds, the latest day first."""
    until, session = monotonic() + patience, db.session()
    begun = [day for day in reversed(days) if bounds(day, zone)[0] <= now]
    known = outlooks.counted_days(session, days[0], days[-1], zone)
    for day in begun:
        if day not in known and monotonic() < until:
            known[day] = _counted(day, zone, now)
    cells = [cell for day in begun for cell in known.get(day, ())]
    missing = sum(day not in known for day in begun)
    return Behind(cells, 100 - 100 * missing // max(len(begun), 1), not missing)


def _counted(day: date, zone: ZoneInfo, now: datetime) -> list[Cell]:
    began, (start, end) = monotonic(), bounds(day, zone)
    cells = records.sent(db.session(), day, start, end)
    if monotonic() - began > WORTH_KEEPING and end + MARGIN < now:
        with transaction() as writing:
            actions.keep_day(writing, day, zone, cells, now)
    return cells


def _next_size(size: int, took: float) -> int:
    return max(FEWEST, min(MOST, int(size * min(4.0, SLICE_SECONDS / max(took, 0.001)))))
