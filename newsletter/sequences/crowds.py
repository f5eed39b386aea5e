"""Letting many people join one series at once: a fixed number of statements, however many they are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.accounts import queries as accounts
from newsletter.audience import actions as audience
from newsletter.audience import queries as people
from newsletter.audience import rules as audience_rules
from newsletter.audience.queries import Reader
from newsletter.civil import zone_of
from newsletter.sequences import facts, models, pauses, queries, ready, rules, saying
from newsletter.sequences.civil import minute
from newsletter.sequences.course import Course
from newsletter.sequences.models import Enrollment
from newsletter.sequences.rules import EnrollmentState
from newsletter.sequences.triggers import PACE
from newsletter.work.claims import insert_new


def join(session: Session, sequence_id: int, crowd: Sequence[int], source: str, now: datetime) -> int:
    """Let these people join one after another in time, behind crowds that are joining already (semantics 3.19).

    Ten a minute, on whole minutes; returns how many joined. As with `actions.enroll`, whoever may not join (again) has
    a line in their history; they take nobody's turn, nor do those who may not get it at all.
    """
    # The key stays free: who joins otherwise meanwhile must not wait.
    found = select(models.Sequence).where(models.Sequence.id == sequence_id).with_for_update(key_share=True)
    series = session.scalars(found.execution_options(populate_existing=True)).one_or_none()
    if series is None:  # deleted since somebody asked for it
        return 0
    course, zone = queries.courses(session, [sequence_id])[sequence_id], accounts.studio(session).timezone
    turn = max(minute(now), series.crowd_until or minute(now))
    rows = []
    for reader, number in _welcome(session, series, course, dict.fromkeys(crowd), now):
        rows.append(_row(sequence_id, reader, number, source, course, zone, minute(turn)))
        turn += PACE
    held = pauses.whys_held(session, [(sequence_id, row["subscriber_id"]) for row in rows])
    for row, why in zip(rows, held, strict=True):
        row |= {"held_at": row["enrolled_at"] if why else None, "held_why": why}
    unique = [Enrollment.sequence_id, Enrollment.subscriber_id, Enrollment.round]
    joined = insert_new(session, Enrollment, rows, unique=unique, key=Enrollment.id)
    if rows:
        series.crowd_until = turn
    return len(joined)


def _welcome(
    session: Session, series: models.Sequence, course: Course, crowd: dict[int, None], now: datetime
) -> list[tuple[Reader, int]]:
    """Those who may have the series, each with which time it is; the others' histories say why not."""
    readers = people.readers(session, list(crowd))
    before = ready.last_rounds(session, series.id, list(crowd))
    known = facts.of_joining(session, course.entry, readers)
    welcome, kept_out = [], {}
    for reader in (readers[number] for number in crowd if number in readers):
        if audience_rules.why_not_marketing(reader.status, reader.marketing):
            continue
        last = before.get(reader.id)
        why_not = rules.why_not_enter(course, ready.plain_round(last) if last else None, known[reader.id], now)
        if why_not:
            kept_out[reader.id] = saying.say_not_joined(series.name, why_not, again=last is not None)
        else:
            welcome.append((reader, last.round + 1 if last else 1))
    audience.note_each(session, "series", kept_out, now)
    return welcome


def _row(
    sequence_id: int, reader: Reader, number: int, source: str, course: Course, studio_zone: str, at: datetime
) -> dict[str, Any]:
    place = rules.enter(course, zone=zone_of(reader.timezone, studio_zone), now=at)
    state = EnrollmentState.ACTIVE if place.step_id else rules.ending(evergreen=course.evergreen)
    return {
        "sequence_id": sequence_id,
        "subscriber_id": reader.id,
        "round": number,
        "state": state.value,
        "source": source[:80],
        "enrolled_at": at,
        "waits_since": at,
        "next_step_id": place.step_id,
        "next_due_at": place.due_at,
        "ended_at": at if state == EnrollmentState.FINISHED else None,
        "ended_why": "",
        "skips": [],
    }
