"""Two texts beside each other with what differs marked, word by word. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

Piece = tuple[bool, str]  # whether it differs, and the words
_WORDS = re.compile(r"\s+|[^\s]+")
_ITEM = re.compile(r"\s*(?:[-*•]|\d+[.)]|https?://)\s?")
_RULE = re.compile(r"[=-]{2,}|--")
ALIKE = 0.4  # paragraphs less alike than this are another paragraph, not a changed one


@dataclass(frozen=True)
class Pair:
    """A paragraph before and after; empty on the side where it does not exist."""

    old: tuple[Piece, ...]
    new: tuple[Piece, ...]
    left_out: int = 0  # that many equal ones stand here

    @property
    def same(self) -> bool:
        """Whether nothing differs in it."""
        return self.old == self.new


def compare(old: str, new: str) -> list[Pair]:
    """The paragraphs of two texts as pairs, in their order."""
    before, after = _paragraphs(old), _paragraphs(new)
    pairs: list[Pair] = []
    for kind, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if kind == "equal":
            pairs += [Pair(((False, text),), ((False, text),)) for text in before[a:b]]
        else:
            pairs += _replaced(before[a:b], after[c:d])
    return pairs


def shortened(pairs: list[Pair]) -> list[Pair]:
    """The same with long stretches of equal paragraphs counted instead of shown; one on each side stays for context."""
    near = {at + by for at, pair in enumerate(pairs) if not pair.same for by in (-1, 0, 1)}
    kept: list[Pair] = []
    for at, pair in enumerate(pairs):
        if at in near:
            kept.append(pair)
        elif kept and kept[-1].left_out:
            kept[-1] = Pair((), (), kept[-1].left_out + 1)
        else:
            kept.append(Pair((), (), 1))
    return kept


def _paragraphs(text: str) -> list[str]:
    parts = re.split(r"\n\s*\n", text.replace("\r\n", "\n"))
    return [unwrapped for part in parts if (unwrapped := _unwrapped(part))]


def _unwrapped(part: str) -> str:
    """A paragraph of a plain text without the breaks and lines that are there for its width only."""
    lines: list[str] = []
    for line in part.splitlines():
        if lines and not _ITEM.match(line) and not _RULE.fullmatch(line.strip()):
            lines[-1] += f" {line.strip()}"
        elif not _RULE.fullmatch(line.strip()):
            lines.append(line.strip())
    return "\n".join(lines).strip()


def _replaced(before: Sequence[str], after: Sequence[str]) -> Iterator[Pair]:
    """Paragraphs instead of others: each with the next one that is like it, the rest alone."""
    left = list(after)
    for text in before:
        at = next((at for at, other in enumerate(left) if _alike(text, other)), None)
        if at is None:
            yield Pair(((True, text),), ())
            continue
        for other in left[:at]:
            yield Pair((), ((True, other),))
        yield words(text, left[at])
        del left[: at + 1]
    for other in left:
        yield Pair((), ((True, other),))


def _alike(one: str, other: str) -> bool:
    return SequenceMatcher(None, one.split(), other.split(), autojunk=False).ratio() >= ALIKE


def words(old: str, new: str) -> Pair:
    """One paragraph before and after, with the words that differ marked."""
    before, after = _WORDS.findall(old), _WORDS.findall(new)
    left: list[Piece] = []
    right: list[Piece] = []
    for kind, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if b > a:
            left.append((kind != "equal", "".join(before[a:b])))
        if d > c:
            right.append((kind != "equal", "".join(after[c:d])))
    return Pair(tuple(left), tuple(right))
