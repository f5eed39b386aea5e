"""A rendered email and its envelope become the bytes that travel: 7-bit, CRLF only, the same bytes every time."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache
from typing import NamedTuple

from newsletter.messages import headers
from newsletter.messages.compiling import Rendered
from newsletter.messages.headers import EnvelopeError
from newsletter.messages.images import Image
from newsletter.messages.quoted import Encoded

Mailbox = tuple[str, str]  # display name (may be empty), address
Attachment = tuple[str, str, bytes]  # file name, content type, content

_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*")
_HEADER_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,60}")
_FORBIDDEN_IN_FILE_NAMES = re.compile(r'[/\\:*?"<>|]+')
_OURS = frozenset({
    "date", "from", "sender", "reply-to", "to", "cc", "bcc", "subject", "message-id", "mime-version", "return-path",
    "received", "dkim-signature", "list-unsubscribe", "list-unsubscribe-post", "list-id", "feedback-id", "precedence",
    "auto-submitted",
})  # fmt: skip


@dataclass(slots=True)  # not frozen: making one of those takes three times as long
class Envelope:
    """Who sends what to whom, and how to leave. With a way to unsubscribe the email counts as bulk mail."""

    message_id: str
    date: datetime
    sender: Mailbox
    recipient: Mailbox
    reply_to: Mailbox | None = None
    list_unsubscribe_url: str = ""
    list_unsubscribe_mailto: str = ""
    list_id: str = ""
    feedback_id: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    attachments: Sequence[Attachment] = ()

    @property
    def bulk(self) -> bool:
        """Whether this is one of many; anything else was asked for by its reader just now."""
        return bool(self.list_unsubscribe_url or self.list_id)


class Message(NamedTuple):
    """Header fields, each with its CRLF, and a body that DKIM's relaxed form leaves as it is (RFC 6376, 3.4.4)."""

    fields: Sequence[bytes]
    body: bytes

    def __bytes__(self) -> bytes:
        return b"".join((*self.fields, b"\r\n", self.body))


class _Part(NamedTuple):
    headers: bytes
    body: list[bytes]


def build(rendered: Rendered, envelope: Envelope) -> bytes:
    """The whole message. Raises EnvelopeError when a header's value may not stand there; same input, same bytes."""
    return bytes(assemble(rendered, envelope))


def assemble(rendered: Rendered, envelope: Envelope) -> Message:
    """The message of `build` in the parts that signatures are made of."""
    body = _body(rendered, envelope)
    fields = [*_headers(rendered.subject, envelope), b"MIME-Version: 1.0\r\n", body.headers]
    return Message(fields, b"".join(body.body))


def _headers(subject: str, envelope: Envelope) -> Iterator[bytes]:
    if envelope.date.tzinfo is None:
        raise EnvelopeError("The email's date has no time zone.")
    yield _date(envelope.date)
    yield _from(envelope.sender)
    yield headers.line("To", headers.mailbox(*envelope.recipient))
    if envelope.reply_to:
        yield headers.line("Reply-To", headers.mailbox(*envelope.reply_to))
    yield headers.words("Subject", subject)
    yield headers.line("Message-ID", headers.message_id(envelope.message_id))
    yield from _list_headers(envelope)
    for name, value in envelope.headers.items():
        if not _HEADER_NAME.fullmatch(name) or name.lower() in _OURS or name.lower().startswith("content-"):
            raise EnvelopeError(f"The header {name[:60]!r} cannot be added.")
        yield headers.words(name, value)


@lru_cache(maxsize=16)
def _date(moment: datetime) -> bytes:
    return headers.line("Date", format_datetime(moment))


@lru_cache(maxsize=16)
def _from(sender: Mailbox) -> bytes:
    return headers.line("From", headers.mailbox(*sender))


def _list_headers(envelope: Envelope) -> Iterator[bytes]:
    """How to leave and whose mail this is (RFC 2369, RFC 2919, RFC 8058); answering machines keep quiet (RFC 3834)."""
    mailto = _mailto(envelope.list_unsubscribe_mailto)
    if envelope.list_unsubscribe_url:
        between = ",\r\n " if mailto else ""
        yield f"List-Unsubscribe: {headers.uri(envelope.list_unsubscribe_url)}{between}{mailto}\r\n".encode("ascii")
    elif mailto:
        yield headers.line("List-Unsubscribe", mailto)
    if envelope.list_unsubscribe_url:
        yield b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    if envelope.list_id:
        yield _list_id(envelope.list_id)
    if envelope.feedback_id:
        yield headers.line("Feedback-ID", envelope.feedback_id)
    yield b"Precedence: bulk\r\n" if envelope.bulk else b"Auto-Submitted: auto-generated\r\n"


@lru_cache(maxsize=16)
def _mailto(way: str) -> str:
    if not way:
        return ""
    return headers.uri(way if way.startswith("mailto:") else f"mailto:{way}")


@lru_cache(maxsize=64)
def _list_id(value: str) -> bytes:
    words, _, inside = value.rpartition("<")
    name = inside.rstrip("> ")
    if not re.fullmatch(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*", name):
        raise EnvelopeError(f"{value[:80]!r} is not a List-Id; it looks like: Name <name.domain>.")
    phrase = headers.clean(words)
    before = headers.mailbox(phrase, "a@b").removesuffix("<a@b>") if phrase else ""
    return headers.line("List-Id", f"{before}<{name}>")


# Quoted-printable never writes "=_" and base64 has no "_", so no part can hold one of these.
_ALTERNATIVE, _RELATED, _MIXED = b"=_alternative", b"=_related", b"=_mixed"
_PLAIN, _HTML = (
    b"Content-Type: text/%b; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n" % kind
    for kind in (b"plain", b"html")
)


def _body(rendered: Rendered, envelope: Envelope) -> _Part:
    own = Encoded()  # a name and an address stand in both parts
    html = _Part(_HTML, rendered.html_part.encoded(own))
    if rendered.images:
        pictures = [_inline(image) for image in rendered.images]
        html = _multipart(b'related; type="text/html"', [html, *pictures], _RELATED)
    body = _multipart(b"alternative", [_Part(_PLAIN, rendered.text_part.encoded(own)), html], _ALTERNATIVE)
    if envelope.attachments:
        files = [_attached(*attachment) for attachment in envelope.attachments]
        body = _multipart(b"mixed", [body, *files], _MIXED)
    return body


@lru_cache(maxsize=32)  # of a few dozen kB each
def _inline(image: Image) -> _Part:
    return _file(
        image.content_type,
        image.content,
        f"Content-ID: <{image.content_id}>\r\nContent-Disposition: inline\r\n",
    )


@lru_cache(maxsize=4)  # of up to 2 MB each, and encoded 2.7 MB
def _attached(name: str, content_type: str, content: bytes) -> _Part:
    shown = headers.clean(_FORBIDDEN_IN_FILE_NAMES.sub(" ", name)).strip(". ")[:120] or "attachment"
    parameters = ";\r\n ".join(headers.parameter("filename", shown))
    return _file(content_type, content, f"Content-Disposition: attachment;\r\n {parameters}\r\n")


def _file(content_type: str, content: bytes, more: str) -> _Part:
    if not _TYPE.fullmatch(content_type):
        raise EnvelopeError(f"{content_type[:60]!r} is not a content type.")
    head = f"Content-Type: {content_type}\r\nContent-Transfer-Encoding: base64\r\n{more}"
    return _Part(head.encode("ascii"), [base64.encodebytes(content).replace(b"\n", b"\r\n")])


def _multipart(kind: bytes, parts: Sequence[_Part], edge: bytes) -> _Part:
    body: list[bytes] = []
    for part in parts:
        body += (b"--%b\r\n%b\r\n" % (edge, part.headers), *part.body, b"\r\n")
    body.append(b"--%b--\r\n" % edge)
    return _Part(b'Content-Type: multipart/%b;\r\n boundary="%b"\r\n' % (kind, edge), body)
