"""An email's Markdown as a row of blocks: prose, pictures, buttons, rules and Jinja2 statements between them.

A button is a paragraph of one link with `{.button}` right after it:

    [Confirm my address]({{ links.confirm }}){.button}

A picture is an image in a paragraph of its own: `![](figure:cactus-glides)`. Jinja2 statements that stand between
paragraphs get lines of their own. CommonMark otherwise, with tables and ~~struck out~~ text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.token import Token

from newsletter.messages import statements
from newsletter.messages.sentinels import Sentinels

BUTTON_MARK = "{.button}"
PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


@dataclass(frozen=True)
class Prose:
    """Paragraphs, headings, lists, quotes, tables."""

    tokens: Sequence[Token]


@dataclass(frozen=True)
class Picture:
    """An image that stands alone; `alt` is empty where the operator left it to the picture."""

    source: str
    alt: str
    line: int


@dataclass(frozen=True)
class Button:
    """A link that stands alone and wants to be pressed."""

    label: str
    address: str


@dataclass(frozen=True)
class Rule:
    """A thematic break."""


@dataclass(frozen=True)
class Statements:
    """Jinja2 statements between blocks, as sentinel words."""

    words: str


Block = Prose | Picture | Button | Rule | Statements


def blocks(text: str, sentinels: Sentinels, *, first_line: int = 1) -> list[Block]:
    """The blocks of a Markdown text whose Jinja2 tags are sentinels."""
    found: list[Block] = []
    run: list[Token] = []
    for group in groups(PARSER.parse(statements.apart(text, sentinels))):
        special = _special(group, sentinels, first_line)
        if special is None:
            run.extend(group)
            continue
        if run:
            found.append(Prose(run))
            run = []
        found.append(special)
    return [*found, Prose(run)] if run else found


def pictures(text: str) -> list[str]:
    """The sources of all images in a Markdown text, in order, each once."""
    inline = (child for token in PARSER.parse(text) for child in token.children or ())
    return list(dict.fromkeys(str(token.attrs["src"]) for token in inline if token.type == "image"))


def groups(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    """The blocks at the top of a text, each with all that is inside it."""
    group: list[Token] = []
    depth = 0
    for token in tokens:
        group.append(token)
        depth += token.nesting
        if depth == 0:
            yield group
            group = []


def _special(group: Sequence[Token], sentinels: Sentinels, first_line: int) -> Block | None:
    first = group[0]
    if first.type == "hr":
        return Rule()
    if first.type == "html_block" and not sentinels.pattern.sub("", first.content).strip():
        return Statements("".join(match[0] for match in sentinels.pattern.finditer(first.content)))
    if first.type != "paragraph_open":
        return None
    line = first_line + (first.map[0] if first.map else 0)
    return _alone(group[1].children or [], line)


def _alone(inline: Sequence[Token], line: int) -> Block | None:
    if len(inline) == 1 and inline[0].type == "image":
        return Picture(str(inline[0].attrs["src"]), inline[0].content, line)
    if len(inline) >= 4 and inline[0].type == "link_open" and inline[-2].type == "link_close":
        middle = inline[1:-2]
        if inline[-1].content.strip() == BUTTON_MARK and all(token.type != "link_open" for token in middle):
            return Button("".join(token.content for token in middle), str(inline[0].attrs["href"]))
    return None
