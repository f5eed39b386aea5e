"""A step's email for looking at: made by the code that sends, for somebody invented, never in the ledger (2.14)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from newsletter.delivery.composing import render
from newsletter.delivery.letters import studio_in_mail
from newsletter.messages.compiling import Rendered
from newsletter.messages.source import parse
from newsletter.sequences import queries, wording
from newsletter.sequences.letters import letter_of
from newsletter.sequences.models import Sequence, Step

NAMED, NAMELESS = "named", "nameless"
READERS = {NAMED: "As Alice", NAMELESS: "Without a name"}


@dataclass(frozen=True)
class Words:
    """A step's words as its author writes them."""

    subject: str
    preheader: str
    body: str


def words_of(step: Step) -> Words:
    """A stored step's words."""
    source = parse(step.source)
    return Words(source.subject, source.preheader, source.body.strip())


def preview(session: Session, series: Sequence, words: Words, asked: str, now: datetime) -> Rendered:
    """The email as the reader `asked` for would get it now; raises SourceError or RenderError naming the line."""
    message = wording.drafted(words.subject, words.preheader, words.body, studio_in_mail(session))
    person = queries.invented_reader("" if asked == NAMELESS else "Alice")
    return render(letter_of(message, series), person, [], now)[0]
