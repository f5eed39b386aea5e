"""Whom a date would let join soon, asked before the trigger is made: a read of everybody's field."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from newsletter.audience import queries as audience
from newsletter.audience import rules as audience_rules
from newsletter.civil import zone_of
from newsletter.sequences import dates
from newsletter.sequences.triggers import Opening

# Read at most so many people while an operator waits: two seconds' worth. Beyond that the figures are a lower bound.
MOST, AT_ONCE = 100_000, 5_000
NAMED = 8  # people who are named, those who join first


@dataclass(frozen=True)
class Nearing:
    """People with the field, those who join soon and when the first does, and what cannot be read; `all` were asked."""

    have: int = 0
    soon: int = 0
    first: datetime | None = None
    unreadable: int = 0
    all: bool = True
    who: tuple[tuple[int, datetime], ...] = ()  # some of those who join soon, by their ids, and when


def of_date(session: Session, opening: Opening, studio_zone: str, now: datetime, until: datetime) -> Nearing:
    """What a date trigger would do by `until`, as far as it is known now."""
    have = soon = unreadable = read = after = 0
    joining: list[tuple[datetime, int]] = []
    while read < MOST and (readers := audience.readers_after(session, after, AT_ONCE)):
        read, after = read + len(readers), readers[-1].id
        for reader in readers:
            value = str(reader.fields.get(opening.what, "")).strip()
            if not value or audience_rules.why_not_marketing(reader.status, reader.marketing):
                continue
            have += 1
            unreadable += dates.read(value) is None
            found = dates.next_date(opening.rule, value, zone=zone_of(reader.timezone, studio_zone), now=now)
            if found and found[0] <= until:
                soon += 1
                joining.append((found[0], reader.id))
        joining = sorted(joining)[:NAMED]
    who = tuple((number, at) for at, number in joining)
    return Nearing(have, soon, joining[0][0] if joining else None, unreadable, all=read < MOST, who=who)
