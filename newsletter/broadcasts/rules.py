"""What a broadcast is allowed to be: its text, its audience, its moment, and what may be done in which state."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from newsletter.audience.rules import tidy_tag
from newsletter.errors import InputError


class BroadcastState(StrEnum):
    """Where a broadcast stands; what a person reads is in `BROADCAST_WORDS`."""

    DRAFT = "draft"
    QUEUED = "queued"  # waits for send_at
    STARTED = "started"  # its recipients are fixed: the ledger rows are the snapshot (semantics 2.12)
    CANCELED = "canceled"


BROADCAST_WORDS = {
    BroadcastState.DRAFT: "draft",
    BroadcastState.QUEUED: "queued",
    BroadcastState.STARTED: "sent",
    BroadcastState.CANCELED: "canceled",
}


class Whom(StrEnum):
    """The kinds of audience."""

    ALL = "all"
    TAG = "tag"
    PERSON = "person"


@dataclass(frozen=True)
class Audience:
    """Who gets it: everybody, those with the tag `tag`, or the one subscriber `person`."""

    whom: Whom
    tag: str = ""
    person: int = 0

    def __str__(self) -> str:
        if self.whom is Whom.TAG:
            return f"tag:{self.tag}"
        return f"person:{self.person}" if self.whom is Whom.PERSON else "all"


@dataclass(frozen=True)
class Text:
    """An email as a coach writes it."""

    subject: str
    preheader: str
    body: str


@dataclass(frozen=True)
class Chosen:
    """A moment (UTC) chosen as date and time of a zone; `moved` when the clocks skip the time that was asked for."""

    at: datetime
    moved: bool


def audience(spec: str) -> Audience:
    """Read `all`, `tag:NAME` or `person:ID`; raises InputError in words for the operator."""
    kind, _, value = spec.strip().partition(":")
    value = value.strip()
    if kind == "all" and not value:
        return Audience(Whom.ALL)
    if kind == "tag" and tidy_tag(value):
        return Audience(Whom.TAG, tag=tidy_tag(value))
    if kind == "person" and value.isascii() and value.isdigit():
        return Audience(Whom.PERSON, person=int(value))
    if kind == "segment":
        raise InputError(
            "Segments cannot be written to yet.", means="Nothing was queued.", remedy="Use all or tag:NAME instead."
        )
    raise InputError(f"{spec!r} is no audience.", remedy="It reads all, tag:NAME or person:NUMBER.")


def audience_words(who: Audience, count: int, name: str = "") -> str:
    """The audience as a coach says it: "214 people tagged yoga"; `name` is the one person's address."""
    if who.whom is Whom.PERSON:
        return name or "one person"
    people = "1 person" if count == 1 else f"{count:,} people"
    return f"{people} tagged {who.tag}" if who.whom is Whom.TAG else f"everybody: {people}"


def may_edit(state: str) -> bool:
    """Whether its words may change."""
    return state == BroadcastState.DRAFT


def may_cancel(state: str) -> bool:
    """Whether it can still be kept from starting."""
    return state == BroadcastState.QUEUED


def write_source(text: Text) -> str:
    """A text as it is stored: front matter in two quoted lines (JSON strings are YAML), then the body."""
    subject, preheader = (" ".join(words.split()) for words in (text.subject, text.preheader))
    body = text.body.replace("\r\n", "\n").replace("\r", "\n")
    quoted = (json.dumps(words, ensure_ascii=False) for words in (subject, preheader))
    return "---\nsubject: {}\npreheader: {}\n---\n{}".format(*quoted, body)


def read_source(source: str) -> Text:
    """A stored text, in its parts; also one without a subject yet, which cannot be sent."""
    _, subject, preheader, _, body = source.split("\n", 4)
    return Text(json.loads(subject.partition(": ")[2]), json.loads(preheader.partition(": ")[2]), body)


def moment(day: date, at: time, zone: ZoneInfo) -> Chosen:
    """The moment a clock in `zone` shows that date and time.

    A time that the clocks skip becomes the first minute after the gap, one that occurs twice the first (semantics 3.5).
    """
    local = datetime.combine(day, at.replace(second=0, microsecond=0, tzinfo=None))
    asked = local
    while not _exists(local, zone):
        local += timedelta(minutes=1)
    return Chosen(local.replace(tzinfo=zone).astimezone(UTC), moved=local != asked)


def _exists(local: datetime, zone: ZoneInfo) -> bool:
    there_and_back = local.replace(tzinfo=zone).astimezone(UTC).astimezone(zone)
    return there_and_back.replace(tzinfo=None) == local


def not_past(at: datetime, now: datetime) -> datetime:
    """`at`, unless it is over; raises InputError."""
    if at < now:
        raise InputError("This moment is over.", means="Nothing was queued.", remedy="Choose a later one, or send now.")
    return at


def moment_words(at: datetime | None, now: datetime, zone: ZoneInfo) -> str:
    """When, as a coach says it: "now", "today at 18:30", "tomorrow at 07:00", "Tuesday, 4 March 2025 at 07:00"."""
    if at is None or at <= now:
        return "now"
    local, today = at.astimezone(zone), now.astimezone(zone).date()
    days = (local.date() - today).days
    name = {0: "today", 1: "tomorrow"}.get(days) or f"{local:%A}, {local.day} {local:%B %Y}"
    return f"{name} at {local:%H:%M}"
