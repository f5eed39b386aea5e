"""One email's story, in one query: tries, answers, clicks, decisions of operators; and what happens next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Integer, case, cast, literal, null, select, union_all
from sqlalchemy.orm import Session

from newsletter.delivery.models import Attempt, Delivery, Event
from newsletter.delivery.rules import OVERDUE, PARKED, PAUSED, EventKind, State
from newsletter.tracking.models import Click, Link

# What an enhanced status code says, by its last two numbers (RFC 3463 section 3 and RFC 7505); the first, 4 or 5,
# only says whether trying again may help.
MEANINGS = {
    "1.0": "Something is wrong with this address.",
    "1.1": "This mailbox does not exist there.",
    "1.2": "Their domain is not known.",
    "1.3": "The address is not written as an address.",
    "1.6": "The mailbox has moved away.",
    "1.10": "Their domain says that it takes no email.",
    "2.1": "The mailbox is switched off.",
    "2.2": "The mailbox is full.",
    "2.3": "The email is too big for this mailbox.",
    "3.1": "Their mail server has no room left.",
    "3.2": "Their mail server is not taking emails right now.",
    "3.4": "The email is too big for their mail server.",
    "4.1": "Their mail server did not answer.",
    "4.2": "The connection broke off.",
    "4.4": "There is no way to their mail server.",
    "4.5": "Their mail server has too much to do right now.",
    "4.7": "It waited too long on its way.",
    "5.3": "Too many readers at once for their mail server.",
    "7.0": "Their rules refuse this email.",
    "7.1": "Their rules refuse this email, most often as unwanted.",
    "7.8": "The mail server does not know our sign-in.",
    "7.23": "The check of the sender (SPF) failed; look at the domain's DNS.",
    "7.25": "The sending server's name and address do not match; its host can set the reverse DNS.",
    "7.26": "The checks of the sender (SPF, DKIM) failed; look at the domain's DNS.",
    "7.28": "Their mail server finds that too much comes from us; sending slows down by itself.",
}
# The same for an answer without an enhanced code, by its SMTP code (RFC 5321 section 4.2.3).
PLAIN_MEANINGS = {
    421: "Their mail server is not taking emails right now.",
    450: "The mailbox is busy, or new senders are asked to come back later.",
    451: "Their mail server had a hitch.",
    452: "Their mail server has no room right now.",
    550: "The mailbox cannot be reached, or their rules refuse this email.",
    552: "The mailbox is full.",
    553: "The address is not written as they want it.",
}
_TRIED: dict[str, tuple[str, str]] = {
    State.ACCEPTED: ("Accepted by the mail server", "good"),
    State.DEFERRED: ("Not now, said the mail server", "care"),
    State.REJECTED: ("Refused by the mail server", "bad"),
    State.UNKNOWN: ("The answer was lost", "care"),
}
_CAME: dict[str, tuple[str, str]] = {
    EventKind.BOUNCED: ("Came back", "bad"),
    EventKind.COMPLAINED: ("Reported as unwanted by its reader", "bad"),
    EventKind.AGAIN: ("An operator decided: send it again", "calm"),
    EventKind.COUNTED: ("An operator decided: it counts as sent", "good"),
    EventKind.CANCELED: ("An operator canceled it", "calm"),
    EventKind.HURRIED: ("An operator let it go at once", "calm"),
    EventKind.LATE: ("An operator let it go, though it was late", "calm"),
}
_ENDED = {
    State.ACCEPTED: ("Counted as sent", "good"),
    State.CANCELED: ("Canceled", "calm"),
    State.EXPIRED: ("Given up", "bad"),
    State.REJECTED: ("Refused", "bad"),
}


READER, ROBOT = "reader", "robot"
LONGEST = 500  # a mail scanner that opens every link of an email over and over must not fill the page


@dataclass(frozen=True)
class Line:
    """A row of an email's past: `kind` is attempt, click or event; `what` its outcome, who, or event kind."""

    kind: str
    id: int
    at: datetime
    what: str
    relay: str
    code: int | None
    enhanced: str
    text: str


@dataclass(frozen=True)
class Moment:
    """One line of an email's story; `tone` is good, wait, care, bad or calm; `raw` is what a mail
    server said, `at` is empty for what waits on somebody."""

    at: datetime | None
    title: str
    detail: str = ""
    raw: str = ""
    tone: str = "calm"


def lines(session: Session, delivery_id: int) -> list[Line]:
    """All that is known of an email's past, in one query, oldest first."""
    tries = select(
        literal("attempt").label("kind"), Attempt.id, Attempt.at, Attempt.outcome, Attempt.relay, Attempt.code,
        Attempt.enhanced, Attempt.text,
    ).where(Attempt.delivery_id == delivery_id)  # fmt: skip
    came = select(
        literal("event"), Event.id, Event.at, Event.kind, literal(""), cast(null(), Integer), literal(""), Event.detail
    ).where(Event.delivery_id == delivery_id)
    who = case((Click.robot, literal(ROBOT)), else_=literal(READER))
    pressed = (
        select(literal("click"), Click.id, Click.at, who, literal(""), cast(null(), Integer), literal(""), Link.url)
        .join(Link, Link.id == Click.link_id)
        .where(Click.delivery_id == delivery_id)
    )
    past = union_all(tries, came, pressed).subquery()
    found = select(past).order_by(past.c.at, past.c.kind, past.c.id).limit(LONGEST)
    return [Line(*row) for row in session.execute(found)]


def story(row: Delivery, past: Sequence[Line]) -> list[Moment]:
    """What happened to an email, oldest first, and what happens next."""
    told = [Moment(row.planned_at, "Planned"), *(_told(line) for line in past)]
    known = {line.what for line in past}
    if EventKind.COUNTED in known:
        known.add(State.ACCEPTED)
    if row.ended_at is not None and row.state not in known:
        title, tone = _ENDED[State(row.state)]
        told.append(Moment(row.ended_at, title, row.state_why, tone=tone))
    if row.state == State.UNKNOWN and State.UNKNOWN not in known:
        told.append(Moment(None, "The answer was lost", row.state_why, tone="care"))
    return told + _next(row, past)


def _told(line: Line) -> Moment:
    if line.kind == "event":
        title, tone = _CAME.get(line.what, (line.what.capitalize(), "calm"))
        return Moment(line.at, title, line.text, tone=tone)
    if line.kind == "click":
        title = "A program opened a link" if line.what == ROBOT else "The reader pressed a link"
        return Moment(line.at, title, raw=line.text, tone="calm" if line.what == ROBOT else "good")
    title, tone = _TRIED.get(line.what, (line.what.capitalize(), "calm"))
    enhanced = "" if line.text.startswith(line.enhanced) else line.enhanced  # most relays begin with it
    raw = " ".join(str(part) for part in (line.code, enhanced, line.text) if part)
    words = "" if line.what == State.ACCEPTED else meaning(line.enhanced, line.code)
    return Moment(line.at, title, words, f"{line.relay}: {raw}" if raw else line.relay, tone)


def _next(row: Delivery, past: Sequence[Line]) -> list[Moment]:
    """What happens next; nothing once it has ended."""
    if row.due_at == OVERDUE and row.state in {State.PLANNED, State.DEFERRED}:
        return [
            Moment(None, "Waits for you: it is late", f"{row.state_why} Send it now, or leave it out.", tone="wait")
        ]
    if row.due_at == PAUSED and row.state in {State.PLANNED, State.DEFERRED}:
        return [Moment(None, "Waits: its series is paused", "It goes on when you end the pause.", tone="wait")]
    if row.due_at >= PARKED and row.state in {State.PLANNED, State.DEFERRED}:
        return [Moment(None, "Waits: sending is on hold", "It goes out once you let it go on.", tone="wait")]
    if row.state == State.PLANNED:
        return [Moment(row.due_at, "Goes out", row.state_why, tone="wait")]
    if row.state == State.DEFERRED:
        return [Moment(row.due_at, "Is tried again", "" if past else row.state_why, tone="wait")]
    if row.state == State.UNKNOWN:
        return [Moment(None, "Waits for you", "Send it again, or count it as sent.", tone="wait")]
    if row.state in {State.CLAIMED, State.SENDING}:
        return [Moment(row.lease_until or row.due_at, "A worker has it in hand right now", tone="wait")]
    return []


def meaning(enhanced: str, code: int | None = None) -> str:
    """What a relay's status code means for the reader; empty when it says nothing more."""
    return MEANINGS.get(enhanced.partition(".")[2], "") or PLAIN_MEANINGS.get(code or 0, "")
