"""What a broadcast is allowed to be: its text, its audience, its moment, its states, and when it stops by itself."""

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
    STARTING = "starting"  # its readers are fixed; every email is made once (2.11), then planned (2.12)
    SENDING = "started"  # all are planned: the ledger rows are the snapshot; the value is the first version's word
    PAUSED = "paused"  # by an operator, or by itself because too many were refused (2.10)
    DONE = "done"  # nothing is left open
    CANCELED = "canceled"


BROADCAST_WORDS = {
    BroadcastState.DRAFT: "draft",
    BroadcastState.QUEUED: "queued",
    BroadcastState.STARTING: "being prepared",
    BroadcastState.SENDING: "being sent",
    BroadcastState.PAUSED: "paused",
    BroadcastState.DONE: "sent",
    BroadcastState.CANCELED: "canceled",
}

# Every arrow of a broadcast; no other change of state exists.
ARROWS: dict[BroadcastState, frozenset[BroadcastState]] = {
    BroadcastState.DRAFT: frozenset({BroadcastState.QUEUED}),
    BroadcastState.QUEUED: frozenset(
        {
            BroadcastState.DRAFT,  # taken back by an operator
            BroadcastState.STARTING,  # its moment has come
            BroadcastState.CANCELED,  # called off: nobody gets it
        }
    ),
    BroadcastState.STARTING: frozenset(
        {
            BroadcastState.DRAFT,  # it cannot be made for anybody, or was taken back; only while nothing is planned
            BroadcastState.SENDING,  # the last reader is planned
            BroadcastState.PAUSED,  # sending begins with the first slice, so the 5% may be passed before the last
            BroadcastState.CANCELED,
        }
    ),
    BroadcastState.SENDING: frozenset({BroadcastState.PAUSED, BroadcastState.DONE, BroadcastState.CANCELED}),
    BroadcastState.PAUSED: frozenset(
        {
            BroadcastState.STARTING,  # resumed where proving or planning stood
            BroadcastState.SENDING,  # resumed, everybody is planned
            BroadcastState.DONE,  # what was under way when it was paused was all there was
            BroadcastState.CANCELED,
        }
    ),
    BroadcastState.DONE: frozenset(),
    BroadcastState.CANCELED: frozenset(),
}
# Fixed readers and something that may still happen to them.
RUNNING = frozenset({BroadcastState.STARTING, BroadcastState.SENDING, BroadcastState.PAUSED})
# Emails of these may leave; those of a paused one are held back by the ledger, and one claimed just before still goes.
LEAVES = RUNNING | {BroadcastState.DONE}

# The 5% rule (semantics 2.10): fewer answers than this say nothing, one bad address among ten is 10%.
ENOUGH_ANSWERS = 100
TOO_MANY = 20  # one in so many
# After so many readers in a row for whom it cannot be made, the text is broken, not a reader's fields.
HOPELESS = 1000


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


def may_take_back(state: str, planned_to: int) -> bool:
    """Whether it can still become a draft again: once the first email is planned, somebody may have it."""
    return state == BroadcastState.QUEUED or (state == BroadcastState.STARTING and planned_to == 0)


def may(state: str, to: BroadcastState) -> bool:
    """Whether that arrow exists."""
    return to in ARROWS[BroadcastState(state)]


def sources(to: BroadcastState) -> list[BroadcastState]:
    """The states from which an arrow leads to `to`."""
    return [state for state in BroadcastState if to in ARROWS[state]]


def resumed(planned_to: int, through_id: int) -> BroadcastState:
    """Where a paused broadcast goes on: planning where it stood, or sending."""
    return BroadcastState.SENDING if planned_to >= through_id else BroadcastState.STARTING


def is_hopeless(proved: int, unmakeable: int, finished: bool) -> bool:
    """Whether it cannot be made for anybody: asked at the end of the proof, and early when all the first ones fail."""
    return 0 < proved == unmakeable and (finished or proved >= HOPELESS)


def proof_words(proved: int, unmakeable: int, why: str) -> str:
    """What the proof run found, for the operator; empty when all is well. Names no reader: this text outlives them."""
    if not proved:
        return "Nobody was in this audience when it started."
    if not unmakeable:
        return ""
    if unmakeable == proved:
        return f"It was not sent, because it cannot be made for any of the {proved:,} readers it was tried for. {why}"
    return (
        f"For {unmakeable:,} of {proved:,} readers the email could not be made; the others get it. "
        f"They are listed in the outbox as canceled. Most often: {why}"
    )


@dataclass(frozen=True)
class Answers:
    """What mail servers said to the emails of one broadcast, for good: taken or refused."""

    accepted: int = 0
    refused: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.accepted + self.refused

    def since(self, before: Answers) -> Answers:
        """Those that came after `before`."""
        return Answers(self.accepted - before.accepted, self.refused - before.refused)


def refused_too_often(answers: Answers) -> bool:
    """Whether so many were refused that going on would harm the sender's name (semantics 2.10): over 5% after 100."""
    return answers.total >= ENOUGH_ANSWERS and answers.refused * TOO_MANY > answers.total


def refused_words(answers: Answers) -> str:
    """Why a broadcast paused itself, for its operator."""
    return (
        f"{answers.refused:,} of {answers.total:,} were refused by the readers’ mail servers. More than 5% looks like "
        "unwanted mail, so nothing more goes out until you decide."
    )


def smoothed(rate: float, done: int, seconds: float) -> float:
    """Emails a minute, after `done` more in the last `seconds`: the new pace weighs half, so that it does not jump."""
    pace = done * 60 / seconds
    return pace if not rate else (rate + pace) / 2


def time_left(waiting: int, rate: float) -> str:
    """How long `waiting` emails take at `rate` a minute, in words; empty when nobody can say."""
    if not waiting or rate < 1:
        return ""
    minutes = waiting / rate
    if minutes < 1:
        return "less than a minute"
    if minutes < 90:
        return f"about {round(minutes)} minute{'s' if round(minutes) > 1 else ''}"
    return f"about {round(minutes / 60)} hours" if minutes < 48 * 60 else f"about {round(minutes / 1440)} days"


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


def overdue_words(hours: int) -> str:
    """Why a queued email did not start, in words for its writer (semantics 3.16)."""
    return (
        f"Its moment was more than {hours} hours past before any worker could start it, so it was not sent. "
        "Read it once more: if it is still right, choose a new moment and send it."
    )
