"""A real SMTP server on loopback that does what a test wants: takes, defers, refuses, hangs up, or takes its time."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from newsletter.settings import Smtp


@dataclass
class Peer:
    """The server: `taken` are the emails it took; the rest says how it answers, by address or by command."""

    port: int = 0
    taken: list[tuple[str, EmailMessage]] = field(default_factory=list)
    recipients: dict[str, str] = field(default_factory=dict)  # address -> answer to RCPT, once each if in `once`
    once: set[str] = field(default_factory=set)
    sender: str = ""  # answer to MAIL FROM
    data: list[str] = field(default_factory=list)  # answers to the end of data, one an email, then 250
    delay: float = 0  # seconds before the answer to the end of data
    sessions: int = 0

    async def handle_EHLO(  # noqa: N802 - aiosmtpd finds its handlers by these names
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        """Count connections."""
        self.sessions += 1
        session.host_name = hostname
        return responses

    async def handle_MAIL(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take or refuse the sender."""
        if not self.sender:
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return self.sender or "250 2.1.0 OK"

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Take, defer or refuse a recipient."""
        answer = self.recipients.get(address, "250 2.1.5 OK")
        if address in self.once:
            self.recipients.pop(address, None)
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Take the email, or lose the line after having taken it."""
        await asyncio.sleep(self.delay)
        answer = self.data.pop(0) if self.data else "250 2.0.0 OK"
        content = envelope.content
        assert isinstance(content, bytes)
        if answer.startswith("250") or answer in {"hang up", "nonsense"}:
            message = message_from_bytes(content, policy=policy.default)
            assert isinstance(message, EmailMessage)
            self.taken.append((envelope.rcpt_tos[0], message))
        if answer == "hang up":
            assert server.transport is not None
            server.transport.abort()
        return "hello there" if answer == "nonsense" else answer

    @property
    def to(self) -> list[str]:
        """The recipients of what was taken, in order."""
        return [recipient for recipient, _ in self.taken]

    def smtp(self, **more: Any) -> Smtp:
        """How to reach it."""
        return Smtp(**{"host": "127.0.0.1", "port": self.port, "username": "", "password": ""} | RELAXED | more)

    @property
    def url(self) -> str:
        """Its SMTP_URL."""
        return f"smtp://127.0.0.1:{self.port}?starttls=never"


RELAXED: dict[str, Any] = {"implicit_tls": False, "starttls": "never"}


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _authenticate(_server: SMTP, _session: Session, _envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
    good = mechanism in {"PLAIN", "LOGIN"} and (data.login, data.password) == (b"bob", b"right")
    return AuthResult(success=good, handled=False)


@contextmanager
def serving(peer: Peer, *, sign_in: bool = False, port: int = 0) -> Iterator[Peer]:
    """Let `peer` answer on loopback inside the block."""
    peer.port = port or free_port()
    controller = Controller(
        peer,
        hostname="127.0.0.1",
        port=peer.port,
        authenticator=_authenticate if sign_in else None,
        auth_required=sign_in,
        auth_require_tls=False,
    )
    controller.start()
    try:
        yield peer
    finally:
        controller.stop()
