"""The calendar as a calendar program reads it (iCalendar, RFC 5545); it names no reader."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from newsletter import tokens
from newsletter.errors import InvalidToken, NotFound
from newsletter.forecast.calendar import Entry, people
from newsletter.forecast.formats import EVENT, lines, text
from newsletter.forecast.models import Feed
from newsletter.forecast.records import Heading
from newsletter.settings import current
from newsletter.tokens import Purpose

# Programs ask again after this long (RFC 7986 section 5.7); most have a mind of their own.
REFRESH = "PT1H"


def feed_url(feed: Feed) -> str:
    """The secret address of a feed; it says the row's id to us and nothing to anybody else."""
    settings = current()
    token = tokens.sign(settings.secret_key, Purpose.CALENDAR, feed.id, at=feed.created_at)
    return f"{settings.base_url}/calendar/{token}.ics"


def feed_id(token: str, now: datetime) -> int:
    """The feed that a token is for; raises NotFound for one that is for none."""
    try:
        ids = tokens.read(current().secret_key, Purpose.CALENDAR, token, now=now).ids
    except InvalidToken as problem:
        raise no_such_feed() from problem
    if len(ids) != 1:
        raise no_such_feed()
    return ids[0]


def no_such_feed() -> NotFound:
    """The same for a link that was taken back as for one that never was."""
    return NotFound(
        "There is no calendar at this link.",
        means="It was taken back, or a part of it is missing.",
        remedy="Ask whoever gave it to you for a new one.",
    )


def as_ics(
    entries: Iterable[Entry], headings: dict[str, Heading], name: str, now: datetime, host: str
) -> Iterator[str]:
    """A calendar in pieces: one event for each email and day, from its first reader's minute to its last one's.

    An event keeps its UID while its time and its readers change, so programs move it instead of showing it twice.
    """
    yield from lines(
        "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Supple//Calendar//EN", "CALSCALE:GREGORIAN", "METHOD:PUBLISH",
        f"NAME:{text(name)}", f"X-WR-CALNAME:{text(name)}", f"REFRESH-INTERVAL;VALUE=DURATION:{REFRESH}",
        f"X-PUBLISHED-TTL:{REFRESH}",
    )  # fmt: skip
    for entry in entries:
        yield from _event(entry, headings[entry.item], now, host)
    yield from lines("END:VCALENDAR")


def _event(entry: Entry, heading: Heading, now: datetime, host: str) -> Iterator[str]:
    whole = entry.whole
    words = f"{heading.origin}. {_how_many(entry)}"
    yield from lines(
        "BEGIN:VEVENT",
        f"UID:{entry.day:%Y%m%d}-{entry.item.replace(':', '-')}@{host}",
        f"DTSTAMP:{now:%Y%m%dT%H%M%SZ}",
        f"DTSTART:{whole.first_at:%Y%m%dT%H%M%SZ}",
        f"DTEND:{whole.last_at + EVENT:%Y%m%dT%H%M%SZ}",
        f"SUMMARY:{text(f'{heading.subject} ({people(whole.people)})')}",
        f"DESCRIPTION:{text(words)}",
        "TRANSP:TRANSPARENT",
        "END:VEVENT",
    )


def _how_many(entry: Entry) -> str:
    sent = f"Sent to {people(entry.sent.people)}." if entry.sent else ""
    coming = f"Will go to {people(entry.coming.people)}, if nobody joins or leaves." if entry.coming else ""
    return " ".join(filter(None, (sent, coming)))
