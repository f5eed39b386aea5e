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


class Happened(StrEnum):
    """What upper rooms may want to know about a person soon after it happened."""

    FORM = "form"  # signed up on a form and may get follow-ups
    MAGNET = "magnet"  # downloaded a gift
    TAG = "tag"  # got a tag
    UNTAG = "untag"  # lost a tag
    FIELD = "field"  # a custom field of theirs was set or changed
    CLICK = "click"  # pressed a link in an email themselves
    ZONE = "zone"  # their time zone was changed
    ASKED = "asked"  # an operator wants them in a series, one of many


LONGEST_TAG, LONGEST_NAME, LONGEST_FIELD = 80, 120, 500
_SPACES = re.compile(r"\s+")

# A file's columns by the names people give them; every other name is a custom field.
COLUMNS = {
    "e_mail": "email",
    "mail": "email",
    "email_address": "email",
    "firstname": "first_name",
    "lastname": "last_name",
    "surname": "last_name",
    "time_zone": "timezone",
    "tag": "tags",
}
# Columns of our own export that say what was, not what is to be; `status` and `marketing` are read as warnings.
NOT_FIELDS = frozenset({"status", "marketing", "source", "created_at", "confirmed_at", "unsubscribed_at"})
_NOT_IN_NAMES = re.compile(r"\W+")

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
    return _one_line(name).casefold()[:LONGEST_TAG].strip()


def tidy_name(name: str) -> str:
    """A person's name on one line, without control characters, at most 120 characters."""
    return _one_line(name)[:LONGEST_NAME].strip()


def _one_line(text: str) -> str:
    return _SPACES.sub(" ", "".join(sign for sign in text if sign.isprintable() or sign.isspace())).strip()


def is_zone(name: str) -> bool:
    """Whether `name` is an IANA time zone."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return bool(name)


def zone_words(before: str, after: str) -> str:
    """That a person's clock is another one now; who has no zone has the studio's."""
    old, new = (zone.replace("_", " ") or "the studio's" for zone in (before, after))
    return f"Time zone changed from {old} to {new}"


def column_name(heading: str) -> str:
    """A column's name from its heading in a file: `E-Mail` is email, `Shoe size` the custom field shoe_size."""
    name = _NOT_IN_NAMES.sub("_", _one_line(heading).casefold()).strip("_")[:LONGEST_TAG]
    return COLUMNS.get(name, name)


def delimiter(heading: str) -> str:
    """What separates the columns of a file, seen from its first line: the comma, the semicolon or the tab."""
    outside = re.sub(r'"[^"]*"', "", heading)
    return max(",;\t", key=outside.count)


def split_tags(cell: str) -> list[str]:
    """The tags in a cell, each once, as they are kept."""
    return list(dict.fromkeys(tag for part in re.split(r"[,;|]", cell) if (tag := tidy_tag(part))))


def tidy_field(value: str) -> str:
    """A custom field's value on one line, at most 500 characters."""
    return _one_line(value)[:LONGEST_FIELD].strip()


def why_not_imported(status: str | None, suppressed: str | None) -> str:
    """Why a file may not bring in this person, whatever their row says; empty when it may (semantics 4).

    `status` is what they are here, None when unknown; `suppressed` is why their address is closed.
    """
    if suppressed == "erased":
        return "This person was erased on their own wish; only they can sign up again."
    if suppressed:
        return f"Nothing may be sent to this address ({suppressed})."
    if status in {None, Status.PENDING, Status.CONFIRMED}:
        return ""
    return f"This person is here already: {STATUS_WORDS[Status(status)]}. A file does not change that."


def why_not_by_its_own_words(status: str, marketing: str) -> str:
    """Why a row of an exported file is left out by what it says itself; empty when it says nothing against it."""
    known = status.strip().casefold()
    if known in {str(one) for one in Status} - {Status.CONFIRMED}:
        return f"The file itself says that this person is {STATUS_WORDS[Status(known)]}."
    if marketing.strip().casefold() in {"no", "false", "0"}:
        return "The file itself says that this person did not agree to marketing."
    return ""
