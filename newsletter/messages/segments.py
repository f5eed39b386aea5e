"""A part of an email for one reader: what it shares with other readers' is written and encoded already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from newsletter.messages.quoted import Encoded


@dataclass(frozen=True, slots=True)
class Plan:
    """`words` with holes, and the same in quoted-printable.

    A hole (place, value) takes a reader's value whole, a hole (place, value, word) one word of it.
    """

    words: list[str]
    quoted: list[bytes]
    whole: list[tuple[int, int]]
    single: list[tuple[int, int, int]]


@dataclass(slots=True)
class Segments:
    """A plan and one reader's values for it."""

    plan: Plan
    values: Sequence[str]

    @classmethod
    def of(cls, *texts: str) -> Self:
        """These texts one after another, nothing of them known before."""
        count = len(texts)
        return cls(Plan([""] * count, [b""] * count, [(at, at) for at in range(count)], []), texts)

    def __str__(self) -> str:
        words = self.plan.words.copy()
        for at, value in self.plan.whole:
            words[at] = self.values[value]
        for at, value, word in self.plan.single:
            words[at] = self.values[value].split()[word]
        return "".join(words)

    def encoded(self, own: Encoded) -> list[bytes]:
        """The segments in quoted-printable; together they say what `str` says. `own` keeps this reader's words."""
        plan, values = self.plan, self.values
        quoted = plan.quoted.copy()
        for at, value in plan.whole:
            quoted[at] = own[values[value]]
        for at, value, word in plan.single:
            quoted[at] = own[values[value].split()[word]]
        return quoted
