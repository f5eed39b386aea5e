"""The words of a step: kept as a source with its subject and preheader, compiled once for all readers."""

from __future__ import annotations

from functools import lru_cache

import yaml

from newsletter.errors import SourceError
from newsletter.messages import images
from newsletter.messages.compiling import CompiledMessage, compile_message
from newsletter.messages.source import Source, parse
from newsletter.messages.studio import Studio


def write(subject: str, preheader: str, body: str) -> str:
    """A source as the database keeps it. Raises SourceError when it could not be read again."""
    front = yaml.safe_dump(
        {"subject": _one_line(subject), "preheader": _one_line(preheader)},
        allow_unicode=True,
        sort_keys=False,
        width=10_000,
    )
    text = f"---\n{front}---\n{body.strip()}\n"
    parse(text)
    return text


def check(subject: str, preheader: str, body: str, studio: Studio) -> None:
    """Raise SourceError, with the line as it counts in the body, when these words cannot become an email."""
    if not _one_line(subject):
        raise SourceError("The subject is empty.", remedy="Give it a subject; it is the first thing a reader sees.")
    source = Source(_one_line(subject), _one_line(preheader), body.strip() + "\n", {}, name="the text")
    compile_message(source, studio, image=images.resolver(studio.url), marketing=True)


# As many as two long series; an edit makes a new key, so nothing ever has to be thrown out by hand.
@lru_cache(maxsize=64)
def compiled(text: str, studio: Studio) -> CompiledMessage:
    """The step's message for this studio. Raises SourceError when the source cannot be understood."""
    return compile_message(parse(text), studio, image=images.resolver(studio.url), marketing=True)


def _one_line(text: str) -> str:
    return " ".join(text.split())
