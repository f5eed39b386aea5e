"""One connection to a relay: a non-blocking socket, TLS on it, and the wire's conversation, each with a deadline."""

from __future__ import annotations

import os
import selectors
import socket
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from newsletter.delivery.smtp import lookup
from newsletter.delivery.smtp.envelope import Outgoing
from newsletter.delivery.smtp.events import Answer, Event, Over, Secure
from newsletter.delivery.smtp.handshake import LOCAL, Unusable
from newsletter.delivery.smtp.wire import Wire
from newsletter.settings import Smtp

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
CHUNK = 65536
# One TLS record: what a broken connection left unfinished of it, the peer cannot read, so what was sent is known.
RECORD = 16384


@dataclass(frozen=True, slots=True)
class Patience:
    """How long we wait, in seconds; shorter than RFC 5321 section 4.5.3.2: a worker's lease is minutes."""

    connect: float = 15  # for each address; for the first one with the time it took to look up the name
    greeting: float = 60  # TLS included
    command: float = 60
    data: float = 60  # without the relay reading a single byte
    ending: float = 120  # from the end of the data: it looks for viruses now
    email: float = 180  # for one email in all, however slowly bytes trickle
    goodbye: float = 3
    rest: float = 30  # before more connections are tried than the relay let us have


@dataclass(frozen=True, slots=True)
class Place:
    """One address a relay's name stands for."""

    family: int
    address: Any


class Phase(Enum):
    """Where a connection stands."""

    CONNECTING = auto()
    SECURING = auto()
    TALKING = auto()
    CLOSED = auto()


def places(smtp: Smtp, patience: Patience) -> list[Place]:
    """Where the relay can be reached, in the order to try (RFC 6724); raises Unusable."""
    try:
        found = lookup.addresses(smtp.host, smtp.port, patience.connect)
    except TimeoutError as problem:
        raise Unusable(f"{smtp.host}:{smtp.port}", f"its name could not be looked up: {problem}.") from problem
    except OSError as problem:
        raise Unusable(f"{smtp.host}:{smtp.port}", f"its name is not known ({words(problem)}).") from problem
    return [Place(family, address) for family, _, _, _, address in found]


def tls_context(smtp: Smtp) -> ssl.SSLContext:
    """Verified, but for a mail server on this very machine that nobody asked to verify."""
    context = ssl.create_default_context()
    if smtp.host in LOCAL and smtp.starttls == "auto":
        # A mail server on the same machine has a self-signed certificate as a rule, and nobody is in between.
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def words(problem: BaseException) -> str:
    """What an error of the network says to a person."""
    if isinstance(problem, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {problem.verify_message}"
    if isinstance(problem, ssl.SSLError):
        return f"TLS failed: {(problem.reason or str(problem)).replace('_', ' ').lower()}"
    return (problem.strerror if isinstance(problem, OSError) else None) or str(problem) or type(problem).__name__


def our_name(line: socket.socket) -> str:
    """How we introduce ourselves (RFC 5321 section 4.1.3): our full name, or our address when there is none."""
    name = socket.gethostname()
    if "." in name and name.isascii():
        return name
    address = line.getsockname()[0]
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


class Connection:
    """Drives one `Wire`; `begin` first, then `turn` whenever the selector says so and `check` now and then.

    All three return what happened; after `Over` the connection is closed.
    """

    def __init__(
        self,
        smtp: Smtp,
        where: Sequence[Place],
        queue: deque[Outgoing],
        answers: list[Answer],
        patience: Patience,
        poll: selectors.BaseSelector,
        tls: Callable[[], ssl.SSLContext],
        *,
        whole: bool,
    ) -> None:
        self.wire = Wire(smtp, queue, answers, whole=whole)
        self.place: Place | None = None  # where we got through
        self._smtp, self._where, self._patience, self._poll = smtp, deque(where), patience, poll
        self._context = tls
        self._phase = Phase.CONNECTING
        self._line: socket.socket  # from `begin` on
        self._opened = self._secured = False  # the conversation has begun; TLS is in place
        self._watched = self._heard = self._handled = 0
        self._since = self._email_since = 0.0  # the last move of any kind, the front email's turn
        self._trouble = "it has no address"

    @property
    def is_connecting(self) -> bool:
        """Whether it is not known yet if the relay wants us."""
        return self._phase is not Phase.CLOSED and not self.wire.ready

    @property
    def is_leaving(self) -> bool:
        """Whether it takes no further email."""
        wire = self.wire
        return wire.closing or wire.over or wire.retiring or wire.quitting

    @property
    def is_ready(self) -> bool:
        """Whether emails may go over it."""
        return self.wire.ready and not self.is_leaving

    @property
    def is_idle(self) -> bool:
        """Whether it waits for emails."""
        return self.is_ready and self.wire.idle

    @property
    def is_finished(self) -> bool:
        """Whether it was retired and has nothing left to do."""
        wire = self.wire
        return wire.retiring and wire.idle and not (wire.quitting or wire.over or wire.closing)

    def begin(self, now: float) -> list[Event]:
        """Start connecting to the next address; with none left it is over."""
        self._since, self._phase = now, Phase.CONNECTING
        while self._where:
            self.place = self._where.popleft()
            try:
                self._line = line = socket.socket(self.place.family, socket.SOCK_STREAM)
                line.setblocking(False)
                line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._poll.register(line.fileno(), WRITE, self)
                self._watched = WRITE
                with suppress(BlockingIOError):
                    line.connect(self.place.address)
                return []
            except OSError as problem:
                self._trouble = words(problem)
                self._drop()
        return self._fail(self._trouble)

    def turn(self, mask: int, now: float) -> list[Event]:
        """The selector says that the socket can be read or written."""
        if self._phase is Phase.TALKING:
            return self._talk(now) if mask & READ else self._flush(now)
        if self._phase is Phase.CONNECTING:
            return self._connected(now)
        return self._shake_hands(now) if self._phase is Phase.SECURING else []

    def start(self, now: float) -> list[Event]:
        """The queue has something new."""
        wire = self.wire
        if not wire.ready:
            return []
        if wire.idle:
            self._since = self._email_since = now
        events = wire.start()
        return events + self._flush(now)

    def stop(self) -> None:
        """Begin no email, and not the bytes of one whose envelope is out."""
        self.wire.stop()

    def retire(self) -> None:
        """Begin no further email."""
        self.wire.retire()

    def say_goodbye(self, now: float) -> list[Event]:
        """Quit; only an idle connection."""
        self.wire.quit()
        self._since = now
        return self._flush(now)

    def close(self, why: str) -> list[Event]:
        """Close at once."""
        return self._lost(why, orderly=False) if self._phase is not Phase.CLOSED else []

    def check(self, now: float) -> list[Event]:
        """Whether we waited long enough."""
        patience, since, wire = self._patience, self._since, self.wire
        if self._phase is Phase.CLOSED:
            return []
        if self._phase is Phase.CONNECTING:
            return self._next_place("timed out", now) if now - since > patience.connect else []
        if not wire.ready:
            return self._lost("timed out", orderly=False) if now - since > patience.greeting else []
        if wire.quitting or wire.closing:
            return self._lost("timed out", orderly=False) if now - since > patience.goodbye else []
        if wire.idle:
            return []
        wait = patience.data if wire.outgoing() else patience.ending if wire.at_the_end else patience.command
        if now - since > wait or now - self._email_since > patience.email:
            return self._lost("timed out", orderly=False)
        return []

    # Getting through

    def _connected(self, now: float) -> list[Event]:
        if code := self._line.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            return self._next_place(words(OSError(code, os.strerror(code))), now)
        self._since = now
        if self._smtp.implicit_tls:
            return self._secure(now)
        return self._introduce(now)

    def _next_place(self, trouble: str, now: float) -> list[Event]:
        self._trouble = trouble
        self._drop()
        return self.begin(now)

    def _introduce(self, now: float) -> list[Event]:
        self.wire.open(our_name(self._line))
        self._phase, self._opened = Phase.TALKING, True
        self._watch(READ)
        return self._talk(now)

    def _secure(self, now: float) -> list[Event]:
        self._phase = Phase.SECURING
        try:
            self._line = self._context().wrap_socket(
                self._line, server_hostname=self._smtp.host, do_handshake_on_connect=False
            )
        except (OSError, ValueError) as problem:
            return self._fail(words(problem))
        return self._shake_hands(now)

    def _shake_hands(self, now: float) -> list[Event]:
        line = self._line
        try:
            if isinstance(line, ssl.SSLSocket):
                line.do_handshake()
        except ssl.SSLWantReadError:
            self._watch(READ)
            return []
        except ssl.SSLWantWriteError:
            self._watch(WRITE)
            return []
        except OSError as problem:
            return self._fail(words(problem))
        self._secured = True
        if not self._opened:
            return self._introduce(now)
        self._phase = Phase.TALKING
        self._watch(READ)
        return self.wire.secured() + self._flush(now) + self._talk(now)

    # Talking

    def _talk(self, now: float) -> list[Event]:
        events = self._read(now)
        while self._secured and self._phase is Phase.TALKING and self._has_more():
            events = events + self._read(now)  # TLS has it already, so the selector would never tell
        return events

    def _has_more(self) -> bool:
        return isinstance(self._line, ssl.SSLSocket) and self._line.pending() > 0

    def _read(self, now: float) -> list[Event]:
        wire = self.wire
        try:
            data = self._line.recv(CHUNK)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return self._flush(now)
        except OSError as problem:
            return self._lost(f"the connection broke ({words(problem)})", orderly=True)
        if not data:
            return self._lost("the connection broke (it hung up)", orderly=True)
        events = wire.receive(data)
        if wire.heard != self._heard:
            self._heard, self._since = wire.heard, now  # a whole reply; single bytes of one buy no time
        if wire.handled != self._handled:
            self._handled, self._email_since = wire.handled, now
        if events:
            return events + self._react(events, now)
        return self._flush(now)

    def _react(self, events: list[Event], now: float) -> list[Event]:
        if self.wire.over:
            self._drop()
            return []
        self._email_since = now
        if type(events[-1]) is Secure:
            return self._secure(now)
        return self._flush(now)

    def _flush(self, now: float) -> list[Event]:
        wire, line = self.wire, self._line
        more = bool(outgoing := wire.outgoing())
        while more:
            try:
                count = line.send(outgoing[:RECORD] if self._secured else outgoing)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                self._watch(READ | WRITE)
                return []
            except OSError as problem:
                return self._last_words(f"the connection broke ({words(problem)})")
            self._since = now
            if more := wire.sent(count):
                outgoing = wire.outgoing()
        if self._watched != READ:
            self._watch(READ)
        return []

    def _last_words(self, why: str) -> list[Event]:
        """It hung up while we wrote; why, and what became of the emails before, may still wait to be read."""
        wire, line, events = self.wire, self._line, list[Event]()
        with suppress(OSError):
            while not wire.over and (data := line.recv(CHUNK)):
                events += wire.receive(data)
        return events + self._lost(why, orderly=True)

    # The end

    def _fail(self, what: str) -> list[Event]:
        self._drop()
        problem = Unusable(f"{self._smtp.host}:{self._smtp.port}", f"{what}.")
        return [Over(what, problem, idle=False)]

    def _lost(self, why: str, *, orderly: bool) -> list[Event]:
        self._drop()
        if not self._opened:
            return self._fail(why)
        return self.wire.lost(why, orderly=orderly)

    def _watch(self, mask: int) -> None:
        if self._watched != mask and self._phase is not Phase.CLOSED:
            self._poll.modify(self._line.fileno(), mask, self)
            self._watched = mask

    def _drop(self) -> None:
        self._phase = Phase.CLOSED
        if self._watched:
            self._poll.unregister(self._line.fileno())
            self._watched = 0
        self._line.close()
