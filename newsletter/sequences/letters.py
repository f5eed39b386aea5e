"""A step's email, as the ledger asks for it at the moment of sending."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial

from sqlalchemy.orm import Session

from newsletter.delivery.letters import Later, Letter, Withdrawn, guarded, studio_in_mail
from newsletter.delivery.rules import PAUSED, Claimed
from newsletter.errors import SuppleError
from newsletter.messages.compiling import CompiledMessage
from newsletter.sequences import facts, models, queries, rules
from newsletter.sequences.models import Enrollment, Step
from newsletter.sequences.rules import EnrollmentState
from newsletter.sequences.timing import of_step
from newsletter.sequences.wording import compiled


def letters(session: Session, batch: Sequence[Claimed]) -> dict[int, Letter | Withdrawn | Later | SuppleError]:
    """The emails for `step:STEP:enrollment:ENROLLMENT`, as far as their readers may still get them (2.6, 3.13)."""
    named = {one.id: queries.read_reason(one.reason) for one in batch}
    steps = queries.steps_by_id(session, [step_id for step_id, _ in named.values()])
    enrollments = queries.enrollments_by_id(session, [enrollment_id for _, enrollment_id in named.values()])
    leaving = _leaving(session, enrollments.values())
    return {
        delivery_id: guarded(
            partial(_letter, session, steps.get(step_id), enrollments.get(enrollment_id), leaving), delivery_id
        )
        for delivery_id, (step_id, enrollment_id) in named.items()
    }


def _leaving(session: Session, enrollments: Collection[Enrollment]) -> dict[int, str]:
    """Who of these has reached the goal or taken an exit since the planning, and why (semantics 3.13)."""
    courses = queries.courses(session, {row.sequence_id for row in enrollments})
    asked = [row for row in enrollments if courses[row.sequence_id].goal or courses[row.sequence_id].exits]
    known = facts.load(session, [(row.id, row.subscriber_id) for row in asked], courses) if asked else {}
    return {row.id: why for row in asked if (why := rules.left(courses[row.sequence_id], known[row.id]))}


def _letter(
    session: Session, step: Step | None, enrollment: Enrollment | None, leaving: Mapping[int, str]
) -> Letter | Withdrawn | Later:
    if enrollment is None or enrollment.state != EnrollmentState.ACTIVE:
        return Withdrawn(f"Left the series: {enrollment.ended_why}" if enrollment else "The enrollment was removed.")
    if enrollment.id in leaving:
        return Withdrawn(f"Left the series: {leaving[enrollment.id]}")
    if step is None or step.deleted_at is not None:
        return Withdrawn("This email was taken out of the series.")
    if enrollment.held_at is not None:
        return Later(PAUSED, f"Waits: {enrollment.held_why}.")
    series = session.get_one(models.Sequence, step.sequence_id)
    letter = letter_of(compiled(step.source, studio_in_mail(session)), series)
    return replace(letter, fits=partial(rules.fit, of_step(step)))


def letter_of(message: CompiledMessage, series: models.Sequence) -> Letter:
    """A compiled step as a letter of its series; one-click unsubscribing ends that series (semantics 3.14)."""
    return Letter(message, marketing=True, scope=series.id, list_name=series.slug)
