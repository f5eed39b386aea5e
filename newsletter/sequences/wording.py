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
    lines = body.replace("\r\n", "\n").replace("\r", "\n").strip()
    text = f"---\n{front}---\n{lines}\n"
    parse(text)
    return text


def drafted(subject: str, preheader: str, body: str, studio: Studio) -> CompiledMessage:
    """These words as an email, not kept anywhere. Raises SourceError with the line as it counts in the body."""
    if not _one_line(subject):
        raise SourceError("The subject is empty.", remedy="Write one; it is what readers see first.")
    if not body.strip():
        raise SourceError("The email has no text.", remedy="Write some words below the subject.")
    text = body.replace("\r\n", "\n").replace("\r", "\n").strip() + "\n"
    source = Source(_one_line(subject), _one_line(preheader), text, {}, name="The text")
    return compile_message(source, studio, image=images.resolver(studio.url), marketing=True)


# As many as two long series; an edit makes a new key, so nothing ever has to be thrown out by hand.
@lru_cache(maxsize=64)
def compiled(text: str, studio: Studio) -> CompiledMessage:
    """The step's message for this studio. Raises SourceError when the source cannot be understood."""
    return compile_message(parse(text), studio, image=images.resolver(studio.url), marketing=True)


def _one_line(text: str) -> str:
    return " ".join(text.split())
