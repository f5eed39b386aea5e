"""A part of an email for one reader as a row of segments, most of them the same for everybody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from newsletter.messages.quoted import Quoted


@dataclass(slots=True)
class Segments:
    """The words in order; `quoted` has those that are the same for every reader encoded already."""

    words: Sequence[str]
    quoted: Quoted = field(default_factory=Quoted, compare=False, repr=False)

    def __str__(self) -> str:
        return "".join(self.words)

    def encoded(self) -> list[bytes]:
        """The segments in quoted-printable; together they say what `str` says."""
        return list(map(self.quoted.__getitem__, self.words))
