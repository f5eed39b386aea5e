"""Opening an email again: its bytes as a person wants to see them."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import MIMEPart

# A browser may be handed these as what they are; everything else is only bytes to save.
SAFE_TYPES = frozenset({"application/pdf", "image/png", "image/jpeg", "image/gif", "image/webp"})
_CID = re.compile(r"cid:([^\"'\s)>]+)", re.IGNORECASE)


@dataclass(frozen=True)
class Part:
    """A file inside an email; `content_type` is safe to serve, `content_id` has no angle brackets."""

    number: int
    name: str
    content_type: str
    content_id: str
    inline: bool
    content: bytes


@dataclass(frozen=True)
class Opened:
    """An email taken apart; `html` and `text` are empty when it has no such part."""

    subject: str
    sender: str
    headers: list[tuple[str, str]]
    html: str
    text: str
    parts: list[Part]

    @property
    def attachments(self) -> list[Part]:
        """The files a reader sees listed; pictures shown inside the HTML are not among them."""
        return [part for part in self.parts if not part.inline]

    @property
    def html_with_pictures(self) -> str:
        """The HTML with every picture that travels in the same email put in its place (RFC 2392).

        As data: and not as an address, because the frame has an origin of its own and so sends no cookie with its
        requests: behind the sign-in each picture would answer with the sign-in page.
        """
        known = {part.content_id: part for part in self.parts if part.content_id}

        def swap(match: re.Match[str]) -> str:
            part = known.get(match[1])
            if part is None:
                return match[0]
            return f"data:{part.content_type};base64,{b64encode(part.content).decode()}"

        return _CID.sub(swap, self.html)


def open_email(content: bytes) -> Opened:
    """Take apart an email's bytes; damaged ones give what can be had instead of an error."""
    message = message_from_bytes(content, policy=policy.default)
    html, text = message.get_body(("html",)), message.get_body(("plain",))
    bodies = {id(body) for body in (html, text) if body is not None}
    leaves = [part for part in message.walk() if not part.is_multipart() and id(part) not in bodies]
    return Opened(
        subject=str(message.get("Subject", "")),
        sender=str(message.get("From", "")),
        headers=[(name, " ".join(str(value).split())) for name, value in message.items()],
        html=_words(html),
        text=_words(text),
        parts=[_part(number, leaf) for number, leaf in enumerate(leaves, 1)],
    )


def _words(part: MIMEPart | None) -> str:
    if part is None:
        return ""
    raw = part.get_payload(decode=True)
    try:
        return raw.decode(part.get_content_charset("utf-8"), "replace") if isinstance(raw, bytes) else ""
    except LookupError:
        # A charset nobody knows; the ASCII in it can still be read.
        return raw.decode("ascii", "replace") if isinstance(raw, bytes) else ""


def _part(number: int, leaf: MIMEPart) -> Part:
    kind = leaf.get_content_type()
    raw = leaf.get_payload(decode=True)
    content_id = str(leaf.get("Content-ID", "")).strip().strip("<>")
    return Part(
        number=number,
        name=leaf.get_filename() or f"part-{number}",
        content_type=kind if kind in SAFE_TYPES else "application/octet-stream",
        content_id=content_id,
        inline=bool(content_id) and leaf.get_content_disposition() != "attachment",
        content=raw if isinstance(raw, bytes) else b"",
    )
