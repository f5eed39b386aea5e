"""The text part wrapped for one reader, without wrapping it for each: where lines break depends on lengths only.

Two readers whose words are equally long get the same lines around them. So a text is wrapped once with empty words of
those lengths in it, and what comes out is remembered as a plan: standing lines, and the places for the reader's words.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from itertools import count

from newsletter.messages import plain
from newsletter.messages.quoted import segment
from newsletter.messages.segments import Segments

MOST_PLANS = 500  # of one message: its names of 2 to 14 letters with towns of 3 to 20 are 234
MOST_SIGNS = 300_000  # of all their segments; plans share those that are alike

_WORD, _SPACES = re.compile(r"\S+"), re.compile(r"(\s+)")
# An empty word is a sign of Unicode's private use, as often as the word is long; each word has a sign of its own.
_FIRST_SIGN, _LAST_SIGN = 0xF0000, 0xFFFFD
_EMPTY_WORD = re.compile(f"([{chr(_FIRST_SIGN)}-{chr(_LAST_SIGN)}])\\1*")


@dataclass(frozen=True)
class _Plan:
    """`segments` with holes; a hole takes piece `n` whole, or the word `m` of piece `n`."""

    segments: list[str]
    whole: list[tuple[int, int]]
    words: list[tuple[int, int, int]]


@dataclass(frozen=True)
class Flow:
    """The plans of one message; `standing` are the pieces of its template that are the same for every reader."""

    standing: frozenset[str]
    plans: dict[tuple[Hashable, ...], _Plan | None] = field(default_factory=dict)
    quoted: dict[str, bytes] = field(default_factory=dict)
    segments: dict[str, str] = field(default_factory=dict)

    def filled(self, pieces: Sequence[str]) -> Segments:
        """The pieces of a text as the reader gets it, wrapped by `plain.finish`."""
        standing = self.standing
        # Of all signs that are spaces only one is printable, so most words need no closer look.
        shape = tuple(
            [
                piece
                if piece in standing
                else len(piece)
                if piece and " " not in piece and piece.isprintable()
                else _shape(piece)
                for piece in pieces
            ]
        )
        try:
            plan = self.plans[shape]
        except KeyError:
            plan = self._remember(shape, pieces)
        if plan is None:
            return Segments([plain.finish("".join(pieces))])
        segments = plan.segments.copy()
        for at, piece in plan.whole:
            segments[at] = pieces[piece]
        for at, piece, word in plan.words:
            segments[at] = pieces[piece].split()[word]
        return Segments(segments, self.quoted)

    def _remember(self, shape: tuple[Hashable, ...], pieces: Sequence[str]) -> _Plan | None:
        if len(self.plans) >= MOST_PLANS or sum(map(len, self.segments)) > MOST_SIGNS:
            for kept in (self.plans, self.quoted, self.segments):
                kept.clear()
        self.plans[shape] = plan = _plan(pieces, self.standing)
        if plan:
            plan.segments[:] = [self.segments.setdefault(words, words) for words in plan.segments]
            self.quoted.update((words, segment(words)) for words in plan.segments if words not in self.quoted)
        return plan


def _shape(piece: str) -> Hashable:
    """The lengths of its words and the spaces between; of a single word its length."""
    words = piece.split()
    if not words or (len(words) == 1 and len(words[0]) == len(piece)):
        return len(piece) if words else (piece,)
    return tuple(part if part.isspace() else len(part) for part in _SPACES.split(piece))


def _plan(pieces: Sequence[str], standing: frozenset[str]) -> _Plan | None:
    """The plan for pieces of this shape; None where empty words cannot be told from the template's own signs."""
    signs = count(_FIRST_SIGN)
    emptied: list[str] = []
    origin: list[tuple[str, int, int]] = []
    for at, piece in enumerate(pieces):
        if piece in standing:
            emptied.append(piece)
            continue
        position = 0
        words = _WORD.findall(piece)
        for number, match in enumerate(_WORD.finditer(piece)):
            empty = chr(next(signs)) * len(match[0])
            origin.append((empty, at, -1 if len(words) == 1 and match[0] == piece else number))
            emptied += [piece[position : match.start()], empty]
            position = match.end()
        emptied.append(piece[position:])
    if len(origin) > _LAST_SIGN - _FIRST_SIGN:
        return None
    return _holes(plain.finish("".join(emptied)), origin)


def _holes(text: str, origin: Sequence[tuple[str, int, int]]) -> _Plan | None:
    segments: list[str] = []
    plan = _Plan(segments, [], [])
    position = 0
    found = list(_EMPTY_WORD.finditer(text))
    if [match[0] for match in found] != [empty for empty, _, _ in origin]:
        return None
    for match, (_, piece, word) in zip(found, origin, strict=True):
        if match.start() > position:
            segments.append(text[position : match.start()])
        if word < 0:
            plan.whole.append((len(segments), piece))
        else:
            plan.words.append((len(segments), piece, word))
        segments.append("")
        position = match.end()
    segments.append(text[position:])
    return plan
