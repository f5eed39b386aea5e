"""The links of a message that are the same for every reader: each can get an address of that reader's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import unescape

from newsletter.messages.sentinels import Piece, Sentinels
from newsletter.tracking import rules as tracking

# A reader who wants to leave, or to see what we hold, is not to be counted on the way.
_LEAVING = ("/unsubscribe", "/preferences")


@dataclass
class Links:
    """The addresses found so far, and the word that stands for each while the message is compiled."""

    sentinels: Sentinels
    site: str
    counted: bool
    words: dict[str, str] = field(default_factory=dict)

    def slot(self, address: str) -> str:
        """A word in place of an address of the web; any other address as it is."""
        if address not in self.words:
            if not self._takes(address):
                return address
            self.words[address] = self.sentinels.add(Piece("link", address, 0, ""))
        return self.words[address]

    def slot_in_markup(self, address: str) -> str:
        """The same for an address as HTML writes it."""
        plain = unescape(address)
        word = self.slot(plain)
        return address if word == plain else word

    def _takes(self, address: str) -> bool:
        if not self.counted or self.sentinels.pattern.search(address) or not tracking.worth_tracking(address):
            return False
        return not (self.site and address.startswith(tuple(self.site.rstrip("/") + path for path in _LEAVING)))


@dataclass(frozen=True)
class _Cut:
    """A piece of a template that holds links: words, and which link goes where between them."""

    words: list[str]
    holes: list[tuple[int, int]]


@dataclass(frozen=True)
class Slots:
    """Where in the standing pieces of a template the links are."""

    cuts: dict[str, _Cut]

    @classmethod
    def find(cls, standing: frozenset[str], words: Sequence[str]) -> Slots:
        """The places of the links with these words, by their number."""
        found = {piece: _cut(piece, words) for piece in standing if any(word in piece for word in words)}
        return cls(found)

    def filled(self, pieces: list[str], addresses: Sequence[str]) -> list[str]:
        """The pieces with the addresses in their places."""
        if not self.cuts:
            return pieces
        whole: list[str] = []
        for piece in pieces:
            cut = self.cuts.get(piece)
            if cut is None:
                whole.append(piece)
            else:
                words = cut.words.copy()
                for at, link in cut.holes:
                    words[at] = addresses[link]
                whole += words
        return whole

    def standing(self, standing: frozenset[str]) -> frozenset[str]:
        """The pieces that are the same for every reader once those with links are cut."""
        parts = {word for cut in self.cuts.values() for word in cut.words}
        return (standing - self.cuts.keys()) | parts


def _cut(piece: str, words: Sequence[str]) -> _Cut:
    cut = _Cut([], [])
    rest = piece
    while True:
        found = min(((rest.find(word), link) for link, word in enumerate(words) if word in rest), default=None)
        if found is None:
            cut.words.append(rest)
            return cut
        place, link = found
        cut.words.append(rest[:place])
        cut.holes.append((len(cut.words), link))
        cut.words.append("")
        rest = rest[place + len(words[link]) :]
