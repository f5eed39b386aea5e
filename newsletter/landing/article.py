"""An article's Markdown as a row of pieces: safe HTML, pictures of exercises, and the places of form and moves.

`::form::` and `::moves::` stand on lines of their own. `::moves cat-cow open-book::` names which moves to show; without
names they are the four of the shipped gift. `![words](figure:cat-cow)` in a paragraph of its own is a drawn picture.
Raw HTML in an article is shown as text, never obeyed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

from newsletter.messages.markdown import groups

PARSER = MarkdownIt("commonmark", {"html": False, "typographer": True}).enable(
    ["table", "strikethrough", "smartquotes"]
)
FOUR_MOVES = ("cat-cow", "puppy-pose", "thread-the-needle", "open-book")
FIGURE = "figure:"
_PLACE = re.compile(r"::(form|moves)((?:\s+[a-z0-9-]+)*)::")


class Kind(StrEnum):
    """What a piece of an article is."""

    PROSE = "prose"
    FIGURE = "figure"
    FORM = "form"
    MOVES = "moves"


@dataclass(frozen=True)
class Piece:
    """One piece: `html` of prose, or the `keys` of figures and the `words` that describe one."""

    kind: Kind
    html: str = ""
    keys: tuple[str, ...] = ()
    words: str = ""


@lru_cache(maxsize=64)
def pieces(markdown: str) -> tuple[Piece, ...]:
    """The pieces of an article in their order; kept, because every visitor wants the same."""
    found: list[Piece] = []
    run: list[Token] = []
    for group in groups(PARSER.parse(markdown)):
        special = _special(group)
        if special is None:
            run.extend(_tame(group))
            continue
        if run:
            found.append(_prose(run))
            run = []
        found.append(special)
    return (*found, _prose(run)) if run else tuple(found)


def figure_keys(markdown: str) -> tuple[str, ...]:
    """The keys of all figures that an article shows, each once."""
    return tuple(dict.fromkeys(key for piece in pieces(markdown) for key in piece.keys))


def move_keys(markdown: str) -> tuple[str, ...]:
    """The keys of the moves that an article is about: those it places, else the figures it shows, else the four."""
    found = pieces(markdown)
    placed = next((piece.keys for piece in found if piece.kind is Kind.MOVES), ())
    return placed or figure_keys(markdown) or FOUR_MOVES


@lru_cache(maxsize=64)
def plain_words(markdown: str) -> int:
    """How many words a reader has before them."""
    inline = (child for token in PARSER.parse(markdown) for child in token.children or ())
    return sum(len(child.content.split()) for child in inline if child.type == "text")


def _prose(run: Sequence[Token]) -> Piece:
    return Piece(Kind.PROSE, html=PARSER.renderer.render(run, PARSER.options, {}))


def _special(group: Sequence[Token]) -> Piece | None:
    if group[0].type != "paragraph_open":
        return None
    inline = group[1]
    place = _PLACE.fullmatch(inline.content.strip())
    if place is not None:
        named = tuple(place[2].split())
        return Piece(Kind.FORM) if place[1] == "form" else Piece(Kind.MOVES, keys=named or FOUR_MOVES)
    children = inline.children or []
    if len(children) == 1 and children[0].type == "image":
        source = str(children[0].attrs["src"])
        if source.startswith(FIGURE):
            return Piece(Kind.FIGURE, keys=(source.removeprefix(FIGURE),), words=children[0].content)
    return None


def _tame(group: Sequence[Token]) -> Iterator[Token]:
    """Fit for inside a page: its headings start at h2, its links to elsewhere give nothing away, its images wait."""
    for token in group:
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(max(int(token.tag[1]), 2), 4)}"
        for child in token.children or ():
            if child.type == "link_open" and not str(child.attrs["href"]).startswith(("/", "#")):
                child.attrSet("rel", "noopener noreferrer")
            if child.type == "image":
                child.attrSet("loading", "lazy")
        yield token
