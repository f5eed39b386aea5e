"""What a look at the calendar asks for, as it stands in its address; and what the page then shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from newsletter.forecast import looking, outlooks, records
from newsletter.forecast.calendar import AHEAD, Cell, View, bounds, days_of, read_day, read_view
from newsletter.forecast.looking import Behind, Looked
from newsletter.forecast.outlooks import Snapshot
from newsletter.forecast.queries import stretch
from newsletter.forecast.records import Heading

BROADCASTS = "broadcasts"  # instead of a series' slug


@dataclass(frozen=True)
class Ask:
    """Which days, and what of them: `only` is a series' slug, BROADCASTS or empty; `reader` a subscriber's id.

    `past` shows a phone, which has a list and not a sheet, also the days of the month that are over.
    """

    view: View
    on: date
    only: str = ""
    tag: str = ""
    reader: int | None = None
    past: bool = False

    @classmethod
    def read(cls, args: Mapping[str, str], today: date) -> Ask:
        """What an address asks for; what makes no sense in it is left out."""
        reader = args.get("reader", "")
        return cls(
            read_view(args.get("view", "")),
            read_day(args.get("on", ""), today),
            args.get("only", ""),
            args.get("tag", ""),
            int(reader) if reader.isascii() and reader.isdecimal() and len(reader) < 10 else None,
            bool(args.get("past")),
        )

    def address(self, **changes: str) -> dict[str, str]:
        """The same question as it stands in an address, with `changes`."""
        found = {"view": str(self.view), "on": self.on.isoformat(), "only": self.only, "tag": self.tag}
        found |= {"reader": "" if self.reader is None else str(self.reader)}
        found |= {"past": "yes" if self.past else ""} | changes
        return {name: value for name, value in found.items() if value}

    @property
    def filtered(self) -> bool:
        """Whether something is left out."""
        return bool(self.only or self.tag or self.reader is not None)

    def lets(self, heading: Heading) -> bool:
        """Whether an email is shown."""
        if self.only == BROADCASTS:
            return bool(heading.broadcast_id)
        return not self.only or heading.series == self.only


@dataclass(frozen=True)
class Seen:
    """What a sheet shows, and how much of it is counted and worked out (percent)."""

    sent: list[Cell]
    coming: list[Cell]
    looked: Looked | None
    share: int
    done: bool


def see(session: Session, ask: Ask, zone: ZoneInfo, now: datetime) -> Seen:
    """What was sent and what goes out on the days of the sheet; by the hour on that of one day."""
    days = days_of(ask.view, ask.on)
    if ask.reader is not None:
        gone = records.sent_to_reader(session, ask.reader, *_span(days, zone), zone)
        return Seen(gone, coming_to(session, ask.reader, days, zone, now), None, 100, True)
    behind, looked, share, done = _look(ask, zone, now)
    ahead = coming(session, ask, looked.outlook, zone) if looked else []
    return Seen(behind.cells, ahead, looked, share, done)


def go_on(ask: Ask, zone: ZoneInfo, now: datetime) -> tuple[int, bool]:
    """Count and work out a little more of a sheet without showing it: how much there is (percent), and whether all."""
    *_, share, done = _look(ask, zone, now)
    return share, done


def _look(ask: Ask, zone: ZoneInfo, now: datetime) -> tuple[Behind, Looked | None, int, bool]:
    days = days_of(ask.view, ask.on)
    looked = looking.look() if days[-1] >= now.astimezone(zone).date() else None
    behind = looking.look_back(days, zone, now, tag=ask.tag, by_hour=ask.view is View.DAY)
    parts = [part for part in (looked, behind) if part]
    return behind, looked, min(part.share for part in parts), all(part.done for part in parts)


def _span(days: list[date], zone: ZoneInfo) -> tuple[datetime, datetime]:
    return bounds(days[0], zone)[0], bounds(days[-1], zone)[1]


def last_day(now: datetime, zone: ZoneInfo) -> date:
    """The last day that is worked out as a whole."""
    return (now + timedelta(days=AHEAD)).astimezone(zone).date() - timedelta(days=1)


def coming(session: Session, ask: Ask, outlook: Snapshot, zone: ZoneInfo) -> list[Cell]:
    """What goes out on the days of the sheet; by the hour on that of one day."""
    days = days_of(ask.view, ask.on)
    only = set(session.scalars(records.tagged(ask.tag))) if ask.tag else None
    if only is None and ask.view is not View.DAY:
        return outlooks.cells(session, outlook, days[0], days[-1])
    return outlooks.cells_of(session, outlook, days[0], days[-1], only, zone if ask.view is View.DAY else None)


def coming_to(session: Session, reader: int, days: list[date], zone: ZoneInfo, now: datetime) -> list[Cell]:
    """What goes out to one reader on these days; one needs no outlook of all."""
    rows, _ = stretch(session, now, now + timedelta(days=AHEAD), reader - 1, 1)
    return [
        Cell(day, outlooks.item_of(row), 1, int(row.moved_from is not None), row.at, row.at)
        for row in rows
        if row.subscriber_id == reader and (day := row.at.astimezone(zone).date()) in days
    ]
