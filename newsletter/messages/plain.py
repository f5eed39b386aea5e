"""Plain text for reading: paragraphs with hanging indents, wrapped, and never broken inside an address."""

from __future__ import annotations

import re
from dataclasses import dataclass

WIDTH = 74  # columns; leaves room for a "> " or two when somebody answers
BREAK = "\x1d"  # a line break inside a paragraph
_MARK, _PART = "\x1e", "\x1f"  # no reader's word can hold these: dialect.printable takes them out
_BLANKS = re.compile(r"\n{3,}")


@dataclass(frozen=True)
class Line:
    """One paragraph before wrapping: the beginnings of its first and other lines, and a sign to underline it with."""

    words: str
    first: str = ""
    rest: str = ""
    underline: str = ""

    def wrapped(self) -> str:
        """The lines of this paragraph, no wider than WIDTH except where one word is."""
        lines: list[str] = []
        start = self.first
        for piece in self.words.split(BREAK):
            current = ""
            for word in piece.split():
                if current and len(start) + len(current) + 1 + len(word) > WIDTH:
                    lines.append(start + current)
                    start, current = self.rest, word
                else:
                    current = f"{current} {word}" if current else word
            lines.append((start + current).rstrip())
            start = self.rest
        if self.underline:
            lines.append(self.rest + self.underline * max(len(line) - len(self.rest) for line in lines))
        return "\n".join(lines)

    def marked(self) -> str:
        """This paragraph on one line, for `finish` to wrap when the reader's words are in it."""
        return _MARK + _PART.join((self.first, self.rest, self.underline, self.words))

    @classmethod
    def unmarked(cls, line: str) -> Line:
        """The paragraph that `marked` wrote."""
        first, rest, underline, words = line.removeprefix(_MARK).split(_PART, 3)
        return cls(words, first, rest, underline)


def finish(text: str) -> str:
    """A rendered text with its marked paragraphs wrapped and its blank lines in order."""
    lines = (Line.unmarked(line).wrapped() if line.startswith(_MARK) else line for line in text.split("\n"))
    return _BLANKS.sub("\n\n", "\n".join(lines)).strip("\n") + "\n"
