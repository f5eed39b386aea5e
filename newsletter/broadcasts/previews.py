"""Emails for looking at: made by the code that sends, for a sample or a real reader, and never in the ledger (2.14)."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.orm import Session

from newsletter.audience import queries as audience
from newsletter.audience.models import Subscriber
from newsletter.broadcasts import queries
from newsletter.broadcasts.letters import in_place, letter_of
from newsletter.broadcasts.rules import Audience
from newsletter.delivery.composing import Sealed, render, seal
from newsletter.delivery.letters import Letter, studio_in_mail
from newsletter.errors import SuppleError
from newsletter.messages.compiling import Rendered
from newsletter.settings import current

NAMED, NAMELESS = "named", "nameless"
SAMPLES = {NAMED: "Somebody called Alice", NAMELESS: "Somebody without a name"}
CLIPPED = 100_000  # bytes of HTML; Gmail cuts at 102 kB and hides the unsubscribe link below
_NO_ADDRESS = re.compile(r'href="https?:/*"')
REAL_READERS = 8  # offered beside the samples; enough to find one with odd fields, few enough for a menu


@dataclass(frozen=True)
class Reader:
    """Whom an email is shown for. The person has id 0, so that pressing "unsubscribe" in a preview ends nothing."""

    person: Subscriber
    tags: list[str]


def choices(session: Session, who: Audience) -> list[tuple[str, str]]:
    """The readers one can look as: value and words."""
    people = queries.people_after(session, who, 0, REAL_READERS)
    return [*SAMPLES.items(), *((str(person.id), person.email) for person in people)]


def reader(session: Session, asked: str) -> Reader:
    """The reader that was chosen; anything unknown is the sample with a name."""
    real = audience.subscriber(session, int(asked)) if asked.isascii() and asked.isdigit() else None
    if real is not None:
        return Reader(audience.double_of(real), audience.tag_names(session, real.id))
    return Reader(audience.invented("" if asked == NAMELESS else "Alice"), [])


def preview(session: Session, source: str, asked: str, now: datetime) -> Rendered:
    """The email as a reader would get it now; raises SourceError or RenderError naming the line."""
    return _made(session, source, asked, now)[1]


def _made(session: Session, source: str, asked: str, now: datetime) -> tuple[Letter, Rendered, dict[str, str]]:
    letter, chosen = letter_of(source, studio_in_mail(session)), reader(session, asked)
    try:
        rendered, links = render(letter, chosen.person, chosen.tags, now)
    except SuppleError as problem:
        raise in_place(problem) from problem
    return letter, rendered, links


def trial(session: Session, source: str, asked: str, recipient: str, now: datetime) -> Sealed:
    """The same email for an operator's inbox, marked as a test; raises SourceError or RenderError."""
    letter, rendered, links = _made(session, source, asked, now)
    domain = current().mail_from.rpartition("@")[2]
    return seal(
        letter,
        replace(rendered, subject=f"[Test] {rendered.subject}"),
        delivery_id=0,
        reason="test",
        message_id=f"<test.{secrets.token_hex(12)}@{domain}>",
        recipient=("", recipient),
        leave=links["unsubscribe"],
        now=now,
    )


def notes(rendered: Rendered) -> list[str]:
    """What a writer should know before sending, in words; empty when all is well."""
    found = []
    if _NO_ADDRESS.search(rendered.html):
        found.append("A link or a button has no address yet; it says only https://.")
    size = len(rendered.html.encode())
    if size > CLIPPED:
        found.append(f"The email has {size // 1000} kB. Gmail cuts it off at 102 kB, and the way out with it.")
    return found
