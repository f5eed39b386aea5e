"""A conversation with the wire: what a server says goes in, every write and every event comes out."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from newsletter.delivery.smtp.envelope import Outgoing
from newsletter.delivery.smtp.events import Answer, Event, Over, Ready, Refused, Returned, Secure
from newsletter.delivery.smtp.wire import Wire
from newsletter.settings import Smtp

SENDER = "studio@example.org"
RELAY = Smtp("relay.example.org", 25, "", "", False, "never")


def email(key: int, content: bytes = b"Hello\r\n", recipient: str = "") -> Outgoing:
    """An email to r1@example.org, r2@example.org, …"""
    return Outgoing(key, SENDER, recipient or f"r{key}@example.org", content)


def told(event: Event | Answer) -> tuple[object, ...]:
    """An event in a form that tables can hold."""
    match event:
        case Answer(key, reply):
            return (key, None if reply is None else reply.code)
        case Returned(returned, reply, _):
            return ("back", returned.key, None if reply is None else reply.code)
        case Refused(reply):
            return ("stop", reply.code)
        case Over():
            return ("over",)
        case Ready():
            return ("ready",)
        case Secure():
            return ("secure",)


@dataclass
class Talk:
    """`wire` with its queue; `writes` since the last look and everything that was `told`."""

    smtp: Smtp = RELAY
    queue: deque[Outgoing] = field(default_factory=deque)
    events: list[Event] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.wire = Wire(self.smtp, self.queue, self.answers)
        self.wire.open("me.example.org")

    def written(self) -> list[bytes]:
        """Every write, taken by the network at once."""
        writes = []
        while outgoing := self.wire.outgoing():
            writes.append(bytes(outgoing))
            self.wire.sent(len(outgoing))
        return writes

    def hear(self, *lines: str) -> list[bytes]:
        """The server says these lines in one go; returns what is written then."""
        self.events += self.wire.receive("".join(f"{line}\r\n" for line in lines).encode())
        return self.written()

    def start(self, *emails: Outgoing) -> list[bytes]:
        """More emails are there."""
        self.queue.extend(emails)
        self.events += self.wire.start()
        return self.written()

    def lose(self, *, orderly: bool = True) -> None:
        """The connection is gone."""
        self.events += self.wire.lost("it hung up", orderly=orderly)

    @property
    def told(self) -> list[tuple[object, ...]]:
        """The answers until now, then what else happened, but that the server became ready."""
        return [found for event in [*self.answers, *self.events] if (found := told(event)) != ("ready",)]


def ready(*offers: str, smtp: Smtp = RELAY) -> Talk:
    """A conversation with a server that offers these and waits for the first email."""
    talk = Talk(smtp)
    assert talk.hear("220 relay.example.org ESMTP") == [b"EHLO me.example.org\r\n"]
    lines = ["relay.example.org", *offers]
    marks = ["-"] * (len(lines) - 1) + [" "]
    assert talk.hear(*(f"250{mark}{line}" for mark, line in zip(marks, lines, strict=True))) == []
    assert talk.wire.ready
    return talk
