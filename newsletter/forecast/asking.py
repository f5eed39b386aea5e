"""What a look at the calendar asks for, as it stands in its address; and what the page then shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from newsletter.forecast import outlooks, records
from newsletter.forecast.calendar import AHEAD, Cell, View, bounds, days_of, read_day, read_view
from newsletter.forecast.models import Outlook
from newsletter.forecast.queries import stretch
from newsletter.forecast.records import Heading

HOUR = timedelta(hours=1)
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


def cells(
    session: Session, ask: Ask, outlook: Outlook | None, zone: ZoneInfo, now: datetime
) -> tuple[list[Cell], list[Cell]]:
    """What was sent and what goes out on the days of the sheet; by the hour on that of one day."""
    days = days_of(ask.view, ask.on)
    gone = sent_by_hour(session, ask, zone, now) if ask.view is View.DAY else sent(session, ask, days, zone, now)
    if ask.reader is not None:
        return gone, coming_to(session, ask.reader, days, zone, now)
    return gone, coming(session, ask, outlook, zone) if outlook else []


def last_day(now: datetime, zone: ZoneInfo) -> date:
    """The last day that is worked out as a whole."""
    return (now + timedelta(days=AHEAD)).astimezone(zone).date() - timedelta(days=1)


def sent(session: Session, ask: Ask, days: list[date], zone: ZoneInfo, now: datetime) -> list[Cell]:
    """What was sent on these days until now."""
    found = []
    for day in days:
        start, end = bounds(day, zone)
        if start <= now:
            found += records.sent(session, day, start, end, tag=ask.tag, reader=ask.reader)
    return found


def sent_by_hour(session: Session, ask: Ask, zone: ZoneInfo, now: datetime) -> list[Cell]:
    """What was sent on the day until now, hour by hour."""
    start, end = bounds(ask.on, zone)
    found = []
    while start < min(end, now + HOUR):
        found += records.sent(session, ask.on, start, min(start + HOUR, end), tag=ask.tag, reader=ask.reader)
        start += HOUR
    return found


def coming(session: Session, ask: Ask, outlook: Outlook, zone: ZoneInfo) -> list[Cell]:
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
