"""The subject that a reader will see, made by the code that sends."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from sqlalchemy.orm import Session

from newsletter import clock
from newsletter.audience import queries as audience
from newsletter.audience.models import Subscriber
from newsletter.audience.queries import Reader
from newsletter.delivery.composing import render
from newsletter.delivery.letters import Letter, studio_in_mail
from newsletter.errors import SuppleError
from newsletter.messages import images
from newsletter.messages.compiling import compile_message
from newsletter.messages.source import Source, parse
from newsletter.messages.studio import Studio


@lru_cache(maxsize=256)
def written(source: str) -> str:
    """The subject as its author wrote it."""
    return parse(source).subject


@lru_cache(maxsize=64)
def _letter(subject: str, studio: Studio) -> Letter:
    """An email of a subject only: a whole one would take a hundred times as long for every row."""
    return Letter(
        compile_message(Source(subject, "", "", {}), studio, image=images.resolver(studio.url), marketing=False)
    )


def subject(session: Session, source: str, person: Subscriber | Reader, tags: Sequence[str] | None = None) -> str:
    """The subject of `source` for one reader; as it was written, where it cannot be made for them.

    `tags` are those of a reader whom the database does not know.
    """
    text = written(source)
    if "{" not in text:
        return text
    try:
        known = tags if tags is not None else audience.tag_names(session, person.id) if "tags" in text else ()
        return render(_letter(text, studio_in_mail(session)), person, known, clock.now())[0].subject
    except SuppleError:
        return text
