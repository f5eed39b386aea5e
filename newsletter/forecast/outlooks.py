"""Reading what was worked out of the days ahead, and saying how long it holds."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from newsletter.forecast.calendar import MINUTE, Cell, Stretch, Who, minutes, unpack
from newsletter.forecast.models import Feed, Outlook, OutlookPart, SentDay
from newsletter.forecast.records import Marks
from newsletter.forecast.rules import Bare

# A list that is worked out in so little time is worked out anew as soon as anybody joins or gets anything.
QUICK = 1.0  # seconds
LONGEST = timedelta(minutes=15)  # even when nothing changed: time went on
ABANDONED = timedelta(minutes=10)  # an unfinished one that is older is begun anew


@dataclass(frozen=True)
class Snapshot:
    """An outlook as it was read, not a row that a session reads again: others move it on or throw it away meanwhile."""

    id: int
    mark: str
    data_mark: str
    begun_at: datetime
    until: datetime
    after: int
    seconds: float
    done_at: datetime | None


def holds(outlook: Snapshot, marks: Marks, now: datetime) -> bool:
    """Whether what was worked out can still be shown as it is.

    A large list changes every second, so one that took long holds for twenty times as long as it took: looking
    at the calendar then costs a twentieth of a processor at most.
    """
    if outlook.mark != marks.structure or outlook.done_at is None:
        return False
    age = now - outlook.done_at
    if age > LONGEST:
        return False
    return outlook.data_mark == marks.data or (
        outlook.seconds >= QUICK and age < timedelta(seconds=20 * outlook.seconds)
    )


def newest(session: Session, *, done: bool) -> Snapshot | None:
    """The outlook begun last, of those that are done or of those that are not."""
    finished = Outlook.done_at.is_not(None) if done else Outlook.done_at.is_(None)
    columns = [getattr(Outlook, column.name) for column in fields(Snapshot)]
    row = session.execute(select(*columns).where(finished).order_by(Outlook.id.desc()).limit(1)).first()
    return Snapshot(*row) if row else None


def goes_on(outlook: Snapshot, marks: Marks, now: datetime) -> bool:
    """Whether an unfinished outlook is worth finishing."""
    return outlook.mark == marks.structure and now - outlook.begun_at < ABANDONED


def cells(session: Session, outlook: Snapshot, first: date, last: date) -> list[Cell]:
    """What goes out on the days from `first` to `last`, by day and email."""
    part = OutlookPart
    found = (
        select(
            part.day, part.item, func.sum(part.people), func.sum(part.moved), func.min(part.first_at),
            func.max(part.last_at),
        )
        .where(part.outlook_id == outlook.id, part.day >= first, part.day <= last)
        .group_by(part.day, part.item)
    )  # fmt: skip
    return [
        Cell(day, item, int(people), int(moved), *span) for day, item, people, moved, *span in session.execute(found)
    ]


def readers(session: Session, outlook: Snapshot, day: date, item: str) -> list[Who]:
    """Who gets one email on one day, in the order of the minutes."""
    part = OutlookPart
    found = select(part.who).where(part.outlook_id == outlook.id, part.day == day, part.item == item)
    who = [one for packed in session.scalars(found) for one in unpack(packed)]
    return sorted(who, key=lambda one: (one.minute, one.subscriber_id))


def cells_of(
    session: Session, outlook: Snapshot, first: date, last: date, only: Collection[int] | None, hours: ZoneInfo | None
) -> list[Cell]:
    """The same as `cells` from the readers themselves: for some of them `only`, and by the hour of a zone."""
    part = OutlookPart
    found = select(part.day, part.item, part.who).where(
        part.outlook_id == outlook.id, part.day >= first, part.day <= last
    )
    counted: dict[tuple[date, str, int], list[int]] = {}  # people, those moved, the first and the last minute
    for day, item, packed in session.execute(found):
        for at, people, moved in minutes(packed, only):
            hour = moment(outlook, at).astimezone(hours).hour if hours else 0
            known = counted.setdefault((day, item, hour), [0, 0, at, at])
            known[:] = known[0] + people, known[1] + moved, min(known[2], at), max(known[3], at)
    return [
        Cell(day, item, people, moved, moment(outlook, first_at), moment(outlook, last_at))
        for (day, item, _), (people, moved, first_at, last_at) in counted.items()
    ]


def item_of(row: Bare) -> str:
    """The email of a forecast row as the calendar names it."""
    return f"broadcast:{row.broadcast_id}" if row.broadcast_id else f"step:{row.step_id}"


def part_of(one: Stretch, zone: ZoneInfo, tag_id: int | None) -> str:
    """What of its day a stretch is, as a count of it is kept: for everybody, or for who has a tag."""
    hour = "" if one.hour is None else f" hour {one.hour}"
    return f"{zone.key}{hour}" + (f" tag {tag_id}" if tag_id else "")


def counted(
    session: Session, wanted: Iterable[Stretch], zone: ZoneInfo, tag_id: int | None, now: datetime
) -> dict[Stretch, list[Cell]]:
    """What was sent in the stretches whose count was kept; one of a tag not for long, for people get and lose it."""
    by_key = {(one.day, part_of(one, zone, tag_id)): one for one in wanted}
    days, parts = {day for day, _ in by_key}, {part for _, part in by_key}
    kept: dict[Stretch, list[Cell]] = {}
    for row in session.scalars(select(SentDay).where(SentDay.day.in_(days), SentDay.part.in_(parts))):
        one = by_key.get((row.day, row.part))
        if one is not None:
            cells = kept.setdefault(one, [])
            cells.append(Cell(row.day, row.item, row.people, row.moved, row.first_at, row.last_at))
    return {
        one: [cell for cell in cells if cell.item]
        for one, cells in kept.items()
        if not tag_id or any(not cell.item and now - cell.first_at < LONGEST for cell in cells)
    }


def moment(outlook: Snapshot, minute: int) -> datetime:
    """When that minute of an outlook is (UTC)."""
    return outlook.begun_at.replace(second=0, microsecond=0) + minute * MINUTE


def minute(outlook: Snapshot, at: datetime) -> int:
    """A moment as `Who` counts it; what is overdue leaves in the first minute."""
    return max(0, int((at - outlook.begun_at.replace(second=0, microsecond=0)) / MINUTE))


def feeds(session: Session) -> Iterable[Feed]:
    """The calendar links that work, the newest first."""
    return session.scalars(select(Feed).where(Feed.revoked_at.is_(None)).order_by(Feed.id.desc())).all()


def feed(session: Session, feed_id: int) -> Feed | None:
    """A calendar link that was not revoked."""
    found = session.get(Feed, feed_id, populate_existing=True)
    return found if found is not None and found.revoked_at is None else None


def read_since(session: Session, moment: datetime) -> bool:
    """Whether a calendar program fetched a feed since then."""
    found = select(Feed.id).where(Feed.revoked_at.is_(None), Feed.read_at >= moment).limit(1)
    return session.scalar(found) is not None
