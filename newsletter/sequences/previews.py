"""A step's email for looking at: made by the code that sends, as anybody would get it, never in the ledger (2.14)."""

from __future__ import annotations

from collections.abc import Sequence as Ordered
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from newsletter.audience import queries as audience
from newsletter.audience.models import Subscriber
from newsletter.audience.rules import Status
from newsletter.delivery.composing import render
from newsletter.delivery.letters import studio_in_mail
from newsletter.messages.compiling import Rendered
from newsletter.messages.source import parse
from newsletter.sequences import reach, wording
from newsletter.sequences.letters import letter_of
from newsletter.sequences.models import Sequence, Step

NAMED, NAMELESS = "named", "nameless"
READERS = {NAMED: "As Alice", NAMELESS: "Without a name"}
FOUND = 8  # readers offered at once: enough to see the right one, few enough for a phone


@dataclass(frozen=True)
class Words:
    """A step's words as its author writes them."""

    subject: str
    preheader: str
    body: str


@dataclass(frozen=True)
class Reader:
    """Whom an email is shown for; `asked` is what the page's address says, `shown` what the operator reads."""

    asked: str
    shown: str
    person: Subscriber
    tags: Ordered[str]


def words_of(step: Step) -> Words:
    """A stored email's words; empty ones for a step of another kind."""
    if not step.source:
        return Words("", "", "")
    source = parse(step.source)
    return Words(source.subject, source.preheader, source.body.strip())


def reader(session: Session, asked: str) -> Reader:
    """The reader `asked` for: a person's id, or one of READERS; anybody unknown is Alice, who is invented."""
    real = audience.subscriber(session, int(asked)) if asked.isascii() and asked.isdigit() and len(asked) < 10 else None
    if real is not None and real.status != Status.ERASED:
        return Reader(asked, shown(real), audience.double_of(real), audience.tag_names(session, real.id))
    nameless = asked == NAMELESS
    person = audience.invented("" if nameless else "Alice")
    return Reader(NAMELESS if nameless else NAMED, READERS[NAMELESS if nameless else NAMED], person, ())


def shown(person: Subscriber) -> str:
    """A person in a list: the address, and the name where there is one."""
    name = f"{person.first_name} {person.last_name}".strip()
    return f"{name} ({person.email})" if name else person.email


def readers(session: Session, sequence_id: int, search: str) -> list[tuple[str, str]]:
    """Real readers to look as, as value and words: those the search finds, without one some of the series' own."""
    found = reach.readers_like(session, search, FOUND) if search else reach.readers_of(session, sequence_id, FOUND)
    return [(str(person.id), shown(person)) for person in found]


def preview(session: Session, series: Sequence, words: Words, as_whom: Reader, now: datetime) -> Rendered:
    """The email as that reader would get it now; raises SourceError or RenderError naming the line."""
    message = wording.drafted(words.subject, words.preheader, words.body, studio_in_mail(session))
    return render(letter_of(message, series), as_whom.person, list(as_whom.tags), now)[0]
