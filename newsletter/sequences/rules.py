"""The planner of sequences: pure, so that the future can be run."""

from __future__ import annotations

from enum import StrEnum


class EnrollmentState(StrEnum):
    """Where a reader stands in a sequence; what a person reads is in `ENROLLMENT_WORDS`."""

    ACTIVE = "active"  # waits for next_due_at, or for the planned email to leave
    FINISHED = "finished"  # had the last step
    EXITED = "exited"  # left before the end, with the reason


ENROLLMENT_WORDS = {
    EnrollmentState.ACTIVE: "under way",
    EnrollmentState.FINISHED: "finished",
    EnrollmentState.EXITED: "left",
}
