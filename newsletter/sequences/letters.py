"""A step's email, as the ledger asks for it at the moment of sending."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from sqlalchemy.orm import Session

from newsletter.delivery.letters import Letter, Withdrawn, guarded, studio_in_mail
from newsletter.delivery.rules import Claimed
from newsletter.errors import SuppleError
from newsletter.messages.compiling import CompiledMessage
from newsletter.sequences import models, queries
from newsletter.sequences.models import Enrollment, Step
from newsletter.sequences.rules import EnrollmentState
from newsletter.sequences.wording import compiled


def letters(session: Session, batch: Sequence[Claimed]) -> dict[int, Letter | Withdrawn | SuppleError]:
    """The emails for `step:STEP:enrollment:ENROLLMENT`, as far as their readers may still get them (2.6, 3.13)."""
    named = {one.id: queries.read_reason(one.reason) for one in batch}
    steps = queries.steps_by_id(session, [step_id for step_id, _ in named.values()])
    enrollments = queries.enrollments_by_id(session, [enrollment_id for _, enrollment_id in named.values()])
    return {
        delivery_id: guarded(partial(_letter, session, steps.get(step_id), enrollments.get(enrollment_id)), delivery_id)
        for delivery_id, (step_id, enrollment_id) in named.items()
    }


def _letter(session: Session, step: Step | None, enrollment: Enrollment | None) -> Letter | Withdrawn:
    if enrollment is None or enrollment.state != EnrollmentState.ACTIVE:
        return Withdrawn(f"Left the series: {enrollment.ended_why}" if enrollment else "The enrollment was removed.")
    if step is None or step.deleted_at is not None:
        return Withdrawn("This email was taken out of the series.")
    series = session.get_one(models.Sequence, step.sequence_id)
    return letter_of(compiled(step.source, studio_in_mail(session)), series)


def letter_of(message: CompiledMessage, series: models.Sequence) -> Letter:
    """A compiled step as a letter of its series; one-click unsubscribing ends that series (semantics 3.14)."""
    return Letter(message, marketing=True, scope=series.id, list_name=series.slug)
