"""How bytes leave: over SMTP, or into the built-in mailbox while no SMTP_URL is set."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, Self

from newsletter import clock
from newsletter.database.engine import transaction
from newsletter.delivery import mailbox
from newsletter.delivery.rules import Reply
from newsletter.delivery.smtp.connection import Patience
from newsletter.delivery.smtp.envelope import Outgoing
from newsletter.delivery.smtp.events import Answer
from newsletter.delivery.smtp.exchange import Exchange
from newsletter.errors import RelayError
from newsletter.settings import Smtp

_MESSAGE_ID = re.compile(rb"(?im)^Message-ID:\s*(<[^>\r\n]+>)")
KEPT = Reply(250, "2.0.0", "Kept in the built-in mailbox")
POLL = 5.0  # seconds; the exchange itself has the deadlines


class Handover(Protocol):
    """What hands emails over: an `Exchange`, or the built-in mailbox with the same manners."""

    name: str
    outstanding: int
    problem: RelayError | None

    def __enter__(self) -> Self:
        """Be ready; raises RelayError when that cannot be."""
        ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Let go."""
        ...

    def hand_over(self, emails: Sequence[Outgoing]) -> None:
        """Queue emails."""
        ...

    def answers(self, timeout: float) -> list[Answer]:
        """What became of some of them."""
        ...

    def keep(self, connections: int) -> None:
        """At most so many connections from now on."""
        ...


class MailboxExchange:
    """The built-in mailbox: idempotent by Message-ID, so sending again after a crash doubles nothing."""

    def __init__(self, name: str = "mailbox") -> None:
        self.name = name
        self.outstanding = 0
        self.problem: RelayError | None = None
        self._answers: list[Answer] = []

    def __enter__(self) -> Self:
        """Nothing to open."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Nothing to close."""

    def hand_over(self, emails: Sequence[Outgoing]) -> None:
        """Put the emails into the mailbox, in one transaction."""
        with transaction() as session:
            now = clock.now()
            for email in emails:
                mailbox.receive(session, _message_id(email), email.recipient, email.content, now)
        self._answers += [Answer(email.key, KEPT) for email in emails]
        self.outstanding += len(emails)

    def answers(self, timeout: float) -> list[Answer]:  # noqa: ARG002 - they are there at once
        """All of them were taken."""
        answers, self._answers, self.outstanding = self._answers, [], 0
        return answers

    def keep(self, connections: int) -> None:
        """It has none."""


def _message_id(email: Outgoing) -> str:
    found = _MESSAGE_ID.search(email.content.partition(b"\r\n\r\n")[0])
    if found is not None:
        return found[1].decode("ascii", "replace")
    # An email without one is the same email when it is the same to the byte.
    return f"<{hashlib.sha256(email.recipient.encode() + email.content).hexdigest()}@mailbox>"


class Transport:
    """One email at a time over a `Handover`, for test emails and the doctor."""

    def __init__(self, handover: Handover) -> None:
        self.handover, self.name = handover, handover.name

    def __enter__(self) -> Self:
        """Be ready to send; raises RelayError when that cannot be."""
        self.handover.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Let go of the connection."""
        self.handover.__exit__(kind, error, at)

    def send(self, sender: str, recipient: str, message_id: str, content: bytes) -> Reply:  # noqa: ARG002
        """Hand one email over and say what the relay answered; raises RelayError when its end never began to leave."""
        self.handover.hand_over([Outgoing(0, sender, recipient, content)])
        while not (answers := self.handover.answers(POLL)):
            pass
        reply = answers[0].reply
        if reply is None:
            raise self.handover.problem or RelayError(f"The connection to {self.name} broke.")
        return reply


def exchange(smtp: Smtp | None, *, connections: int = 1, patience: Patience | None = None, name: str = "") -> Handover:
    """The way out to a mail server, or into the built-in mailbox when there is none."""
    if smtp is None:
        return MailboxExchange(name or "mailbox")
    return Exchange(smtp, connections=connections, patience=patience, name=name)
