"""Writes of the calendar: the days ahead as they are worked out, and the links of feeds."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import delete, insert, update
from sqlalchemy.orm import Session

from newsletter.errors import InputError, NotFound
from newsletter.forecast import outlooks
from newsletter.forecast.calendar import AHEAD, Cell, Who, pack
from newsletter.forecast.models import Feed, Outlook, OutlookPart, SentDay
from newsletter.forecast.outlooks import Snapshot
from newsletter.forecast.records import Marks
from newsletter.forecast.rules import Bare
from newsletter.work.claims import insert_rows

MOST_FEEDS = 20


def begin(session: Session, marks: Marks, now: datetime) -> None:
    """Begin to look ahead anew; what another look left unfinished goes."""
    session.execute(delete(Outlook).where(Outlook.done_at.is_(None)))
    until = now + timedelta(days=AHEAD)
    session.add(Outlook(mark=marks.structure, data_mark=marks.data, begun_at=now, until=until, done_at=None))


def add(
    session: Session, outlook: Snapshot, rows: Iterable[Bare], last: int | None, zone: ZoneInfo, seconds: float,
    now: datetime,
) -> bool:  # fmt: skip
    """Add what a slice of readers gets; `last` is the last reader of it, None for the end. False: somebody else did.

    Two people may look at once, and both go on where the outlook stood: only the first one's slice counts.
    """
    moved_on = (
        update(Outlook)
        .where(Outlook.id == outlook.id, Outlook.after == outlook.after, Outlook.done_at.is_(None))
        .values(
            after=outlook.after if last is None else last,
            seconds=Outlook.seconds + seconds,
            done_at=now if last is None else None,
        )
    )
    if not session.connection().execute(moved_on).rowcount:
        return False
    parts = _parts(outlook, rows, zone)
    if parts:
        session.execute(insert(OutlookPart), parts)
    if last is None:
        session.execute(delete(Outlook).where(Outlook.id != outlook.id))
    return True


def _parts(outlook: Snapshot, rows: Iterable[Bare], zone: ZoneInfo) -> list[dict[str, object]]:
    by_cell: dict[tuple[date, str], list[Bare]] = {}
    for row in rows:
        by_cell.setdefault((row.at.astimezone(zone).date(), outlooks.item_of(row)), []).append(row)
    return [
        {
            "outlook_id": outlook.id,
            "day": day,
            "item": item,
            "people": len(found),
            "moved": sum(row.moved_from is not None for row in found),
            "first_at": min(row.at for row in found),
            "last_at": max(row.at for row in found),
            "who": pack(
                Who(outlooks.minute(outlook, row.at), row.moved_from is not None, row.subscriber_id) for row in found
            ),
        }
        for (day, item), found in by_cell.items()
    ]


def keep_count(session: Session, day: date, part: str, cells: Iterable[Cell], now: datetime) -> None:
    """Keep what was counted of a day that is over instead of an older count; counted twice at once, it is kept once."""
    session.execute(delete(SentDay).where(SentDay.day == day, SentDay.part == part))
    rows = [
        {
            "day": day, "part": part, "item": cell.item, "people": cell.people, "moved": cell.moved,
            "first_at": cell.first_at, "last_at": cell.last_at,
        }
        for cell in cells
    ]  # fmt: skip
    seal = {"item": "", "people": 0, "moved": 0, "first_at": now, "last_at": now}
    rows.append({"day": day, "part": part, **seal})
    insert_rows(session, SentDay, rows, unique=[SentDay.day, SentDay.part, SentDay.item])


def make_feed(session: Session, name: str, *, by: int, now: datetime) -> Feed:
    """A new secret link for a calendar program; raises InputError without a name, or when there are too many."""
    tidy = " ".join(name.split())[:80]
    if not tidy:
        raise InputError("The link needs a name.", remedy="Say where you will use it, for example “My phone”.")
    if len(list(outlooks.feeds(session))) >= MOST_FEEDS:
        raise InputError(f"There are {MOST_FEEDS} links already.", remedy="Take back one that is not used any more.")
    made = Feed(name=tidy, created_at=now, created_by=by, revoked_at=None, read_at=None)
    session.add(made)
    session.flush()
    return made


def revoke_feed(session: Session, feed_id: int, now: datetime) -> None:
    """Take a link back: it never works again; raises NotFound when it does not work now."""
    found = outlooks.feed(session, feed_id)
    if found is None:
        raise NotFound("There is no such calendar link (any more).", remedy="Look at the list of links.")
    found.revoked_at = now


def note_read(session: Session, feed_id: int, now: datetime) -> None:
    """Note that a calendar program fetched a feed."""
    session.execute(update(Feed).where(Feed.id == feed_id).values(read_at=now))
