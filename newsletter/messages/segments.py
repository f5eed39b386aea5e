"""A part of an email for one reader as a row of segments, most of them the same for everybody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from newsletter.messages.quoted import Encoded


@dataclass(slots=True)
class Segments:
    """The words in order; `quoted` has those that are the same for every reader encoded already."""

    words: Sequence[str]
    quoted: Mapping[str, bytes] = field(default_factory=dict, compare=False, repr=False)

    def __str__(self) -> str:
        return "".join(self.words)

    def encoded(self, own: Encoded) -> list[bytes]:
        """The segments in quoted-printable; together they say what `str` says. `own` keeps this reader's words."""
        known = self.quoted.get
        return [known(words) or own[words] for words in self.words]
