"""Several connections to one relay, driven by the thread that asks for the answers."""

from __future__ import annotations

import selectors
import ssl
from collections import deque
from collections.abc import Sequence
from functools import cached_property
from time import monotonic
from types import TracebackType
from typing import Self

from newsletter.delivery.rules import Reply
from newsletter.delivery.smtp.connection import Connection, Patience, Place, places, tls_context
from newsletter.delivery.smtp.envelope import Outgoing
from newsletter.delivery.smtp.events import Answer, Event, Over, Ready, Refused, Returned
from newsletter.errors import RelayError
from newsletter.settings import Smtp

# Connections in a row that broke before the relay had answered a single email: then it is the relay, not the line.
MOST_FAILURES = 3
# Fresh connections that one email may see break before its end left, or hear 421 on: then it has to wait.
MOST_TRIES, MOST_CLOSINGS = 3, 2
# Relays, by host and port, that hung up with whole emails in flight. When a server closes with unread bytes before it,
# TCP may throw its last words away, the 421 too, and all in flight are uncertain; from then on envelopes go first.
_ABRUPT: set[tuple[str, int]] = set()


class Exchange:
    """Hands emails over to one relay; a context manager, entering raises RelayError when the relay cannot be used.

    Not for several threads. `outstanding` counts what was handed over and not told by `answers` yet; `problem` is set
    when the relay cannot be used any more, and then everything that had not begun comes back as `Answer(key, None)`.
    """

    def __init__(self, smtp: Smtp, *, connections: int, patience: Patience | None = None, name: str = "") -> None:
        self.name = name or f"{smtp.host}:{smtp.port}"
        self._relay = smtp.host, smtp.port
        self.outstanding = 0
        self.problem: RelayError | None = None
        self._smtp, self._patience, self._limit = smtp, patience or Patience(), connections
        self._queue, self._answers, self._tries = deque[Outgoing](), list[Answer](), dict[int, int]()
        self._lines: list[Connection] = []
        self._places: list[Place] = []
        self._poll = selectors.DefaultSelector()
        self._failures, self._rests_until, self._looks_at = 0, 0.0, 0.0
        self._tick = min(0.25, self._patience.command / 4, self._patience.goodbye / 4)

    def __enter__(self) -> Self:
        """Open the first connection; raises RelayError."""
        began = monotonic()
        self._places = places(self._smtp, self._patience)
        self._open(began)
        while self.problem is None and not any(line.is_ready for line in self._lines):
            self._drive(self._tick)
        if self.problem is not None:
            self._poll.close()
            raise self.problem
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Say goodbye where nothing is under way, and wait for the answer but not long; close the rest."""
        now = monotonic()
        self._limit = 0  # what comes back now goes nowhere else
        self._queue.clear()
        for line in list(self._lines):
            self._handle(line, line.say_goodbye(now) if line.is_idle else line.close("we left"), now)
        while self._lines and monotonic() - now < self._patience.goodbye:
            self._drive(self._tick)
        for line in list(self._lines):
            line.close("we left")
        self._poll.close()

    def hand_over(self, emails: Sequence[Outgoing]) -> None:
        """Queue emails; further connections are opened as the queue needs them."""
        self._drive(0)  # a server that hung up while we had nothing to say is not to be given the first of them
        self.outstanding += len(emails)
        self._queue.extend(emails)
        if self._tries:
            for email in emails:
                self._tries.pop(email.key, None)
        self._spread(monotonic())

    def keep(self, connections: int) -> None:
        """At most so many connections from now on; those too many finish what they are at."""
        self._limit = connections
        self._spread(monotonic())

    def answers(self, timeout: float) -> list[Answer]:
        """Drive the connections until an answer is there or `timeout` seconds have passed (0: what is there now)."""
        until = monotonic() + timeout
        self._drive(0 if self._answers or not self.outstanding else min(timeout, self._tick))
        while not self._answers and self.outstanding and (left := until - monotonic()) > 0:
            self._drive(min(left, self._tick))
        answers = self._answers.copy()
        self._answers.clear()
        self.outstanding -= len(answers)
        return answers

    def _drive(self, wait: float) -> None:
        turns = self._poll.select(wait)
        now = monotonic()
        for key, mask in turns:
            line: Connection = key.data
            if events := line.turn(mask, now):
                self._handle(line, events, now)
        if now >= self._looks_at:
            self._looks_at = now + self._tick
            for line in list(self._lines):
                self._handle(line, line.check(now), now)
            self._spread(now)

    def _handle(self, line: Connection, events: list[Event], now: float) -> None:
        if not events:
            return
        back = [event for event in events if type(event) is Returned]
        for event in events:
            self._react(line, event, now)
        self._queue.extendleft(event.email for event in reversed(back) if self._may_go_again(line, event))
        self._spread(now)

    def _react(self, line: Connection, event: Event, now: float) -> None:
        if type(event) is Ready:
            # The next connections begin where this one got through.
            self._places.sort(key=lambda place: place != line.place)
        elif type(event) is Refused:
            reply = event.reply
            self._stop(RelayError(f"The mail server {self.name} refuses us: {reply.code} {reply.text}"))
        elif type(event) is Over:
            self._lines.remove(line)
            self._judge(line, event, now)

    def _may_go_again(self, line: Connection, returned: Returned) -> bool:
        """Whether another connection takes the email: not for ever, if it breaks them."""
        if line.wire.handled or not returned.first:
            return True  # a connection that served others before says nothing about this email by breaking
        key, reply = returned.email.key, returned.reply
        tries = self._tries[key] = self._tries.get(key, 0) + 1
        if tries < (MOST_TRIES if reply is None else MOST_CLOSINGS):
            return True
        told = f"4.4.2 The connection to {self.name} broke {tries} times in the middle of this email"
        self._answers.append(Answer(key, reply or Reply(451, "4.4.2", told, "session")))
        return False

    def _judge(self, line: Connection, over: Over, now: float) -> None:
        """What the end of one connection says about the relay."""
        if line.wire.ready and not over.idle:
            _ABRUPT.add(self._relay)
        if line.wire.handled or over.idle:
            self._failures = 0 if line.wire.handled else self._failures
            return
        self._failures += 1
        if over.problem is not None:
            if any(other.is_ready for other in self._lines):
                self._rests_until = now + self._patience.rest  # it has enough of us, the others go on
            else:
                self._stop(over.problem)
        elif self._failures >= MOST_FAILURES:
            self._stop(RelayError(f"The connection to {self.name} broke {self._failures} times: {over.why}"))

    def _stop(self, problem: RelayError) -> None:
        if self.problem is None:
            self.problem = problem
            for line in self._lines:
                line.stop()

    def _spread(self, now: float) -> None:
        """Give the queue to those who are free, and open connections while it is long."""
        if self.problem is not None or self._limit <= 0:
            while self._queue:
                self._answers.append(Answer(self._queue.popleft().key, None))
        for line in list(self._lines):
            if self._queue and line.is_idle:
                self._handle(line, line.start(now), now)
        self._shed(now)
        connecting = sum(line.is_connecting for line in self._lines)
        while len(self._queue) > 2 * connecting + 1 or (self._queue and not self._lines):
            if len(self._lines) >= self._limit or (self._lines and now < self._rests_until):
                return
            connecting += 1
            self._open(now)

    def _shed(self, now: float) -> None:
        """Let those go that are too many: the idle ones now, others when they have finished."""
        staying = [line for line in self._lines if not line.is_leaving]
        surplus = len(staying) if self.problem is not None else len(staying) - self._limit
        if surplus > 0:
            for line in sorted(staying, key=lambda line: not line.is_idle)[:surplus]:
                line.retire()
        for line in list(self._lines):
            if line.is_finished:
                self._handle(line, line.say_goodbye(now), now)

    def _open(self, now: float) -> None:
        given = self._queue, self._answers, self._patience, self._poll
        whole = self._relay not in _ABRUPT
        line = Connection(self._smtp, self._places, *given, lambda: self._tls, whole=whole)
        self._lines.append(line)
        self._handle(line, line.begin(now), now)

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return tls_context(self._smtp)
