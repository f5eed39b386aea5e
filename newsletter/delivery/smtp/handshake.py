"""From the greeting to the first email: EHLO, STARTTLS and signing in, as a conversation without a socket."""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as NoBase64
from collections.abc import Generator

from newsletter.delivery.smtp.envelope import Extensions, extensions
from newsletter.delivery.smtp.replies import clean
from newsletter.errors import RelayError
from newsletter.settings import Smtp

LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
SECURE = b"(TLS)"  # yielded in place of a command: take up TLS now, then go on

Conversation = Generator[bytes, bytes, Extensions]


class Unusable(RelayError):
    """This server cannot be used; `soon` that it may be another time (it hangs up, or asks to come back)."""

    def __init__(self, name: str, what: str, *, soon: bool = False) -> None:
        super().__init__(
            f"The mail server {name} cannot be used: {what}",
            means="Emails wait in the outbox; nothing is lost.",
            remedy="Check SMTP_URL and that the server is running; sending starts again by itself.",
        )
        self.soon = soon


def converse(smtp: Smtp, hello: str) -> Conversation:
    """Yields each command and is sent each reply; returns what the server offers; raises Unusable."""
    name = f"{smtp.host}:{smtp.port}"
    _expect(name, (yield b""), b"220")
    offered = yield from _hello(name, hello)
    private = smtp.implicit_tls
    if not private and smtp.starttls != "never" and (offered.starttls or smtp.starttls == "require"):
        if not offered.starttls:
            raise Unusable(name, "it offers no STARTTLS, but SMTP_URL requires it.")
        _expect(name, (yield b"STARTTLS\r\n"), b"220")
        yield SECURE
        # RFC 3207 section 4.2: what was offered in the clear may have been anybody's.
        offered, private = (yield from _hello(name, hello)), True
    if smtp.username:
        if not private and smtp.starttls != "never" and smtp.host not in LOCAL:
            raise Unusable(
                name,
                "it offers no STARTTLS, so the password would travel in the clear. "
                "If that is what you want, say ?starttls=never.",
            )
        yield from _sign_in(name, smtp, offered)
    return offered


def _expect(name: str, reply: bytes, *codes: bytes) -> bytes:
    if reply[:3] not in codes:
        raise Unusable(name, clean(reply.replace(b"\n", b" "))[:300], soon=reply[:1] == b"4")
    return reply


def _hello(name: str, hello: str) -> Generator[bytes, bytes, Extensions]:
    reply = yield f"EHLO {hello}\r\n".encode()
    if reply[:3] == b"250":
        return extensions(reply)
    if reply[:1] != b"5":
        _expect(name, reply, b"250")
    # RFC 5321 section 3.2: a server from before EHLO knows the older word, and nothing else.
    _expect(name, (yield f"HELO {hello}\r\n".encode()), b"250")
    return Extensions()


def _sign_in(name: str, smtp: Smtp, offered: Extensions) -> Generator[bytes, bytes, None]:
    mechanisms = [smtp.auth.upper()] if smtp.auth else ["PLAIN", "LOGIN"]
    mechanism = next((known for known in mechanisms if known in offered.auth), None)
    if mechanism is None:
        shown = ", ".join(sorted(offered.auth)) or "none"
        raise Unusable(name, f"it takes no sign-in by {' or '.join(mechanisms)} (it offers: {shown}).")
    reply = yield from _METHODS[mechanism](smtp)
    if reply[:3] == b"334":
        reply = yield b"*\r\n"  # RFC 4954 section 4: we have no more to say
    _expect(name, reply, b"235")


def _coded(text: str) -> bytes:
    return b64encode(text.encode())


def _plain(smtp: Smtp) -> Generator[bytes, bytes, bytes]:
    return (yield b"AUTH PLAIN " + _coded(f"\0{smtp.username}\0{smtp.password}") + b"\r\n")


def _login(smtp: Smtp) -> Generator[bytes, bytes, bytes]:
    reply = yield b"AUTH LOGIN\r\n"
    for answer in (smtp.username, smtp.password):
        if reply[:3] != b"334":
            break
        reply = yield _coded(answer) + b"\r\n"
    return reply


def _xoauth2(smtp: Smtp) -> Generator[bytes, bytes, bytes]:
    bearer = f"user={smtp.username}\1auth=Bearer {smtp.password}\1\1"
    reply = yield b"AUTH XOAUTH2 " + _coded(bearer) + b"\r\n"
    if reply[:3] != b"334":
        return reply
    # A refused token is explained first and refused after an empty line.
    explained = _decoded(reply[4:])
    reply = yield b"\r\n"
    return reply if reply[:3] == b"235" else reply + b" " + explained


def _decoded(raw: bytes) -> bytes:
    try:
        return b64decode(raw, validate=True)
    except NoBase64:
        return b""


_METHODS = {"PLAIN": _plain, "LOGIN": _login, "XOAUTH2": _xoauth2}
