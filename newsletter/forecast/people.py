"""Who gets one email on one day, and why: names only of the page one looks at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from newsletter.audience import queries as audience
from newsletter.audience.queries import Reader
from newsletter.forecast import outlooks, records
from newsletter.forecast.asking import Ask
from newsletter.forecast.calendar import AHEAD, bounds
from newsletter.forecast.outlooks import Snapshot
from newsletter.forecast.queries import forecast
from newsletter.forecast.records import Heading
from newsletter.forecast.rules import Only
from newsletter.web.paging import PAGE_SIZE, Listing, list_page, page_asked


@dataclass(frozen=True)
class Coming:
    """A reader who will get it; `reason` is empty when what is ahead of them has changed since it was worked out."""

    person: Reader
    at: datetime
    moved: bool
    reason: str


@dataclass(frozen=True)
class People:
    """Both lists of a day: who got it and who will; only one of them is paged through at a time."""

    sent: Listing[tuple[object, object]]
    coming: Listing[Coming]
    moved: int
    reason: str  # that all share, when they do


def people(
    session: Session, heading: Heading, ask: Ask, outlook: Snapshot | None, zone: ZoneInfo, now: datetime
) -> People:
    """Who got one email on a day, and who will."""
    start, end = bounds(ask.on, zone)
    sent = list_page(session, records.sent_to(heading.item, start, end, tag=ask.tag), scalars=False)
    who = outlooks.readers(session, outlook, ask.on, heading.item) if outlook else []
    if ask.tag:
        tagged = set(session.scalars(records.tagged(ask.tag)))
        who = [one for one in who if one.subscriber_id in tagged]
    number = min(page_asked(), max(1, -(-len(who) // PAGE_SIZE)))
    shown = who[(number - 1) * PAGE_SIZE : number * PAGE_SIZE]
    ids = [one.subscriber_id for one in shown]
    persons = audience.readers(session, ids)
    reasons = _reasons(session, heading, persons, ask.on, zone, now)
    rows = [
        Coming(
            persons[one.subscriber_id],
            outlooks.moment(outlook, one.minute),
            one.moved,
            reasons.get(one.subscriber_id, ""),
        )
        for one in shown
        if outlook is not None and one.subscriber_id in persons
    ]
    told = {row.reason for row in rows}
    return People(
        sent,
        Listing(rows, number, len(who)),
        sum(one.moved for one in who),
        told.pop() if len(told) == 1 else "",
    )


def _reasons(
    session: Session, heading: Heading, persons: Mapping[int, Reader], day: date, zone: ZoneInfo, now: datetime
) -> dict[int, str]:
    """Why each of these gets it on that day, as the forecast says it now."""
    if not persons:
        return {}
    only = Only(
        subscribers=frozenset(persons),
        sequences=frozenset({heading.series} if heading.series else ()),
        broadcasts=bool(heading.broadcast_id),
    )
    return {
        row.subscriber_id: row.reason
        for row in forecast(session, now, AHEAD, only=only)
        if row.at.astimezone(zone).date() == day
        and (row.step or "", row.broadcast_id) == (heading.key, heading.broadcast_id)
    }
