"""Alice, Bob and Charlie: how tests make readers, and a letter to write to them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from flask import Flask
from sqlalchemy.orm import Session

from newsletter import addresses
from newsletter.audience import actions as audience
from newsletter.audience.models import Consent, Subscriber
from newsletter.audience.rules import Status
from newsletter.delivery import actions as delivery
from newsletter.delivery.letters import Letter, Withdrawn, Writer, one_by_one, studio_in_mail
from newsletter.delivery.rules import Claimed, Lane
from newsletter.messages.compiling import compile_message
from newsletter.messages.images import Image
from newsletter.messages.source import parse

NOW = datetime(2026, 3, 4, 9, 30, tzinfo=UTC)
ALICE, BOB, CHARLIE = "alice@example.org", "bob@example.org", "charlie@example.net"

NOTE = """\
---
subject: "A note for {{ subscriber.first_name or 'you' }}"
preheader: Short
---
Hello {{ subscriber.first_name or "there" }}, this is a note.
"""


def person(
    session: Session,
    address: str = ALICE,
    *,
    status: Status = Status.CONFIRMED,
    marketing: bool = True,
    first_name: str = "",
    now: datetime = NOW,
) -> Subscriber:
    """A reader with that address, as if they had signed up and confirmed."""
    made = audience.remember(session, addresses.parse(address), source="test", now=now)
    made.status, made.marketing, made.first_name = status, marketing, first_name
    made.confirmed_at = now if status == Status.CONFIRMED else None
    session.flush()
    return made


def consent(session: Session, reader: Subscriber, *, marketing: bool = True, now: datetime = NOW) -> Consent:
    """What that reader asked for, not confirmed yet."""
    return audience.record_consent(
        session,
        subscriber_id=reader.id,
        email=reader.email,
        marketing=marketing,
        wording="I would like the sheet and the series.",
        wording_version="v1",
        page_url="http://localhost:8000/",
        ip="192.0.2.7",
        user_agent="A browser",
        requested_at=now,
    )


def planned(
    session: Session,
    reader: Subscriber,
    *,
    reason: str = "note:1",
    lane: Lane = Lane.SEQUENCE,
    due_at: datetime = NOW,
    now: datetime = NOW,
) -> bool:
    """Plan a note to that reader."""
    return delivery.plan(session, reason=reason, subscriber_id=reader.id, lane=lane, due_at=due_at, now=now)


def note_writer(source: str = NOTE, *, marketing: bool = False, **more: object) -> Writer:
    """A room that writes emails of reason `note:…`."""

    def write(session: Session, _delivery: Claimed) -> Letter | Withdrawn:
        studio = studio_in_mail(session)
        compiled = compile_message(parse(source), studio, image=_no_pictures, marketing=marketing)
        return Letter(compiled, dict(more), marketing=marketing)

    return one_by_one(write)


def _no_pictures(source: str) -> Image:
    raise AssertionError(f"the note has no picture {source}")


def register(app: Flask, writers: Mapping[str, Writer]) -> None:
    """Let `app` ask these for letters, beside its own rooms."""
    app.extensions["letters"] = {**app.extensions["letters"], **writers}
