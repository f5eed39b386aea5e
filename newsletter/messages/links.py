"""The links of a message: those that are the same for every reader are counted, others are the reader's own.

Neither is printed by the template. Both are words in it, in whose places each reader's addresses are put.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import unescape

from newsletter.messages.sentinels import Piece, Sentinels
from newsletter.tracking import rules as tracking

# What an email may ask for; which of them a reader has depends on the kind of email.
LINK_NAMES = ("confirm", "download", "unsubscribe", "preferences", "page", "video", "short", "resend")
_OWN = re.compile(rf"\s*links\.({'|'.join(LINK_NAMES)})\s*")
# A reader who wants to leave, or to see what we hold, is not to be counted on the way.
_LEAVING = ("/unsubscribe", "/preferences")


@dataclass(frozen=True)
class Link:
    """A word in a template that stands for an address: one to be counted, or the reader's own link of that name."""

    word: str
    piece: Piece
    name: str = ""


@dataclass
class Links:
    """The addresses to be counted that were found so far, and what stands for each while the message is compiled."""

    sentinels: Sentinels
    site: str
    counted: bool
    found: dict[str, Link] = field(default_factory=dict)

    def slot(self, address: str) -> str:
        """A word in place of an address of the web; any other address as it is."""
        if address not in self.found:
            if not self._takes(address):
                return address
            piece = Piece("link", address, 0, "")
            self.found[address] = Link(self.sentinels.add(piece), piece)
        return self.found[address].word

    def slot_in_markup(self, address: str) -> str:
        """The same for an address as HTML writes it."""
        plain = unescape(address)
        word = self.slot(plain)
        return address if word == plain else word

    def _takes(self, address: str) -> bool:
        if not self.counted or self.sentinels.pattern.search(address) or not tracking.worth_tracking(address):
            return False
        return not (self.site and address.startswith(tuple(self.site.rstrip("/") + path for path in _LEAVING)))


def own_links(text: str, sentinels: Sentinels) -> list[Link]:
    """The tags in a text that print a link of the reader's own, and nothing but that."""
    found: dict[str, Link] = {}
    for match in sentinels.pattern.finditer(text):
        piece = sentinels.pieces[int(match[1])]
        name = _OWN.fullmatch(piece.code) if piece.kind == "expression" and piece.filtered != "_url_part" else None
        if name:
            found[match[0]] = Link(match[0], piece, name[1])
    return list(found.values())


def cut(text: str, words: Sequence[str]) -> Iterator[tuple[str, int | None]]:
    """A piece of a template as words and links in turn; a link is told by the number of its word."""
    while True:
        found = min(((text.find(word), link) for link, word in enumerate(words) if word in text), default=None)
        if found is None:
            yield text, None
            return
        place, link = found
        yield text[:place], None
        yield words[link], link
        text = text[place + len(words[link]) :]
