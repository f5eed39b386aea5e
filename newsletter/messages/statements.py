"""Jinja2 statements between paragraphs: each gets a line of its own, as a comment that no tool wraps in a paragraph.

`{% if %}`, its `{% else %}` and its `{% endif %}` belong together. Inside one paragraph they stay where they are. When
they reach over a paragraph's end, all of them have to stand between paragraphs, or the HTML would come out crossed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from newsletter.errors import SourceError
from newsletter.messages.sentinels import Piece, Sentinels

_BLANK = re.compile(r"\n[ \t>]*\n")
_MARGIN = r"[ \t>]*"


@dataclass(frozen=True)
class _Found:
    piece: Piece
    start: int
    end: int


@dataclass
class _Family:
    """An `if` or `for` with all that belongs to it."""

    members: list[_Found] = field(default_factory=list)


def apart(text: str, sentinels: Sentinels) -> str:
    """The text with statements on lines of their own as comments. Raises SourceError for one that would cross HTML."""
    numbers = [f"{n:04d}" for n, piece in enumerate(sentinels.pieces) if piece.kind in {"statement", "nothing"}]
    if not numbers:
        return text
    word = rf"q{sentinels.key}z(?:{'|'.join(numbers)})z"
    moved = _lines_of_their_own(text, sentinels, word)
    line = re.compile(rf"^({_MARGIN})((?:{word}[ \t]*)+)$", re.MULTILINE)

    return line.sub(lambda match: match[1] + re.sub(rf"({word})[ \t]*", r"<!--\1-->", match[2]), moved)


def _lines_of_their_own(text: str, sentinels: Sentinels, word: str) -> str:
    breaks: set[int] = set()
    for family in _families(text, sentinels):
        first, last = family.members[0], family.members[-1]
        alone = any(_before(text, f, word) and _after(text, f, word) for f in family.members)
        if not alone and not _BLANK.search(text, first.start, last.end):
            continue
        for member in family.members:
            breaks |= _breaks_around(text, member, word)
    parts, position = [], 0
    for place in sorted(breaks):
        parts += [text[position:place], "\n"]
        position = place
    return "".join([*parts, text[position:]])


def _breaks_around(text: str, found: _Found, word: str) -> set[int]:
    before, after = _before(text, found, word), _after(text, found, word)
    middle = found.piece.code.split(maxsplit=1)[0] in {"else", "elif"}
    if not before and not after and not middle:
        raise SourceError(
            f"{found.piece.where}, line {found.piece.line}: {{% {found.piece.code.strip()} %}} stands in the middle "
            "of a line, its partner in another paragraph.",
            remedy="Put each on a line of its own.",
        )
    places = set() if before else {_run_start(text, found.start, word)}
    return places if after else places | {_run_end(text, found.end, word)}


def _families(text: str, sentinels: Sentinels) -> list[_Family]:
    families: list[_Family] = []
    still_open: list[_Family] = []
    for match in sentinels.pattern.finditer(text):
        piece = sentinels.pieces[int(match[1])]
        verb = piece.code.split(maxsplit=1)[0] if piece.kind == "statement" else ""
        if verb in {"if", "for"}:
            still_open.append(_Family())
            families.append(still_open[-1])
        if verb in {"if", "for", "elif", "else", "endif", "endfor"} and still_open:
            still_open[-1].members.append(_Found(piece, match.start(), match.end()))
        if verb in {"endif", "endfor"} and still_open:
            still_open.pop()
    return families


def _before(text: str, found: _Found, word: str) -> bool:
    """Whether nothing but statements stands before it on its line."""
    start = text.rfind("\n", 0, found.start) + 1
    return re.fullmatch(rf"{_MARGIN}(?:{word}[ \t]*)*", text[start : found.start]) is not None


def _after(text: str, found: _Found, word: str) -> bool:
    """Whether nothing but statements stands after it on its line."""
    end = text.find("\n", found.end)
    return re.fullmatch(rf"(?:[ \t]*{word})*[ \t]*", text[found.end : end if end >= 0 else None]) is not None


def _run_start(text: str, start: int, word: str) -> int:
    """Where the row of statements that reaches up to `start` begins."""
    run = re.search(rf"(?:{word}[ \t]*)*\Z", text[:start])
    return run.start() if run else start


def _run_end(text: str, end: int, word: str) -> int:
    run = re.match(rf"(?:[ \t]*{word})*", text[end:])
    return end + (run.end() if run else 0)
