"""A part of a message laid out for one reader, without laying it out for each.

Readers for whom a template prints the same pieces get the same bytes around their own words. In the text part, where
lines are wrapped, their words have to be equally long as well. So a part is laid out once with empty words in it, and
what comes out is remembered as a plan: standing words, encoded, and holes for a reader's own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count, repeat
from typing import Any

from newsletter.messages.links import cut
from newsletter.messages.quoted import segment
from newsletter.messages.script import Script, unmade
from newsletter.messages.segments import Plan, Segments

MOST_PLANS = 500  # of one part: its names of 2 to 14 letters with towns of 3 to 20 are 234
MOST_SIGNS = 300_000  # of all their segments; plans share those that are alike

_WORD, _SPACES = re.compile(r"\S+"), re.compile(r"(\s+)")
# An empty word is a sign of Unicode's private use, as often as the word is long; each word has a sign of its own.
_FIRST_SIGN, _LAST_SIGN = 0xF0000, 0xFFFFD
_EMPTY_WORD = re.compile(f"([{chr(_FIRST_SIGN)}-{chr(_LAST_SIGN)}])\\1*")

_Hole = tuple[str, int, int]  # the empty word; the value it is for; which word of it, -1 for all


@dataclass(frozen=True)
class Flow:
    """The plans of one part of a message. `wrap` lays out a text; without it a part stays as its script prints it."""

    script: Script
    wrap: Callable[[str], str] | None = None
    plans: dict[tuple[Hashable, ...], Plan | None] = field(default_factory=dict)
    known: dict[str, tuple[str, bytes]] = field(default_factory=dict)  # standing words and how they are encoded

    def filled(self, names: dict[str, Any], counted: Sequence[str]) -> Segments:
        """The part as one reader gets it, with these addresses for the links that are counted.

        Raises RenderError naming the line and the tag.
        """
        return self.laid_out(self.script.run(names), [*counted, *self.script.own_addresses(names["links"])])

    def laid_out(self, pieces: list[str], addresses: list[str]) -> Segments:
        """The pieces that the script printed for a reader, with these addresses for all its links."""
        standing = self.script.standing
        own, link = (_shape, len) if self.wrap else (bool, bool)
        shape = (*[piece if piece in standing else own(piece) for piece in pieces], *map(link, addresses))
        try:
            plan = self.plans[shape]
        except KeyError:
            plan = self._remember(shape, pieces, addresses)
        if plan is not None:
            return Segments(plan, [*pieces, *addresses])
        whole = "".join(word for word, _ in self._values(pieces, addresses))
        return Segments.of(self.wrap(whole) if self.wrap else whole)

    def _values(self, pieces: Sequence[str], addresses: Sequence[str]) -> Iterator[tuple[str, int | None]]:
        """The words in order; of those that are a reader's own the number among pieces and addresses."""
        links = self.script.links
        for at, piece in enumerate(pieces):
            if piece not in self.script.standing:
                yield piece, at
                continue
            for words, number in cut(piece, [link.word for link in links]):
                if number is None:
                    yield words, None
                elif addresses[number] or not links[number].piece.filtered:
                    yield addresses[number], len(pieces) + number
                else:
                    raise unmade(links[number].piece, "The link has no address for this reader.")

    def _remember(self, shape: tuple[Hashable, ...], pieces: Sequence[str], addresses: Sequence[str]) -> Plan | None:
        if len(self.plans) >= MOST_PLANS or sum(map(len, self.known)) > MOST_SIGNS:
            self.plans.clear()
            self.known.clear()
        self.plans[shape] = plan = self._plan(pieces, addresses)
        return plan

    def _plan(self, pieces: Sequence[str], addresses: Sequence[str]) -> Plan | None:
        """The plan for pieces of this shape; None where empty words cannot be told from the template's own signs."""
        signs = count(_FIRST_SIGN)
        emptied: list[str] = []
        holes: list[_Hole] = []
        for words, value in self._values(pieces, addresses):
            if value is None:
                emptied.append(words)
            elif self.wrap is None:
                holes.append((chr(next(signs)), value, -1))
                emptied.append(holes[-1][0])
            else:
                emptied.append(_emptied(words, value, signs, holes))
        if len(holes) > _LAST_SIGN - _FIRST_SIGN:
            return None
        text = "".join(emptied)
        return self._around(holes, self.wrap(text) if self.wrap else text)

    def _around(self, holes: Sequence[_Hole], text: str) -> Plan | None:
        found = list(_EMPTY_WORD.finditer(text))
        if [match[0] for match in found] != [empty for empty, _, _ in holes]:
            return None
        plan, position = Plan([], [], [], []), 0
        for match, (_, value, word) in zip(found, holes, strict=True):
            self._stand(plan, text[position : match.start()])
            if word < 0:
                plan.whole.append((len(plan.words), value))
            else:
                plan.single.append((len(plan.words), value, word))
            plan.words.append("")
            plan.quoted.append(b"")
            position = match.end()
        self._stand(plan, text[position:])
        return plan

    def _stand(self, plan: Plan, words: str) -> None:
        if words:
            if words not in self.known:
                self.known[words] = words, segment(words)
            shared, quoted = self.known[words]
            plan.words.append(shared)
            plan.quoted.append(quoted)


def _shape(piece: str) -> Hashable:
    """The lengths of its words and the spaces between; of a single word its length."""
    # Of all signs that are spaces only one is printable, so most words need no closer look.
    if piece and " " not in piece and piece.isprintable():
        return len(piece)
    words = piece.split()
    if not words or (len(words) == 1 and len(words[0]) == len(piece)):
        return len(piece) if words else (piece,)
    return tuple(part if part.isspace() else len(part) for part in _SPACES.split(piece))


def _emptied(piece: str, value: int, signs: Iterator[int], holes: list[_Hole]) -> str:
    """The piece with an empty word for each of its words; they are added to `holes`."""
    numbers = repeat(-1) if _WORD.fullmatch(piece) else count()

    def empty(match: re.Match[str]) -> str:
        holes.append((chr(next(signs)) * len(match[0]), value, next(numbers)))
        return holes[-1][0]

    return _WORD.sub(empty, piece)
