"""The reader of a test drive as an address has them, and what a series asks about its readers. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from newsletter.errors import InputError
from newsletter.forecast.drive import LONGEST, Invented
from newsletter.sequences.rules import Course, Kind, instant

USUAL_DAYS = 30
NAME = "Alice"
MOST_WORDS = 40  # tags, fields or keys; nobody types more, and an address has an end


Args = Mapping[str, Sequence[str]]  # what an address says: every value of each name


def invented(args: Args, zone: ZoneInfo, now: datetime) -> Invented:
    """The reader that an address describes, living in `zone`; raises InputError for a moment or days that are none."""
    return Invented(
        start=_start(_one(args, "start"), zone, now),
        days=_days(_one(args, "days")),
        first_name=" ".join(_one(args, "name", NAME).split())[:80],
        zone=_one(args, "zone"),
        tags=tuple(words(_one(args, "tags").split(","))),
        fields=dict(fields(_one(args, "fields").splitlines())),
        presses=frozenset(words(args.get("presses", ()))),
        downloaded=frozenset(words(args.get("downloaded", ()))),
    )


def _one(args: Args, name: str, default: str = "") -> str:
    return next(iter(args.get(name, ())), default)


def words(parts: Iterable[str]) -> list[str]:
    """Each once, in their order, without what is empty."""
    return list(dict.fromkeys(" ".join(part.split()) for part in parts if part.strip()))[:MOST_WORDS]


def _start(text: str, zone: ZoneInfo, now: datetime) -> datetime:
    if not text.strip():
        return now.replace(second=0, microsecond=0)
    try:
        local = datetime.fromisoformat(text.strip())
        if not 1970 < local.year < 9000:
            raise ValueError
    except ValueError:
        raise InputError(f"“{text}” is no day and time.", remedy="Write it like 2026-03-02T10:00.") from None
    return local if local.tzinfo else instant(local, zone)


def _days(text: str) -> int:
    if not text.strip():
        return USUAL_DAYS
    if not text.strip().isdecimal() or not 1 <= int(text) <= LONGEST:
        raise InputError(f"“{text}” is no number of days.", remedy=f"Write one from 1 to {LONGEST:,}.")
    return int(text)


def fields(lines: Sequence[str]) -> Iterable[tuple[str, str]]:
    """Names and values of lines like “city = Berlin”. Raises InputError for a line without a value."""
    for line in lines[:MOST_WORDS]:
        name, sign, value = line.partition("=")
        if line.strip() and not (sign and name.strip()):
            raise InputError(
                f"The field “{line.strip()}” has no value.", remedy="Write one a line, like city = Berlin."
            )
        if sign:
            yield name.strip(), value.strip()


def address(reader: Invented, zone: ZoneInfo) -> dict[str, Any]:
    """The same reader as an address has them, with the moment of joining written out."""
    return {
        "name": reader.first_name,
        "zone": reader.zone,
        "start": f"{reader.start.astimezone(zone):%Y-%m-%dT%H:%M}",
        "days": str(reader.days),
        "tags": ", ".join(reader.tags),
        "fields": "\n".join(f"{name} = {value}" for name, value in reader.fields.items()),
        "presses": sorted(reader.presses),
        "downloaded": sorted(reader.downloaded),
    }


@dataclass(frozen=True)
class Asked:
    """What a series, and those it moves its readers to, ask about them."""

    tags: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    clicks: bool = False
    downloads: bool = False


def asked(courses: Mapping[int, Course], course_id: int) -> Asked:
    """Everything that decides a reader's way through a course, each once."""
    conditions = [one for course in _within(courses, course_id) for one in (course.entry, *course.conditions)]
    tags = (str(one[name]) for one in conditions for name in ("tag", "tagged", "untagged") if name in one)
    return Asked(
        tags=tuple(words(tags)),
        fields=tuple(words(str(one["field"]) for one in conditions if "field" in one)),
        clicks=any("clicked" in one for one in conditions),
        downloads=any("downloaded" in one for one in conditions),
    )


def _within(courses: Mapping[int, Course], course_id: int) -> list[Course]:
    """A course and those that its readers may be moved to."""
    by_slug, found = {course.slug: course for course in courses.values()}, [courses[course_id]]
    for course in found:
        for step in course.steps:
            onward = by_slug.get(str(step.config.get("to"))) if step.kind == Kind.MOVE and not step.deleted else None
            if onward is not None and onward not in found:
                found.append(onward)
    return found
