"""What lets people join a series by itself, as plain values: which it may be, what begins with what, in words. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any

from newsletter.sequences import dates
from newsletter.sequences.dates import DateRule

ANY = "any"
# Of a crowd from a file one person joins every so often, so that their emails do not go as one (semantics 3.19).
PACE = timedelta(seconds=6)
# As far as an operator is told beforehand who joins by a date.
SOON = timedelta(days=30)
_TIME = re.compile(r"([01]?\d|2[0-3]):[0-5]\d")


class Kind(StrEnum):
    """What a trigger waits for; the first three are happenings of the same names in audience.rules.Happened."""

    FORM = "form"  # somebody signs up on a form, confirms, and may get follow-ups
    MAGNET = "magnet"  # somebody downloads a gift
    TAG = "tag"  # somebody gets a tag
    DATE = "date"  # a date of theirs has come


KIND_WORDS = {
    Kind.FORM: "They sign up on a form",
    Kind.MAGNET: "They download a gift",
    Kind.TAG: "They get a tag",
    Kind.DATE: "A date of theirs comes",
}


@dataclass(frozen=True)
class Opening:
    """A trigger; `what` is the short name of a form or gift, a tag, a field's name, or "any"."""

    sequence_id: int
    kind: str
    what: str = ANY
    config: Mapping[str, Any] = field(default_factory=dict, hash=False)
    enabled: bool = True
    id: int = 0

    @property
    def source(self) -> str:
        """What an enrollment by this trigger is marked with."""
        return f"{self.kind}:{self.what}"[:80]

    @property
    def rule(self) -> DateRule:
        """When a date lets people join."""
        return DateRule.of(self.config)


def started_by(openings: Iterable[Opening], kind: str, what: str) -> list[int]:
    """The series (ids, each once, in order) that begin for a person with whom this happened."""
    wanted = {ANY, what}
    return sorted({one.sequence_id for one in openings if one.enabled and one.kind == kind and one.what in wanted})


def problem_with(kind: str, what: str, config: Mapping[str, Any]) -> str:
    """Why there cannot be such a trigger, in words; empty when there can."""
    if kind not in set(Kind):
        return f"“{kind}” is nothing that a series can begin with."
    if not what.strip() or (kind in {Kind.TAG, Kind.DATE} and what == ANY):
        return {
            Kind.FORM: "Choose the form.",
            Kind.MAGNET: "Choose the gift.",
            Kind.TAG: "Type the tag.",
            Kind.DATE: "Type the name of the field that holds the date.",
        }[Kind(kind)]
    if kind != Kind.DATE:
        return ""
    if not _TIME.fullmatch(str(config.get("at", "09:00"))):
        return "A time of day is written like 09:00."
    try:
        return dates.problem_with(DateRule.of(config))
    except (TypeError, ValueError):
        return "The number of days is a whole number."


def say(opening: Opening, names: Mapping[str, str]) -> str:
    """A trigger in words, after “begins when”; `names` are what forms and gifts are called, by short name."""
    name = f"“{names.get(opening.what, opening.what)}”"
    if opening.kind == Kind.FORM:
        return "somebody signs up on any form" if opening.what == ANY else f"somebody signs up on the form {name}"
    if opening.kind == Kind.MAGNET:
        return "somebody downloads any gift" if opening.what == ANY else f"somebody downloads the gift {name}"
    if opening.kind == Kind.TAG:
        return f"somebody gets the tag {name}"
    return dates.say(name, opening.rule)


def source_words(source: str) -> str:
    """How somebody came into a series, in words."""
    kind, _, what = source.partition(":")
    known = {
        Kind.FORM: f"signed up on the form “{what}”",
        Kind.MAGNET: f"downloaded the gift “{what}”",
        Kind.TAG: f"got the tag “{what}”",
        Kind.DATE: f"by the date “{what}”",
        "series": f"came over from the series “{what}”",
        "import": "by an import",
        "operator": "by hand",
    }
    return known.get(kind, source)
