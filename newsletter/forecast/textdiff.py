"""Two texts beside each other with what differs marked, word by word. Pure."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import accumulate, count, takewhile

Piece = tuple[bool, str]  # whether it differs, and the words
_WORDS = re.compile(r"\S+\s*|\s+")  # a word with the space behind it: spaces alone would all be like each other
_ITEM = re.compile(r"\s*(?:[-*•]|\d+[.)]|https?://)\s?")
_RULE = re.compile(r"[=-]{2,}|--")
ALIKE = 0.4  # paragraphs less alike than this are another paragraph, not a changed one
# Words looked at for one comparison, about a third of a second. A web thread has no more: comparing takes the square
# of a text's length, and 2 KB of two words in turn once took 22 seconds.
WORK = 3_000_000


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


class _Work:
    """What a comparison may still do; when it is used up, what is not compared yet counts as changed."""

    def __init__(self) -> None:
        self.left = WORK


def compare(old: str, new: str) -> list[Pair]:
    """The paragraphs of two texts as pairs, in their order."""
    before, after, work = _paragraphs(old), _paragraphs(new), _Work()
    pairs: list[Pair] = []
    a = c = 0
    for b, d, size in _matches(before, after, work):
        pairs += _replaced(before[a:b], after[c:d], work)
        a, c = b + size, d + size
        pairs += [Pair(((False, text),), ((False, text),)) for text in before[b:a]]
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
    lines: list[list[str]] = []
    for line in part.splitlines():
        if _RULE.fullmatch(line.strip()):
            continue
        if lines and not _ITEM.match(line):
            lines[-1].append(line.strip())
        else:
            lines.append([line.strip()])
    return "\n".join(" ".join(line) for line in lines).strip()


def _replaced(before: Sequence[str], after: Sequence[str], work: _Work) -> Iterator[Pair]:
    """Paragraphs instead of others: each with the next one that is like it, the rest alone."""
    others, shown = [text.split() for text in after], 0
    for text in before:
        one = text.split()
        near = takewhile(lambda _: work.left > 0, range(shown, len(after)))
        at = next((at for at in near if _alike(one, others[at], work)), None)
        if at is None:
            yield Pair(((True, text),), ())
            continue
        yield from (Pair((), ((True, other),)) for other in after[shown:at])
        yield _words(text, after[at], work)
        shown = at + 1
    yield from (Pair((), ((True, other),)) for other in after[shown:])


def _alike(one: Sequence[str], other: Sequence[str], work: _Work) -> bool:
    return 2 * sum(size for _, _, size in _matches(one, other, work)) >= ALIKE * (len(one) + len(other))


def words(old: str, new: str) -> Pair:
    """One paragraph before and after, with the words that differ marked."""
    return _words(old, new, _Work())


def _words(old: str, new: str, work: _Work) -> Pair:
    before, after = _WORDS.findall(old), _WORDS.findall(new)
    left: list[Piece] = []
    right: list[Piece] = []
    a = c = 0
    for b, d, size in _matches([word.rstrip() for word in before], [word.rstrip() for word in after], work):
        left += [(differs, "".join(before[i:k])) for differs, i, k in ((True, a, b), (False, b, b + size)) if i < k]
        right += [(differs, "".join(after[i:k])) for differs, i, k in ((True, c, d), (False, d, d + size)) if i < k]
        a, c = b + size, d + size
    return Pair(tuple(left), tuple(right))


def _matches(before: Sequence[str], after: Sequence[str], work: _Work) -> list[tuple[int, int, int]]:
    """What two rows have in common: where it begins in each, and how long it is; last the end of both (length 0)."""
    shorter = min(len(before), len(after))
    head = next(at for at in count() if at == shorter or before[at] != after[at])
    tail = next(at for at in count() if at == shorter - head or before[-1 - at] != after[-1 - at])
    middle = _longest(before[head : len(before) - tail], after[head : len(after) - tail], work)
    found = [(head + a, head + b, size) for a, b, size in middle]
    ends = (len(before) - tail, len(after) - tail, tail), (len(before), len(after), 0)
    return [one for one in ((0, 0, head), *found, ends[0]) if one[2]] + [ends[1]]


def _longest(before: Sequence[str], after: Sequence[str], work: _Work) -> list[tuple[int, int, int]]:
    """The longest stretches in common, then the longest between them, as far as the work allows."""
    work.left -= 50 + 5 * (len(before) + len(after))
    if not before or not after:
        return []
    for autojunk in (False, True):  # in a long text without the words that stand everywhere
        matcher = SequenceMatcher(None, before, after, autojunk)
        where: dict[str, list[int]] = matcher.b2j  # type: ignore[attr-defined]  # documented, only typeshed lacks it
        effort = [0, *accumulate(1 + len(where.get(word, ())) for word in before)]
        if effort[-1] <= work.left // 8:
            break
    found: list[tuple[int, int, int]] = []
    ahead = deque([(0, len(before), 0, len(after))])
    while ahead:
        a, b, c, d = ahead.popleft()
        if effort[b] - effort[a] > work.left:
            continue
        work.left -= effort[b] - effort[a]
        at, to, size = matcher.find_longest_match(a, b, c, d)
        if size:
            found.append((at, to, size))
            sides = (a, at, c, to), (at + size, b, to + size, d)
            ahead.extend(side for side in sides if side[0] < side[1] and side[2] < side[3])
    return sorted(found)
