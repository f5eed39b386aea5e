"""One email's story as tables: what each row of its past says, and what happens next."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from newsletter.delivery.models import Delivery
from newsletter.delivery.rules import PARKED, EventKind, State
from newsletter.delivery.timeline import READER, ROBOT, Line, meaning, story
from tests.people import NOW


def email(state: State, **more: Any) -> Delivery:
    """A row of the ledger that no database has seen."""
    values: dict[str, Any] = {"planned_at": NOW, "due_at": NOW + timedelta(hours=1), "state_why": ""}
    return Delivery(**(values | {"lease_until": None, "ended_at": None} | more), state=state)


def line(kind: str, what: str, **more: Any) -> Line:
    """A row of its past, a minute after it was planned."""
    values: dict[str, Any] = {"relay": "", "code": None, "enhanced": "", "text": ""}
    return Line(kind, 1, NOW + timedelta(minutes=1), what, **(values | more))


@pytest.mark.parametrize(
    ("row", "past", "titles"),
    [
        (email(State.PLANNED), [], ["Planned", "Goes out"]),
        (email(State.PLANNED, due_at=PARKED), [], ["Planned", "Waits: sending is on hold"]),
        (email(State.CLAIMED), [], ["Planned", "A worker has it in hand right now"]),
        (email(State.SENDING), [], ["Planned", "A worker has it in hand right now"]),
        (
            email(State.DEFERRED),
            [line("attempt", "deferred", code=452)],
            ["Planned", "Not now, said the mail server", "Is tried again"],
        ),
        (
            email(State.ACCEPTED, ended_at=NOW),
            [line("attempt", "accepted"), line("click", ROBOT), line("click", READER)],
            ["Planned", "Accepted by the mail server", "A program opened a link", "The reader pressed a link"],
        ),
        (
            email(State.ACCEPTED, ended_at=NOW),
            [line("attempt", "unknown"), line("event", EventKind.COUNTED)],
            ["Planned", "The answer was lost", "An operator decided: it counts as sent"],
        ),
        (
            email(State.ACCEPTED, ended_at=NOW),
            [line("attempt", "accepted"), line("event", EventKind.BOUNCED)],
            ["Planned", "Accepted by the mail server", "Came back"],
        ),
        (email(State.REJECTED, ended_at=NOW), [line("attempt", "rejected")], ["Planned", "Refused by the mail server"]),
        (email(State.CANCELED, ended_at=NOW), [], ["Planned", "Canceled"]),
        (
            email(State.CANCELED, ended_at=NOW),
            [line("event", EventKind.CANCELED)],
            ["Planned", "An operator canceled it"],
        ),
        (
            email(State.EXPIRED, ended_at=NOW),
            [line("attempt", "deferred")],
            ["Planned", "Not now, said the mail server", "Given up"],
        ),
        (
            email(State.UNKNOWN),
            [line("attempt", "unknown")],
            ["Planned", "The answer was lost", "Waits for you"],
        ),
        (email(State.UNKNOWN), [], ["Planned", "The answer was lost", "Waits for you"]),  # its worker was killed
        (email(State.PLANNED), [line("event", "of another day")], ["Planned", "Of another day", "Goes out"]),
    ],
)
def test_every_state_tells_its_past_and_what_is_next(row: Delivery, past: list[Line], titles: list[str]) -> None:
    assert [moment.title for moment in story(row, past)] == titles


@pytest.mark.parametrize(
    ("enhanced", "code", "words"),
    [
        ("5.1.1", 550, "This mailbox does not exist there."),
        ("4.2.2", 452, "The mailbox is full."),
        ("", 421, "Their mail server is not taking emails right now."),
        ("5.9.9", 550, "The mailbox cannot be reached, or their rules refuse this email."),
        ("", 250, ""),
        ("", None, ""),
    ],
)
def test_2_8_a_status_code_in_words(enhanced: str, code: int | None, words: str) -> None:
    assert meaning(enhanced, code) == words


def test_what_a_relay_said_is_shown_word_for_word_and_its_code_once() -> None:
    past = [line("attempt", "rejected", relay="mx:25", code=550, enhanced="5.1.1", text="5.1.1 No such user")]
    told = story(email(State.REJECTED, ended_at=NOW), past)[-1]
    assert (told.raw, told.detail) == ("mx:25: 550 5.1.1 No such user", "This mailbox does not exist there.")
    apart = [line("attempt", "rejected", relay="mx:25", code=550, enhanced="5.1.1", text="No such user")]
    assert story(email(State.REJECTED, ended_at=NOW), apart)[-1].raw == "mx:25: 550 5.1.1 No such user"
