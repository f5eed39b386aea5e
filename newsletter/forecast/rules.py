"""Running the planner on a clock that is only imagined. Pure: the same rules as the worker's, no other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from newsletter.sequences.rules import Course, Step, Way, due


@dataclass(frozen=True)
class Row:
    """One email that will be sent: when (UTC), to which address, and why; `sequence` and `step` are names in URLs.

    Both are None for a broadcast.
    """

    at: datetime
    subscriber: str
    subject: str
    sequence: str | None
    step: str | None
    reason: str


@dataclass(frozen=True)
class Standing:
    """Where a reader stands now: waiting for a step that is due, or (`planned_at`) with an email in the ledger."""

    way: Way
    step_id: int | None
    due_at: datetime | None = None
    planned_at: datetime | None = None


def ahead(
    course: Course, standing: Standing, *, zone: ZoneInfo, now: datetime, until: datetime
) -> Iterator[tuple[datetime, Step]]:
    """What one reader will get by `until`, if nothing happens but time, and every email leaves the minute it is due."""
    way, step_id, due_at = standing.way, standing.step_id, standing.due_at
    if standing.planned_at is not None:
        step = next((step for step in course.steps if step.id == step_id), None)
        at = max(standing.planned_at, now)
        if step is None or at > until:
            return
        if not step.deleted:
            yield at, step
        way, step_id, due_at = _after(course, way, step, at, zone, sent=not step.deleted)
    while step_id is not None and due_at is not None:
        moment = max(due_at, now)
        step = course.step(step_id)
        # The planner asks again when the moment has come; here it has come in thought.
        at = due(course, step, way, zone=zone, now=moment) if step else moment
        if at > until:
            return
        if step is not None:
            yield at, step
        passed = step or next(step for step in course.steps if step.id == step_id)
        way, step_id, due_at = _after(course, way, passed, at, zone, sent=step is not None)


def _after(
    course: Course, way: Way, passed: Step, at: datetime, zone: ZoneInfo, *, sent: bool
) -> tuple[Way, int | None, datetime | None]:
    way = Way(way.enrolled_at, max(way.since, at), at if sent else way.sent_at)
    step = course.after(passed.id)
    return way, step.id if step else None, due(course, step, way, zone=zone, now=at) if step else None
