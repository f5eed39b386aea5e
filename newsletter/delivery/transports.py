"""How bytes leave: over SMTP, or into the built-in mailbox while no SMTP_URL is set."""

from __future__ import annotations

import re
import smtplib
import ssl
from contextlib import suppress
from types import TracebackType
from typing import Protocol, Self

from newsletter import clock
from newsletter.database.engine import transaction
from newsletter.delivery import mailbox
from newsletter.delivery.rules import Reply
from newsletter.errors import RelayError
from newsletter.settings import Settings, Smtp

# Long enough for a relay that checks content while we wait, short enough that a dead one frees the worker (seconds).
PATIENCE = 60
_ENHANCED = re.compile(r"^([245]\.\d{1,3}\.\d{1,3})\s+")
CLOSING = 421  # RFC 5321 section 3.8: the server hangs up, whatever it was asked
_LINE_START_DOT = re.compile(rb"(?m)^\.")
_LOCAL = {"localhost", "127.0.0.1", "::1"}


class Transport(Protocol):
    """A way out for emails; a context manager, so that a connection serves a whole batch."""

    name: str

    def __enter__(self) -> Self:
        """Be ready to send; raises RelayError when that cannot be."""
        ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Let go of the connection."""
        ...

    def send(self, sender: str, recipient: str, message_id: str, content: bytes) -> Reply:
        """Hand one email over and say what the relay answered; raises RelayError when it answered nothing at all."""
        ...


def choose(settings: Settings) -> Transport:
    """The transport that the settings ask for."""
    return SmtpTransport(settings.smtp) if settings.smtp else MailboxTransport()


class MailboxTransport:
    """The built-in mailbox: idempotent by Message-ID, so sending again after a crash doubles nothing."""

    name = "mailbox"

    def __enter__(self) -> Self:
        """Nothing to open."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Nothing to close."""

    def send(self, sender: str, recipient: str, message_id: str, content: bytes) -> Reply:  # noqa: ARG002
        """Put the email into the mailbox."""
        with transaction() as session:
            mailbox.receive(session, message_id, recipient, content, clock.now())
        return Reply(250, "2.0.0", "Kept in the built-in mailbox")


class SmtpTransport:
    """One SMTP connection (RFC 5321), with STARTTLS (RFC 3207) and AUTH (RFC 4954) as SMTP_URL says."""

    def __init__(self, smtp: Smtp, patience: float = PATIENCE) -> None:
        self.smtp, self.patience = smtp, patience
        self.name = f"{smtp.host}:{smtp.port}"
        self._connection: smtplib.SMTP | None = None

    def __enter__(self) -> Self:
        """Connect; raises RelayError when the relay is unreachable or refuses us."""
        self._connect()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Say goodbye."""
        self._drop(politely=True)

    def _drop(self, *, politely: bool = False) -> None:
        if self._connection is not None:
            with suppress(OSError, smtplib.SMTPException):
                self._connection.quit() if politely else self._connection.close()
        self._connection = None

    def _connect(self) -> smtplib.SMTP:
        if self._connection is not None:
            return self._connection
        smtp = self.smtp
        try:
            if smtp.implicit_tls:
                self._connection = smtplib.SMTP_SSL(smtp.host, smtp.port, timeout=self.patience, context=self._tls())
            else:
                self._connection = smtplib.SMTP(smtp.host, smtp.port, timeout=self.patience)
            self._secure(self._connection)
            if smtp.username:
                self._connection.login(smtp.username, smtp.password)
        except (OSError, smtplib.SMTPException) as problem:
            self._drop()
            raise RelayError(
                f"The mail server {self.name} cannot be used: {_words(problem)}",
                means="Emails wait in the outbox; nothing is lost.",
                remedy="Check SMTP_URL and that the server is running; sending starts again by itself.",
            ) from problem
        return self._connection

    def _secure(self, connection: smtplib.SMTP) -> None:
        connection.ehlo_or_helo_if_needed()
        if self.smtp.implicit_tls:
            return
        offered = connection.has_extn("starttls")
        if self.smtp.starttls == "require" and not offered:
            raise smtplib.SMTPNotSupportedError("it offers no STARTTLS, but SMTP_URL requires it")
        if offered and self.smtp.starttls != "never":
            connection.starttls(context=self._tls())
            connection.ehlo()

    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if self.smtp.host in _LOCAL and self.smtp.starttls == "auto":
            # A mail server on the same machine has a self-signed certificate as a rule, and nobody is in between.
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context

    def send(self, sender: str, recipient: str, message_id: str, content: bytes) -> Reply:  # noqa: ARG002
        """One SMTP transaction. A reply lost after the end of data is code 0: nobody knows whether it went."""
        connection = self._connect()
        try:
            for command, about in (
                (f"MAIL FROM:<{sender}>", "session"),
                (f"RCPT TO:<{recipient}>", "recipient"),
                ("DATA", "recipient"),
            ):
                reply = _reply(connection.docmd(command), about)
                if reply.code == CLOSING or not 200 <= reply.code < 600:
                    raise smtplib.SMTPResponseException(reply.code, reply.text)
                if reply.code not in {250, 251, 354}:
                    connection.rset()
                    return reply
        except (OSError, smtplib.SMTPException) as problem:
            self._drop()
            raise RelayError(f"The connection to {self.name} broke: {_words(problem)}") from problem
        return self._hand_over(connection, content)

    def _hand_over(self, connection: smtplib.SMTP, content: bytes) -> Reply:
        ending = b".\r\n" if content.endswith(b"\r\n") else b"\r\n.\r\n"
        try:
            connection.send(_LINE_START_DOT.sub(b"..", content) + ending)
            reply = _reply(connection.getreply(), "recipient")
            if not 200 <= reply.code < 600:
                raise smtplib.SMTPServerDisconnected("what came is no SMTP")
            return reply
        except (OSError, smtplib.SMTPException) as problem:
            self._drop()
            return Reply(0, text=f"The answer was lost: {_words(problem)}")


def _reply(answer: tuple[int, bytes], about: str) -> Reply:
    code, raw = answer
    text = raw.decode("utf-8", "replace")
    enhanced = _ENHANCED.match(text)
    return Reply(code, enhanced[1] if enhanced else "", text, about)


def _words(problem: Exception) -> str:
    if isinstance(problem, smtplib.SMTPResponseException):
        error = problem.smtp_error
        return f"{problem.smtp_code} {error.decode('utf-8', 'replace') if isinstance(error, bytes) else error}"
    return str(problem) or type(problem).__name__
