"""What a mail server says: replies taken out of a stream of bytes, and whom each of them is about."""

from __future__ import annotations

import re
from enum import Enum, auto

from newsletter.delivery.rules import Reply

# RFC 5321 section 4.5.3.1.5 allows 512 octets a line; some relays are wordier. What is longer than this is no SMTP,
# and without a limit a server that never ends its line would fill our memory.
LONGEST_LINE = 4096
LONGEST_REPLY = 65536
LONGEST_TEXT = 500  # what the ledger keeps of an answer: enough for every explanation and its link

CLOSING = 421  # RFC 5321 section 3.8: the server hangs up, whatever it was asked
_ORDINARY = frozenset({b"250 ", b"354 "})
_LINE = re.compile(rb"[2-5][0-9]{2}([ -]|$)")
_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s+|$)")


class Stage(Enum):
    """Which command of a mail transaction a reply answers."""

    RSET = auto()
    MAIL = auto()
    RCPT = auto()
    DATA = auto()
    END = auto()  # the end of the data, or the last BDAT


class Replies:
    """Takes replies out of a stream; `garbled` says what was no SMTP, and nothing after it is read.

    A reply is given as its bytes: one line without its ending, or the lines of a longer one with LF between them.
    """

    def __init__(self) -> None:
        self.garbled = ""
        self._rest = b""
        self._lines: list[bytes] = []
        self._size = 0

    @property
    def is_within(self) -> bool:
        """Whether half a reply is there."""
        return bool(self._rest or self._lines)

    def feed(self, data: bytes) -> list[bytes]:
        """The replies that are whole now; RFC 5321 section 4.2.1."""
        if not (self._rest or self._lines) and data[-2:] == b"\r\n" and len(data) < LONGEST_LINE:
            lines = data[:-2].split(b"\r\n")
            for line in lines:
                if line[:4] not in _ORDINARY or b"\n" in line:
                    break
            else:
                return lines  # nearly always: whole lines, each of them a whole reply
        return self._feed_slowly(data)

    def _feed_slowly(self, data: bytes) -> list[bytes]:
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        whole: list[bytes] = []
        for line in lines:
            if not self.garbled:
                self._take(line.removesuffix(b"\r"), whole)  # a bare LF is wrong, and harmless in a reply
        if len(self._rest) > LONGEST_LINE:
            self.garbled = self.garbled or "a line without end"
        return whole

    def _take(self, line: bytes, whole: list[bytes]) -> None:
        self._size += len(line)
        if not _LINE.match(line) or len(line) > LONGEST_LINE:
            self.garbled = f"no SMTP: {clean(line[:80])!r}"
        elif self._size > LONGEST_REPLY:
            self.garbled = "a reply without end"
        elif self._lines and line[:3] != self._lines[0][:3]:
            self.garbled = f"a reply with two codes: {clean(self._lines[0][:40])!r} and {clean(line[:40])!r}"
        else:
            self._lines.append(line)
            if line[3:4] != b"-":
                whole.append(b"\n".join(self._lines))
                self._lines, self._size = [], 0


def clean(raw: bytes) -> str:
    """A server's words as they may stand in a log or on a terminal: UTF-8, without control characters."""
    text = raw.decode("utf-8", "replace")
    return text if text.isprintable() else "".join(mark if mark.isprintable() else " " for mark in text)


def read(raw: bytes, stage: Stage) -> Reply:
    """A reply of `Replies` as the ledger hears it: code, enhanced code (RFC 2034, 3463), text, whom it is about."""
    code = int(raw[:3])
    first, *more = raw.split(b"\n")
    text = clean(first[4:]).strip()
    found = _ENHANCED.match(text)
    # RFC 2034: an enhanced code that is not of the reply's own class says nothing.
    enhanced = found[1] if found and found[1][0] == first[:1].decode() else ""
    for line in more:
        text += " " + clean(line[4:]).removeprefix(enhanced).strip()
    return Reply(code, enhanced, text[:LONGEST_TEXT], about(stage, code, enhanced))


# Sign-in wanted or refused (RFC 4954), commands out of order, hanging up: never a reader's fault.
_NOT_THE_READER = frozenset({CLOSING, 503, 530, 534, 535, 538})
# RFC 3463: the sender's address (bad, its syntax, its system), and a server that takes no mail at all now.
_SENDER = ("1.7", "1.8", "3.2")
# Refused with MAIL, and yet about this one email: too big, or an address or content the server cannot carry.
_THIS_EMAIL = ("2.3", "3.4", "6.3", "6.7", "6.9")


def about(stage: Stage, code: int, enhanced: str) -> str:
    """Whether a reply is about the `recipient`, or about us: the `session` (semantics 2.8).

    Postfix asks about the sender only when it hears RCPT, so the code decides before the command does. 5.7.x is policy:
    a relay that refuses one email of ours for it is about to refuse them all.
    """
    subject = enhanced[2:]
    if code in _NOT_THE_READER or enhanced.startswith("5.7.") or subject in _SENDER:
        return "session"
    if stage in {Stage.MAIL, Stage.RSET}:
        return "recipient" if code == 552 or subject in _THIS_EMAIL else "session"
    return "recipient"
