"""A series begun in the back office, named, and thrown away while nobody needs it."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime

from sqlalchemy.orm import Session

from newsletter.errors import InputError
from newsletter.sequences import queries, reach
from newsletter.sequences.models import Sequence

LONGEST_NAME = 120


def begin(session: Session, name: str, description: str, now: datetime) -> Sequence:
    """A new series without steps; raises InputError when it has no name."""
    kept = checked_name(name)
    series = Sequence(slug=free_slug(session, kept), name=kept, description=description.strip(), created_at=now)
    session.add(series)
    session.flush()
    return series


def rename(session: Session, sequence_id: int, name: str, description: str) -> bool:
    """Another name and description, not another slug: links and files know it by that. Returns whether one is new."""
    series = queries.sequence(session, sequence_id)
    before, after = (series.name, series.description), (checked_name(name), description.strip())
    series.name, series.description = after
    return before != after


def checked_name(name: str) -> str:
    """A name fit to be kept; raises InputError."""
    kept = " ".join(name.split())
    if not kept:
        raise InputError("The series has no name.", remedy="Give it one; readers see it where they leave the series.")
    if len(kept) > LONGEST_NAME:
        raise InputError("The name is too long.", remedy=f"Use at most {LONGEST_NAME} characters.")
    return kept


def free_slug(session: Session, name: str) -> str:
    """A slug made of a name that no other series has."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    base = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60].strip("-") or "series"
    slug, number = base, 2
    while queries.by_slug(session, slug) is not None:
        slug, number = f"{base}-{number}", number + 1
    return slug


def why_not_delete(session: Session, series: Sequence) -> str:
    """Why a series has to stay, in words; empty when it may go."""
    if reach.anybody_ever(session, series.id):
        return "People are or were in it, and their history names it. Pause it instead: then it sends nothing."
    leading = reach.led_to_by(session, series.slug)
    if leading:
        return f"The series “{leading[0]}” moves its readers here. Change that first."
    return ""


def delete(session: Session, sequence_id: int) -> str:
    """Throw a series away that nobody was ever in, and give back its name; raises InputError when it has to stay."""
    series = queries.sequence(session, sequence_id)
    why_not = why_not_delete(session, series)
    if why_not:
        raise InputError("This series cannot be deleted.", means=why_not, remedy="Go back to the series.")
    name = series.name
    session.delete(series)
    session.flush()
    return name
