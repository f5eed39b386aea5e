"""Jinja2 that has to survive Markdown, MJML and HTML tools: each tag travels as a plain word and is put back after.

A word like `q1f9c03b7z0003z` is only lower-case letters and digits, so no tool escapes, wraps, splits or encodes it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from typing import Literal

from newsletter.errors import SourceError

Kind = Literal["expression", "statement", "constant", "nothing", "link"]

_STRINGS = r"""(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[^"'])*?"""
_TAG = re.compile(
    r"\{%[-+]?\s*raw\s*[-+]?%\}(?P<raw>.*?)\{%[-+]?\s*endraw\s*[-+]?%\}"
    r"|\{#(?P<comment>.*?)#\}"
    rf"|\{{\{{[-+]?(?P<expression>{_STRINGS})[-+]?\}}\}}"
    rf"|\{{%[-+]?(?P<statement>{_STRINGS})[-+]?%\}}",
    re.DOTALL,
)
_STRAY = re.compile(r"\{(?=[{%#]|\Z)")


@dataclass(frozen=True)
class Piece:
    """One Jinja2 tag: its inside, and the line it stands on in the operator's file."""

    kind: Kind
    code: str
    line: int
    where: str
    filtered: str = ""


@dataclass
class Sentinels:
    """The words of one message and what each stands for."""

    key: str
    pieces: list[Piece] = field(default_factory=list)

    @classmethod
    def for_text(cls, *texts: str) -> Sentinels:
        """Words that occur in none of the texts; the same texts always give the same words."""
        whole = "\0".join(texts)
        key = hashlib.sha256(whole.encode()).hexdigest()[:8]
        while key in whole:
            key = hashlib.sha256(key.encode()).hexdigest()[:8]
        return cls(key)

    @property
    def pattern(self) -> re.Pattern[str]:
        """Matches one word, alone or wrapped as a comment; group 1 is its number."""
        return re.compile(rf"(?:<!--|&lt;!--)?q{self.key}z(\d{{4}})z(?:--&gt;|-->)?")

    def add(self, piece: Piece) -> str:
        """A word for this piece."""
        self.pieces.append(piece)
        return f"q{self.key}z{len(self.pieces) - 1:04d}z"

    def cut(self, text: str, *, where: str, first_line: int = 1) -> str:
        """The text with each Jinja2 tag replaced by its word."""

        def swap(match: re.Match[str]) -> str:
            line = first_line + text.count("\n", 0, match.start())
            return self.add(_piece(match, line, where))

        return _TAG.sub(swap, text)

    def found(self, text: str) -> list[Piece]:
        """The pieces whose words stand in the text, in order."""
        return [self.pieces[int(number)] for number in self.pattern.findall(text)]

    def in_address(self, address: str) -> str:
        """A link's address whose words will come out as a whole address, or percent-encoded inside one."""

        def swap(match: re.Match[str]) -> str:
            piece = self.pieces[int(match[1])]
            if piece.kind == "link":
                return match[0]
            if piece.kind == "statement":
                raise SourceError(
                    f"{piece.where}, line {piece.line}: a {{% … %}} stands inside a link's address.",
                    remedy="Put the whole link between {% if %} and {% endif %}, or use {{ one if … else other }}.",
                )
            return self.add(replace(piece, filtered="_url_part" if match.start() else "_href"))

        return self.pattern.sub(swap, address)

    def restore(
        self, text: str, code: Callable[[Piece], str], kept: Collection[str] = ()
    ) -> tuple[str, dict[int, Piece]]:
        """The template with each word but those `kept` replaced by `code(piece)`, and which piece each line is of."""
        parts: list[str] = []
        lines: dict[int, Piece] = {}
        line, position = 1, 0
        for match in self.pattern.finditer(text):
            if match[0] in kept:
                continue
            piece = self.pieces[int(match[1])]
            for part in (literal(text[position : match.start()]), code(piece)):
                parts.append(part)
                first, line = line, line + part.count("\n")
            lines.update(dict.fromkeys(range(first, line + 1), piece))
            position = match.end()
        parts.append(literal(text[position:]))
        return "".join(parts), lines


def literal(text: str) -> str:
    """Text that Jinja2 prints as it is, also where it holds braces."""
    return _STRAY.sub("{{ '{' }}", text)


def tag(piece: Piece) -> str:
    """The piece as Jinja2 again, on template lines of its own so that an error finds its way back to the piece."""
    if piece.kind == "statement":
        return "{%\n" + piece.code.strip() + "\n%}"
    if piece.kind == "expression":
        return "{{\n(" + piece.code.strip() + ")" + (f"|{piece.filtered}" if piece.filtered else "") + "\n}}"
    return ""


def _piece(match: re.Match[str], line: int, where: str) -> Piece:
    if (raw := match["raw"]) is not None:
        return Piece("constant", raw, line, where)
    if match["comment"] is not None:
        return Piece("nothing", "", line, where)
    if (expression := match["expression"]) is not None:
        return Piece("expression", expression, line, where)
    return Piece("statement", match["statement"], line, where)
