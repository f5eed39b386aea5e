"""The frame around every email: one MJML file, its style sheet and a text file, in `emails/layouts/`.

A layout is written in the same Jinja2 as an email, with the same names. Three more stand for the email itself:
`{{ subject }}`, `{{ preheader }}` and `{{ body }}`. Statements between MJML elements stand on lines of their own.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

from newsletter.errors import SourceError

EMAILS = Path(__file__).resolve().parents[2] / "emails"


@dataclass(frozen=True)
class Layout:
    """A frame: `mjml` for HTML, `css` to be inlined into it, `text` for the text part."""

    name: str
    mjml: str
    css: str
    text: str


@functools.cache
def load_layout(name: str = "default") -> Layout:
    """The layout of that name. Raises SourceError when one of its files cannot be read."""
    try:
        mjml, css, text = (
            (EMAILS / "layouts" / f"{name}.{kind}").read_text(encoding="utf-8") for kind in ("mjml", "css", "txt")
        )
    except OSError as problem:
        raise SourceError(
            f"The email layout {name!r} cannot be read: {problem}.",
            remedy=f"Put {name}.mjml, {name}.css and {name}.txt into emails/layouts/.",
        ) from problem
    return Layout(name, mjml, css, text)
