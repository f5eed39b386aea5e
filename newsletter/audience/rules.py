"""Who may get what, and what a change of status means."""

from __future__ import annotations

import re
from enum import StrEnum
from zoneinfo import ZoneInfo


class Status(StrEnum):
    """Where a subscriber stands; what a person reads is in `STATUS_WORDS`."""

    PENDING = "pending"  # asked, has not pressed the button in the confirmation email yet
    CONFIRMED = "confirmed"  # pressed it; may get what their consents allow
    UNSUBSCRIBED = "unsubscribed"  # left; only a fresh confirmation brings them back
    BOUNCED = "bounced"  # their mail server says the address is no good
    COMPLAINED = "complained"  # marked an email as spam
    ERASED = "erased"  # asked to be forgotten; an empty shell keeps the figures right


STATUS_WORDS = {
    Status.PENDING: "waiting to confirm",
    Status.CONFIRMED: "confirmed",
    Status.UNSUBSCRIBED: "unsubscribed",
    Status.BOUNCED: "address not working",
    Status.COMPLAINED: "marked as spam",
    Status.ERASED: "erased",
}


LONGEST_TAG = 80
_SPACES = re.compile(r"\s+")

# Merging two records of one person keeps the stricter consent: the later one in this list wins.
_STRICTNESS = [
    Status.CONFIRMED,
    Status.PENDING,
    Status.UNSUBSCRIBED,
    Status.BOUNCED,
    Status.COMPLAINED,
    Status.ERASED,
]
# To these nothing is sent at all, whatever it is.
CLOSED = frozenset({Status.BOUNCED, Status.COMPLAINED, Status.ERASED})


def why_not_marketing(status: str, agreed: bool) -> str:
    """Why a person must not get follow-ups or broadcasts, in words for the operator; empty when they may."""
    if status != Status.CONFIRMED:
        return STATUS_WORDS[Status(status)]
    return "" if agreed else "asked for the gift only"


def why_not_gift(status: str) -> str:
    """Why a person must not get a gift they asked for; empty when they may."""
    return "" if status == Status.CONFIRMED else STATUS_WORDS[Status(status)]


def stricter(one: str, other: str) -> str:
    """Of two statuses of the same person the one that allows less."""
    return max(one, other, key=lambda status: _STRICTNESS.index(Status(status)))


def tidy_tag(name: str) -> str:
    """A tag's name as it is kept: lower case, single spaces, at most 80 characters; empty when nothing is left."""
    return _SPACES.sub(" ", name).strip().casefold()[:LONGEST_TAG]


def tidy_name(name: str) -> str:
    """A person's name on one line, without control characters, at most 120 characters."""
    return _SPACES.sub(" ", "".join(sign for sign in name if sign.isprintable() or sign.isspace())).strip()[:120]


def is_zone(name: str) -> bool:
    """Whether `name` is an IANA time zone."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return bool(name)
