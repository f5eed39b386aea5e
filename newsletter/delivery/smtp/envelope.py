"""One email's commands: what goes before its bytes, and what an email is refused for without asking the relay."""

from __future__ import annotations

import ctypes
import re
from dataclasses import dataclass
from typing import NamedTuple

from newsletter.delivery.rules import Reply

# In an address these would end the command and begin another (RFC 5321 section 4.1.2).
_UNSAFE = re.compile(r"[\x00-\x20\x7f<>]")
_strstr = ctypes.PyDLL(None).strstr
_strstr.argtypes, _strstr.restype = (ctypes.c_char_p, ctypes.c_char_p), ctypes.c_void_p


class Outgoing(NamedTuple):
    """An email to hand over; `content` has CRLF lines and no dots stuffed; `key` comes back in the answer."""

    key: int
    sender: str
    recipient: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Extensions:
    """What a server offers (RFC 5321 section 4.1.1.1); `size` 0 is no limit, `auth` its sign-in mechanisms."""

    starttls: bool = False
    pipelining: bool = False
    chunking: bool = False
    eightbit: bool = False
    utf8: bool = False
    sized: bool = False
    size: int = 0
    auth: frozenset[str] = frozenset()


def extensions(raw: bytes) -> Extensions:
    """Read the reply to EHLO; what cannot be understood is not offered."""
    offered: dict[str, list[str]] = {}
    for line in raw.decode("utf-8", "replace").split("\n")[1:]:
        # "AUTH=PLAIN LOGIN" is how it was written before RFC 2554; some servers still add that line.
        word, *more = line[4:].upper().replace("AUTH=", "AUTH ", 1).split() or [""]
        offered.setdefault(word, []).extend(more)
    size = "".join(offered.get("SIZE", [])[:1])
    return Extensions(
        starttls="STARTTLS" in offered,
        pipelining="PIPELINING" in offered,
        chunking="CHUNKING" in offered,
        eightbit="8BITMIME" in offered,
        utf8="SMTPUTF8" in offered,
        sized="SIZE" in offered,
        size=int(size) if size.isascii() and size.isdigit() and len(size) < 20 else 0,
        auth=frozenset(offered.get("AUTH", [])),
    )


def prepared(email: Outgoing, offered: Extensions) -> str | Reply:
    """The MAIL command with its parameters (RFC 1870, 6152, 6531), or in a relay's words why it need not be asked."""
    content, sender, recipient = email.content, email.sender, email.recipient
    if _UNSAFE.search(recipient):
        return Reply(553, "5.1.3", "5.1.3 This address cannot be written in SMTP")
    if _UNSAFE.search(sender):
        return Reply(553, "5.1.7", "5.1.7 The sender's address cannot be written in SMTP", "session")
    command = f"MAIL FROM:<{sender}>"
    if offered.sized:
        size = len(content)
        if size > offered.size > 0:
            return Reply(552, "5.3.4", f"5.3.4 The email has {size} bytes, the mail server takes {offered.size}")
        command += f" SIZE={size}"
    if not content.isascii():
        if not offered.eightbit:
            # Recoding would break the signature, and no reader is to blame for a server of before 1994.
            return Reply(554, "5.6.3", "5.6.3 The mail server takes 7-bit emails only", "session")
        command += " BODY=8BITMIME"
    if not (recipient.isascii() and sender.isascii()):
        if not offered.utf8:
            return Reply(553, "5.6.7", "5.6.7 The mail server does not take addresses with letters beyond ASCII")
        command += " SMTPUTF8"
    return command + "\r\n"


def stuffed(content: bytes) -> bytes:
    """The email as DATA carries it, without the final dot: every line's leading dot doubled (RFC 5321 section 4.5.2).

    A lone LF begins a line too: to a server that reads it so, LF dot LF would end this email and begin a forged one.
    """
    if _has_dotted_line(content):
        content = content.replace(b"\n.", b"\n..")
    if content[:1] == b".":
        content = b"." + content
    return ended(content)


def ended(content: bytes) -> bytes:
    """The email with its last line ended."""
    return content if content[-2:] == b"\r\n" else content + b"\r\n"


def _has_dotted_line(content: bytes) -> bool:
    # Python looks through 12 KB for two bytes in 10 microseconds, as long as all the rest of an email takes on the
    # wire; the C library does it in half a microsecond. It stops at a NUL, which no email of ours has.
    if b"\0" in content:
        return b"\n." in content
    return _strstr(content, b"\n.") is not None
