"""What conditions ask about readers, read for many at once and only as far as it is asked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from flask import current_app
from sqlalchemy.orm import Session

from newsletter.audience import queries as audience
from newsletter.delivery import queries as ledger
from newsletter.sequences import queries
from newsletter.sequences.conditions import NOTHING_KNOWN, Condition, Facts
from newsletter.sequences.rules import Course

# The gifts are on this floor as well, so they offer what they know in a list of the application.
Downloaded = Callable[[Session, Sequence[int]], Mapping[int, Iterable[str]]]
_SUBJECTS = {
    "tag": "tags",
    "tagged": "tags",
    "untagged": "tags",
    "clicked": "clicks",
    "downloaded": "downloads",
    "field": "fields",
}


@dataclass(frozen=True)
class Asked:
    """Which kinds of facts sequences ask for at all; what is not asked for is not read."""

    tags: bool = False
    clicks: bool = False
    downloads: bool = False
    fields: bool = False

    @classmethod
    def of(cls, courses: Iterable[Course]) -> Asked:
        """What the steps, goals and exits of these sequences ask for; the entry is asked of those who join alone."""
        return cls.by(condition for course in courses for condition in course.conditions)

    @classmethod
    def ever(cls, courses: Collection[Course]) -> Asked:
        """What they ask of those who are inside, and of those who would join."""
        return cls.of(courses) | cls.by(course.entry for course in courses)

    @classmethod
    def by(cls, conditions: Iterable[Condition]) -> Asked:
        """What these ask for."""
        return cls(**dict.fromkeys((kind for condition in conditions for kind in _kinds(condition)), True))

    def __or__(self, other: Asked) -> Asked:
        return Asked(
            self.tags or other.tags,
            self.clicks or other.clicks,
            self.downloads or other.downloads,
            self.fields or other.fields,
        )


def _kinds(condition: Condition) -> Iterable[str]:
    return (_SUBJECTS[name] for name in condition if name in _SUBJECTS)


def load(
    session: Session, rows: Iterable[tuple[int, int]], courses: Mapping[int, Course], asked: Asked | None = None
) -> dict[int, Facts]:
    """Facts about readers by enrollment; `rows` are pairs of enrollment and subscriber, `courses` are by sequence.

    At most four statements, however many readers; none when nothing is asked. Whoever has nothing is there as well.
    """
    asked = Asked.of(courses.values()) if asked is None else asked
    pairs = list(rows)
    if asked == Asked():
        return dict.fromkeys((enrollment_id for enrollment_id, _ in pairs), NOTHING_KNOWN)
    ids = sorted({subscriber_id for _, subscriber_id in pairs})
    tags = audience.tag_names_of(session, ids) if asked.tags else {}
    fields = {key: one.fields for key, one in audience.readers(session, ids).items()} if asked.fields else {}
    fetched = _downloaded(session, ids) if asked.downloads else {}
    clicked = _clicked(session, ids, courses) if asked.clicks else {}
    return {
        enrollment_id: Facts(
            tags=frozenset(tags.get(subscriber_id, ())),
            downloaded=frozenset(fetched.get(subscriber_id, ())),
            clicked=frozenset(clicked.get(enrollment_id, ())),
            fields=_plain(fields.get(subscriber_id, {})),
        )
        for enrollment_id, subscriber_id in pairs
    }


def of_joining(session: Session, entry: Condition, subscriber_ids: Iterable[int]) -> dict[int, Facts]:
    """What an entry asks about those who would join, by their ids; where it asks nothing, nothing is read."""
    return load(session, [(number, number) for number in subscriber_ids], {}, Asked.by([entry]))


def _plain(fields: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in fields.items()}


def _downloaded(session: Session, ids: Sequence[int]) -> Mapping[int, Iterable[str]]:
    return cast(Downloaded, current_app.extensions["downloaded"])(session, ids)


def _clicked(session: Session, ids: Sequence[int], courses: Mapping[int, Course]) -> dict[int, set[str]]:
    """By enrollment, the keys of the steps whose links its reader pressed."""
    keys = {step.id: step.key for course in courses.values() for step in course.steps}
    clicked: dict[int, set[str]] = {}
    for reason in ledger.reasons_clicked(session, ids, "step:"):
        step_id, enrollment_id = queries.read_reason(reason)
        if step_id in keys:
            clicked.setdefault(enrollment_id, set()).add(keys[step_id])
    return clicked
