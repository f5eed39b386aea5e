"""Starting points for a new email: an empty sheet, the emails that ship, and what was written before."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from newsletter.broadcasts.rules import Text
from newsletter.messages.source import load

SHIPPED = Path(__file__).resolve().parents[2] / "emails" / "core-series"

EMPTY = Text(
    subject="",
    preheader="",
    body=(
        'Hello {{ subscriber.first_name or "there" }},\n\n\n\n'
        "{{ studio.signature or studio.sender_name or studio.name }}\n"
    ),
)


@dataclass(frozen=True)
class Start:
    """A shipped email as a starting point; `key` names it in a form."""

    key: str
    text: Text


@cache
def shipped() -> tuple[Start, ...]:
    """The emails that come with the program, in their order."""
    sources = [(path.stem, load(path)) for path in sorted(SHIPPED.glob("*.md"))]
    return tuple(Start(key, Text(found.subject, found.preheader, found.body)) for key, found in sources)


def text_of(key: str) -> Text:
    """The words of a shipped email; an unknown key gives the empty sheet."""
    return next((start.text for start in shipped() if start.key == key), EMPTY)
