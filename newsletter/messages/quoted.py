"""Quoted-printable (RFC 2045, section 6.7) in segments that know nothing of each other.

Each segment begins at the left margin, and one that does not end its line ends with a soft line break, which readers
never see. So the encoded words of a template are kept, and for one reader only that reader's words are encoded.

The lines are canonical for DKIM already (RFC 6376, section 3.4.4): no tab, no two spaces in a row, none before a line
break. None begins with a dot or with "From ", which relays and mailboxes on the way would change.
"""

from __future__ import annotations

import re

LINE = 76  # octets without CRLF
SOFT = b"=\r\n"

# What may not stand as it is: all but visible ASCII and spaces; of spaces, all but the first; one before a line break.
_ODD = re.compile(rb"[^ -<>-~]|(?<= ) | \Z")
_HEX = {bytes([octet]): b"=%02X" % octet for octet in range(256)}
_CHANGED_ON_THE_WAY = (b".", b"From ")


class Encoded(dict[str, bytes]):
    """Segments by their words, each encoded when it is first asked for."""

    __slots__ = ()

    def __missing__(self, words: str) -> bytes:
        encoded = self[words] = segment(words)
        return encoded


def segment(text: str) -> bytes:
    """The text encoded, ready to stand between any others."""
    if text.isascii() and text.isprintable() and "  " not in text:
        octets = text.encode("ascii")
        if len(octets) < LINE and "=" not in text and not text.startswith((".", "From ")):
            return octets + SOFT if text else b""
        return _wrapped(octets.replace(b"=", b"=3D"), LINE - 1) + SOFT
    unix = str(text).replace("\r\n", "\n").replace("\r", "\n").encode("utf-8", "replace")
    *lines, last = unix.split(b"\n")
    encoded = [_wrapped(_escaped(line), LINE) + b"\r\n" for line in lines]
    if last:
        # The mark keeps a space at its end as it is: the soft line break stands behind it.
        encoded.append(_wrapped(_escaped(last + b"\n")[:-3], LINE - 1) + SOFT)
    return b"".join(encoded)


def _escaped(line: bytes) -> bytes:
    return _ODD.sub(lambda match: _HEX[match[0]], line)


def _wrapped(line: bytes, room: int) -> bytes:
    """The line in pieces with soft line breaks between; the last is at most `room` long."""
    pieces: list[bytes] = []
    while True:
        if line.startswith(_CHANGED_ON_THE_WAY):
            line = _HEX[line[:1]] + line[1:]
        if len(line) <= room:
            pieces.append(line)
            return SOFT.join(pieces)
        end = LINE - 1
        mark = line.rfind(b"=", end - 2, end)  # an encoded octet is not to be cut in two
        if mark >= 0:
            end = mark
        pieces.append(line[:end])
        line = line[end:]
