"""Header lines as bytes: 7-bit, folded, and never two lines where one was meant (RFC 5322, RFC 2047, RFC 2231).

Words for people (names, subjects) are cleaned; what machines read (addresses, ids, URLs) is refused when it is odd.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from urllib.parse import quote

import idna

from newsletter.errors import SuppleError

LONGEST_LINE = 998  # octets without CRLF (RFC 5322, section 2.1.1)
_FOLD_AT = 78
_WORD_ROOM = 75  # RFC 2047, section 2: an encoded word's whole length
_PARAMETER_ROOM = 56
_LONGEST_WORDS = 400  # characters of a name or subject; past any program's patience, short of any limit

_INVISIBLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]+")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@[A-Za-z0-9.-]+")
_MESSAGE_ID = re.compile(r"<[!-;=?-~]+@[!-;=?-~]+>")
_IN_BRACKETS = re.compile(r"[!#-+\--;=?-\[\]-~]+")  # what is visible, but for < > , " and the backslash


class EnvelopeError(SuppleError):
    """An email's envelope holds something that may not stand in a header; nothing was sent."""

    title = "The email could not be addressed"


def clean(words: str) -> str:
    """Words for people on one line, without invisible signs, cut when absurdly long."""
    visible = _INVISIBLE.sub(" ", words).encode("utf-8", "replace").decode("utf-8")
    return " ".join(visible.split())[:_LONGEST_WORDS]


def line(name: str, value: str) -> bytes:
    """A header whose value is ASCII already, folded at spaces. Raises EnvelopeError for a line break or a long word."""
    if len(name) + len(value) + 2 <= _FOLD_AT and value.isascii() and value.isprintable():
        return f"{name}: {value}\r\n".encode("ascii")
    if not value.isascii() or _INVISIBLE.search(value):
        raise EnvelopeError(f"The header {name} holds an invisible or non-ASCII sign: {value[:80]!r}.")
    lines = [f"{name}:"]
    for word in value.split(" "):
        if len(lines[-1]) + 1 + len(word) > _FOLD_AT and lines[-1].strip() not in {"", f"{name}:"}:
            lines.append("")
        lines[-1] += f" {word}"
    if max(map(len, lines)) > LONGEST_LINE:
        raise EnvelopeError(f"The header {name} holds a word that is too long for a header line.")
    return "\r\n".join(lines).encode("ascii") + b"\r\n"


def words(name: str, value: str) -> bytes:
    """A header that people read, like Subject; anything but plain ASCII becomes encoded words."""
    cleaned = value if _easy(value) else clean(value)
    return line(name, cleaned if _plain(cleaned) else encoded(cleaned))


def mailbox(name: str, address: str) -> str:
    """A display name with an address. Raises EnvelopeError for an address that is none."""
    address = checked_address(address)
    shown = name if _easy(name) else clean(name)
    if not shown:
        return address
    if _plain(shown):
        phrase = shown if _ATOMS.fullmatch(shown) else '"' + re.sub(r'(["\\])', r"\\\1", shown) + '"'
    else:
        phrase = encoded(shown)
    return f"{phrase} <{address}>"


def checked_address(address: str) -> str:
    """The address as it travels, its domain in ASCII. Raises EnvelopeError when it cannot travel."""
    local, _, domain = address.rpartition("@")
    try:
        plain = domain if domain.isascii() else idna.encode(domain, uts46=True).decode("ascii")
    except idna.IDNAError:
        plain = ""
    if len(address) > 254 or not _ADDRESS.fullmatch(f"{local}@{plain}"):
        raise EnvelopeError(f"{address[:80]!r} is not an address that email can be sent to.")
    return f"{local}@{plain}"


def message_id(value: str) -> str:
    """A Message-ID with its angle brackets. Raises EnvelopeError when it is none (RFC 5322, section 3.6.4)."""
    if not _MESSAGE_ID.fullmatch(value) or len(value) > 250:
        raise EnvelopeError(f"{value[:80]!r} is not a Message-ID; it looks like <name@domain>.")
    return value


def uri(value: str) -> str:
    """An address in angle brackets, as List-Unsubscribe wants it. Raises EnvelopeError (RFC 2369, section 2)."""
    if not _IN_BRACKETS.fullmatch(value) or len(value) > LONGEST_LINE - 40:
        raise EnvelopeError(f"{value[:80]!r} cannot stand in a header as an address.", remedy="Percent-encode it.")
    return f"<{value}>"


def encoded(text: str) -> str:
    """The text as encoded words with a space between, each at most 75 long, none splitting a character (RFC 2047)."""
    octets = text.encode("utf-8")
    if len(octets.decode("ascii", "ignore")) * 2 < len(octets):
        return " ".join(_packed(text, "=?utf-8?b?", lambda s: base64.b64encode(s.encode("utf-8")).decode("ascii")))
    return " ".join(_packed(text, "=?utf-8?q?", _q))


def parameter(name: str, value: str) -> Iterator[str]:
    """A MIME parameter; beyond ASCII or long it is encoded and continued (RFC 2231, sections 3 and 4)."""
    if value.isascii() and len(value) <= _PARAMETER_ROOM:
        yield f'{name}="' + re.sub(r'(["\\])', r"\\\1", value) + '"'
        return
    pieces = [""]
    for sign in value:
        octets = quote(sign, safe="")
        if len(pieces[-1]) + len(octets) > _PARAMETER_ROOM:
            pieces.append("")
        pieces[-1] += octets
    if len(pieces) == 1:
        yield f"{name}*=utf-8''{pieces[0]}"
        return
    for index, piece in enumerate(pieces):
        charset = "" if index else "utf-8''"
        yield f"{name}*{index}*={charset}{piece}"


def _easy(text: str) -> bool:
    """Whether these are words that `clean` would leave as they are."""
    return len(text) < _FOLD_AT and text.isascii() and text.isprintable() and "  " not in text and text == text.strip()


def _plain(text: str) -> bool:
    # A typed "=?" would be decoded by the reader's program, so a name could pretend to be another.
    return text.isascii() and "=?" not in text and (len(text) < 200 or all(len(word) < 200 for word in text.split(" ")))


def _packed(text: str, opening: str, encode: Callable[[str], str]) -> Iterator[str]:
    room = _WORD_ROOM - len(opening) - 2
    whole = encode(text)
    if len(whole) <= room:
        yield f"{opening}{whole}?="
        return
    run = ""
    for sign in text:
        if run and len(encode(run + sign)) > room:
            yield f"{opening}{encode(run)}?="
            run = ""
        run += sign
    yield f"{opening}{encode(run)}?="


def _q(text: str) -> str:
    """RFC 2047, section 5 (3): what may stand in a phrase as it is, which `quote` does not know, then the rest."""
    octets = quote(text, safe="!*+-/").replace("_", "=5F").replace(".", "=2E").replace("~", "=7E")
    return octets.replace("%20", "_").replace("%", "=")
