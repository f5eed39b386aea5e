"""A step's email, as the ledger asks for it at the moment of sending."""

from __future__ import annotations

from sqlalchemy.orm import Session

from newsletter.audience import queries as people
from newsletter.audience import rules as audience
from newsletter.delivery.letters import Letter, Withdrawn, studio_in_mail
from newsletter.delivery.models import Delivery
from newsletter.messages.compiling import CompiledMessage
from newsletter.sequences import queries
from newsletter.sequences.models import Enrollment, Sequence, Step
from newsletter.sequences.rules import EnrollmentState
from newsletter.sequences.wording import compiled


def letter(session: Session, delivery: Delivery) -> Letter | Withdrawn:
    """The email for `step:STEP:enrollment:ENROLLMENT`, if its reader may still get it (semantics 2.6, 3.13)."""
    step_id, enrollment_id = queries.read_reason(delivery.reason)
    step = session.get(Step, step_id, populate_existing=True)
    enrollment = session.get(Enrollment, enrollment_id, populate_existing=True)
    if enrollment is None or enrollment.state != EnrollmentState.ACTIVE:
        return Withdrawn(f"Left the series: {enrollment.ended_why}" if enrollment else "The enrollment was removed.")
    if step is None or step.deleted_at is not None:
        return Withdrawn("This email was taken out of the series.")
    person = people.subscriber(session, delivery.subscriber_id)
    why_not = audience.why_not_marketing(person.status, person.marketing) if person else "not known any more"
    if why_not:
        return Withdrawn(why_not)
    series = session.get_one(Sequence, step.sequence_id)
    return letter_of(compiled(step.source, studio_in_mail(session)), series)


def letter_of(message: CompiledMessage, series: Sequence) -> Letter:
    """A compiled step as a letter of its series; one-click unsubscribing ends that series (semantics 3.14)."""
    return Letter(message, marketing=True, scope=series.id, list_name=series.slug)
