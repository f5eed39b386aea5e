"""Looking ahead a second at a time: whoever asks works out a little more, and nobody waits for the whole."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from threading import Lock
from time import monotonic
from zoneinfo import ZoneInfo

from newsletter import clock
from newsletter.accounts import queries as accounts
from newsletter.audience import queries as audience
from newsletter.database.engine import db, transaction
from newsletter.errors import Busy
from newsletter.forecast import actions, outlooks, records
from newsletter.forecast.calendar import Cell, Stretch, share, stretches
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


# What took longer to count (seconds) is counted once and kept: after this margin nothing is added to it any more. A
# sheet has at most 42 days, so that all those too quick to be kept are counted in one look, and it comes to an end.
WORTH_KEEPING, MARGIN = 0.01, timedelta(hours=1)


@dataclass(frozen=True)
class Behind:
    """What was sent, as far as it is counted (percent of the days, or of the hours of one)."""

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


def look_back(
    days: Iterable[date],
    zone: ZoneInfo,
    now: datetime,
    patience: float = PATIENCE / 2,
    *,
    tag: str = "",
    by_hour: bool = False,
) -> Behind:
    """What was sent on these days until now (to who has the tag), counted for at most about `patience` seconds.

    What is over comes first, the latest first; what is not cannot be kept, and is counted when all else is known.
    """
    until, session = monotonic() + patience, db.session()
    tag_id = audience.tag_ids(session, [tag]).get(tag) if tag else None
    if tag and tag_id is None:
        return Behind([], 100, True)
    begun = [one for one in reversed(stretches(days, zone, by_hour=by_hour)) if one.start <= now]
    known = outlooks.counted(session, begun, zone, tag_id, now)
    for one in begun:
        if one not in known and one.end + MARGIN < now and monotonic() < until:
            known[one] = _counted(one, tag, outlooks.part_of(one, zone, tag_id), now)
    if all(one in known for one in begun if one.end + MARGIN < now):
        known |= {one: _sent(one, tag) for one in begun if one not in known}
    cells = [cell for one in begun for cell in known.get(one, ())]
    missing = sum(one not in known for one in begun)
    return Behind(cells, 100 - 100 * missing // max(len(begun), 1), not missing)


def _counted(one: Stretch, tag: str, part: str, now: datetime) -> list[Cell]:
    began, cells = monotonic(), _sent(one, tag)
    if monotonic() - began > WORTH_KEEPING:
        with transaction() as writing:
            actions.keep_count(writing, one.day, part, cells, now)
    return cells


def _sent(one: Stretch, tag: str) -> list[Cell]:
    return records.sent(db.session(), one.day, one.start, one.end, tag=tag)


def _next_size(size: int, took: float) -> int:
    return max(FEWEST, min(MOST, int(size * min(4.0, SLICE_SECONDS / max(took, 0.001)))))
