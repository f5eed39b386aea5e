"""At most one marketing email per reader and local day, and none that is long overdue (semantics 3.16, 3.17). Pure.

The worker asks here when an email is about to be made, and the forecast for the same moment in thought.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from newsletter.civil import instant
from newsletter.delivery.rules import Lane

# Which of two kinds of email goes first on a day that both want (the studio's setting).
SERIES, BROADCAST = "series", "broadcast"

DAY_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

# Fits a moment into what an email's own rules allow (its window, its weekdays), never earlier.
Fit = Callable[[datetime, ZoneInfo], datetime]
# When an email left, or is leaving, and what it is in words.
Gone = tuple[datetime, str]


@dataclass(frozen=True, slots=True)
class Mail:
    """One marketing email of one reader.

    `first_due` is when it was due before it was moved, `order` its number in the ledger; one that is only coming has
    a larger one than those that are there. `label` says in words what it is.
    """

    lane: int
    due_at: datetime
    first_due: datetime
    order: int
    label: str = ""


@dataclass(frozen=True, slots=True)
class Later:
    """Not today but at another moment, because of the email that `because` names in words."""

    at: datetime
    because: str


def rank(mail: Mail, first: str) -> tuple[int, datetime, int]:
    """Of two emails that want the same day the one with the smaller rank has it.

    Within a kind the one that was due first, so that an email that was moved once is not passed by for ever.
    """
    preferred = Lane.BULK if first == BROADCAST else Lane.SEQUENCE
    return (0 if mail.lane == preferred else 1), mail.first_due, mail.order


def gives_way_to_coming(lane: int, first: str) -> bool:
    """Whether an email of this lane also makes room for what is not in the ledger yet but comes later that day."""
    return lane == (Lane.SEQUENCE if first == BROADCAST else Lane.BULK)


def verdict(
    mine: Mail,
    *,
    gone: Iterable[Gone],
    waiting: Iterable[Mail],
    first: str,
    zone: ZoneInfo,
    now: datetime,
    fit: Fit | None = None,
) -> Later | None:
    """Whether an email that is due now may go today; if not, when it is asked about again.

    `gone` is what left, `waiting` what waits for the same reader or is coming; the days are those of their `zone`.
    """
    today = now.astimezone(zone).date()
    had = next((label for at, label in gone if at.astimezone(zone).date() == today), None)
    if had is not None:
        return Later(next_day(mine.due_at, zone=zone, now=now, fit=fit), had)
    over = end_of_day(now, zone)
    before = [mail for mail in waiting if mail.due_at < over and rank(mail, first) < rank(mine, first)]
    if not before:
        return None
    winner = min(before, key=lambda mail: rank(mail, first))
    return Later(next_day(mine.due_at, zone=zone, now=now, fit=fit), winner.label)


def end_of_day(now: datetime, zone: ZoneInfo) -> datetime:
    """The instant at which the local day of `now` is over."""
    return instant(datetime.combine(now.astimezone(zone).date() + timedelta(days=1), time()), zone)


def next_day(due_at: datetime, *, zone: ZoneInfo, now: datetime, fit: Fit | None = None) -> datetime:
    """The same time of day on the next local day, or the first moment after that which the email's own rules allow."""
    day, clock = now.astimezone(zone).date() + timedelta(days=1), due_at.astimezone(zone).time()
    at = instant(datetime.combine(day, clock), zone)
    return fit(at, zone) if fit else at


def why(first_due: datetime, zone: ZoneInfo, label: str) -> str:
    """Why an email goes on another day, as a list or the forecast says it."""
    return f"moved from {DAY_NAMES[first_due.astimezone(zone).weekday()]} because of {label}"


def is_overdue(due_at: datetime, now: datetime, hours: int) -> bool:
    """Whether an email is so late that an operator decides about it (semantics 3.16)."""
    return now - due_at > timedelta(hours=hours)
