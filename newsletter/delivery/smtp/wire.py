"""SMTP without a socket: bytes in, bytes out, and what became of each email.

Three ways to talk, by what the server offers: step by step; PIPELINING (RFC 2920), where the end of one email and the
next envelope leave in one write; and PIPELINING with CHUNKING (RFC 3030), where whole emails are in flight.
"""

from __future__ import annotations

import sys
from collections import deque

from newsletter.delivery.rules import Reply, stops_relay
from newsletter.delivery.smtp.envelope import Extensions, Outgoing, ended, prepared, stuffed
from newsletter.delivery.smtp.events import Answer, Event, Over, Ready, Refused, Returned, Secure
from newsletter.delivery.smtp.handshake import SECURE, Conversation, Unusable, converse
from newsletter.delivery.smtp.replies import CLOSING, Replies, Stage, read
from newsletter.errors import RelayError
from newsletter.settings import Smtp

# Emails in flight on one connection with CHUNKING. A line that breaks makes them all uncertain, so only as many as
# hide a long way: 4 on a way of 30 ms are 130 emails a second and connection.
IN_FLIGHT = 4

RSET, MAIL, RCPT, DATA, END = Stage.RSET, Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.END
YES, GO_ON, LATER, NEVER = b"2345"


class _Job:
    """One email on its way: `point` is where in the stream its end begins, `end` where it is complete."""

    __slots__ = ("email", "end", "heard", "mail", "point", "refusal", "taken")

    def __init__(self, email: Outgoing, mail: str) -> None:
        self.email, self.mail = email, mail
        self.refusal: Reply | None = None  # what it was refused for before its bytes
        self.taken = False  # RCPT was accepted
        self.heard = False  # any reply came
        self.point = self.end = sys.maxsize


class Wire:
    """One connection's conversation. Emails come from `queue` and answers go to `answers`; several may share both.

    Write `outgoing()` and tell `sent`; give what comes to `receive`; tell `lost` when the connection broke.
    """

    def __init__(self, smtp: Smtp, queue: deque[Outgoing], answers: list[Answer], *, whole: bool = True) -> None:
        """`whole` emails may be in flight, if the server offers it; else only envelopes go unasked."""
        self._whole = whole
        self.offered = Extensions()
        self.ready = self.over = self.closing = self.quitting = False
        self.heard = self.handled = 0  # whole replies; emails that the relay answered
        self._smtp, self._name = smtp, f"{smtp.host}:{smtp.port}"
        self._queue, self._answers = queue, answers
        self._jobs, self._expected = deque[_Job](), deque[Stage]()
        self._replies, self._events = Replies(), list[Event]()
        self._chunks, self._offset, self._queued, self._sent = deque[bytes](), 0, 0, 0
        self._pipelining = self._chunking = self._securing = False
        self._stopping = self.retiring = False
        self._unclean = False  # the server may still hold a transaction that came to nothing
        self._waiting = False  # an envelope is out whose DATA is not answered
        self._said, self._known = b"", Reply(0)
        self._talk: Conversation  # from `open` on

    # What the connection tells and asks

    def open(self, hello: str) -> None:
        """We are through to the server and introduce ourselves by that name once it has greeted us."""
        self._talk = converse(self._smtp, hello)
        next(self._talk)

    def outgoing(self) -> bytes | memoryview:
        """What is to be written next; empty when nothing is."""
        if not self._chunks:
            return b""
        return memoryview(self._chunks[0])[self._offset :] if self._offset else self._chunks[0]

    def sent(self, count: int) -> bool:
        """So many bytes of `outgoing` have left; returns whether there is more."""
        self._sent += count
        self._offset += count
        if self._offset == len(self._chunks[0]):
            self._chunks.popleft()
            self._offset = 0
        return bool(self._chunks)

    def receive(self, data: bytes) -> list[Event]:
        """Take in what came; never raises."""
        if self.over:
            return []
        replies = self._replies.feed(data)
        self.heard += len(replies)
        for raw in replies:
            if self.ready:
                self._hear(raw)
            else:
                self._converse(raw)
            if self.over:
                break
        else:
            if self._replies.garbled:
                self._end(f"what came is {self._replies.garbled}", orderly=False)
            elif self._securing and self._replies.is_within:
                self._unusable("it spoke on in the clear after STARTTLS.")
            elif self.closing and not self._jobs:
                # RFC 5321 section 3.8 has the server close now; Exim does not, and refuses everything from here on.
                self._over("it said 421", None, idle=False)
            elif self._queue:
                self._top_up()
        return self._take()

    def secured(self) -> list[Event]:
        """TLS is in place."""
        self._securing = False
        if not self.over:
            self._write(self._talk.send(b""))
        return self._take()

    def start(self) -> list[Event]:
        """The queue has emails: begin what can be begun."""
        self._top_up()
        return self._take()

    def stop(self) -> None:
        """Begin no email, and not the bytes of one whose envelope is out."""
        self._stopping = True

    def retire(self) -> None:
        """Begin no further email."""
        self.retiring = True

    def quit(self) -> None:
        """Say goodbye; only when `idle`."""
        if not self.quitting:
            self.quitting = True
            self._write(b"QUIT\r\n")

    def lost(self, why: str, *, orderly: bool) -> list[Event]:
        """The connection is gone; `orderly` when the server's own end was seen, and not only our patience's."""
        if not self.over:
            self._end(why, orderly=orderly)
        return self._take()

    @property
    def idle(self) -> bool:
        """Whether nothing is under way; True before the first email, too."""
        return self.ready and not self._jobs

    @property
    def at_the_end(self) -> bool:
        """Whether the server is thinking about a whole email, which may take it long."""
        return bool(self._expected) and self._expected[0] is END

    def _take(self) -> list[Event]:
        events = self._events
        if events:
            self._events = []
        return events

    def _write(self, data: bytes) -> None:
        if data:
            self._chunks.append(data)
            self._queued += len(data)

    # Before the first email

    def _converse(self, raw: bytes) -> None:
        if self._securing:
            # Whoever put it there wanted us to take it for something said under TLS (RFC 3207 section 6).
            self._unusable("it spoke on in the clear after STARTTLS.")
            return
        try:
            command = self._talk.send(raw)
        except StopIteration as done:
            self.offered = done.value
            self.ready, self._pipelining = True, self.offered.pipelining
            self._chunking = self.offered.chunking and (self._whole or not self._pipelining)
            self._events.append(Ready())
        except RelayError as problem:
            self._over(problem.happened, problem, idle=False)
        else:
            if command == SECURE:
                self._securing = True
                self._events.append(Secure())
            else:
                self._write(command)

    def _unusable(self, what: str) -> None:
        self._over(what, Unusable(self._name, what), idle=False)

    # Emails

    def _top_up(self) -> None:
        while self._queue and self.ready and not (self.over or self.closing or self._stopping or self.retiring):
            if self.quitting or not self._has_room():
                return
            self._write(self._envelope())

    def _has_room(self) -> bool:
        if not self._pipelining:
            return not self._jobs
        return len(self._jobs) < IN_FLIGHT if self._chunking else not self._waiting

    def _next(self) -> _Job | None:
        while self._queue and not self._stopping:
            email = self._queue.popleft()
            mail = prepared(email, self.offered)
            if isinstance(mail, str):
                return _Job(email, mail)
            self._answer(email.key, mail)
        return None

    def _envelope(self) -> bytes:
        """The next email's commands, as far as they may go now, or nothing when there is none."""
        job = self._next()
        if job is None:
            return b""
        # RFC 3030 section 2: after a refused BDAT only RSET makes a clear start; in flight nobody knows yet.
        reset = self._unclean or (self._chunking and bool(self._jobs))
        self._unclean = False
        self._jobs.append(job)
        if reset:
            self._expected.append(RSET)
        if not self._pipelining:
            if reset:
                return b"RSET\r\n"
            self._expected.append(MAIL)
            return job.mail.encode()
        before = "RSET\r\n" if reset else ""
        commands = f"{before}{job.mail}RCPT TO:<{job.email.recipient}>\r\n"
        if self._chunking:
            self._expected.extend((MAIL, RCPT))
            return self._chunk(job, commands.encode())
        self._expected.extend((MAIL, RCPT, DATA))
        self._waiting = True
        return (commands + "DATA\r\n").encode()

    def _chunk(self, job: _Job, before: bytes = b"") -> bytes:
        content = ended(job.email.content)
        command = f"BDAT {len(content)} LAST\r\n".encode()
        job.point = self._queued + len(before)
        job.end = job.point + len(command) + len(content)
        self._expected.append(END)
        return b"".join((before, command, content))

    def _content(self, job: _Job) -> None:
        """The server waits for the email's bytes."""
        self._waiting = False
        if self._stopping or (job.refusal and job.taken):
            # A lone dot would deliver an empty email to a recipient who was taken: rather hang up without one.
            self._end("we broke off before the email's bytes", orderly=False)
            return
        content = b"" if job.refusal else stuffed(job.email.content)
        job.point = self._queued + len(content)
        job.end = job.point + 3
        self._expected.append(END)
        follows = self._pipelining and self._queue and not (self.closing or self.retiring)
        self._write(b"".join((content, b".\r\n", self._envelope() if follows else b"")))

    def _hear(self, raw: bytes) -> None:
        expected = self._expected
        if not expected:
            self._unasked(raw)
            return
        stage, job, kind = expected.popleft(), self._jobs[0], raw[0]
        job.heard = True
        if kind == YES and stage is END:
            self._accepted(job, raw)
        elif kind == YES and stage is not DATA:
            if stage is RCPT:
                job.taken = True
            if not self._pipelining:
                self._step(job, stage)
        elif kind == GO_ON and stage is DATA:
            self._content(job)
        elif kind in (LATER, NEVER):
            self._refused(job, stage, raw)
        else:
            self._end(f"it answered {stage.name} with {raw[:3].decode()}", orderly=False)

    def _unasked(self, raw: bytes) -> None:
        if self.quitting or raw.startswith(b"421"):
            self._over("it said goodbye", None, idle=True)
        else:
            self._end("it answered what nobody had asked", orderly=False)

    def _step(self, job: _Job, stage: Stage) -> None:
        """Without PIPELINING: the command that follows the one just taken."""
        if stage is RSET:
            self._expected.append(MAIL)
            self._write(job.mail.encode())
        elif stage is MAIL:
            self._expected.append(RCPT)
            self._write(f"RCPT TO:<{job.email.recipient}>\r\n".encode())
        elif self._chunking:
            self._write(self._chunk(job))
        else:
            self._expected.append(DATA)
            self._write(b"DATA\r\n")

    def _accepted(self, job: _Job, raw: bytes) -> None:
        if self._sent < job.end:
            self._end("it took the email before its end", orderly=False)
            return
        if job.refusal and not job.taken:
            self._finish(job, job.refusal, END)  # what it took was the lone dot, or a chunk for nobody
            return
        self._jobs.popleft()
        if raw != self._said:
            self._said, self._known = raw, read(raw, END)
        self.handled += 1
        self._answers.append(Answer(job.email.key, self._known))

    def _refused(self, job: _Job, stage: Stage, raw: bytes) -> None:
        reply = read(raw, stage)
        if reply.code == CLOSING:
            self.closing = True
        early = stage is END and self._sent < job.end
        if stage is RSET and not self.closing:
            self._end(f"it refused RSET: {reply.code} {reply.text}", orderly=False)
        elif stage is DATA or stage is END or not self._pipelining:
            self._waiting = self._waiting and stage is not DATA
            self._unclean = stage is not MAIL and (stage is not END or self._chunking)
            self._finish(job, job.refusal or reply, stage)
            if early:
                self._end("it refused the email before its end", orderly=False)
        elif job.refusal is None:
            job.refusal = reply

    def _finish(self, job: _Job, reply: Reply, stage: Stage) -> None:
        self._jobs.popleft()
        if reply.code == CLOSING and (stage is not END or reply is job.refusal):
            self._events.append(Returned(job.email, reply, first=True))
        else:
            self._answer(job.email.key, reply)

    def _answer(self, key: int, reply: Reply) -> None:
        self.handled += 1
        self._answers.append(Answer(key, reply))
        if stops_relay(reply):
            self._stopping = True
            self._events.append(Refused(reply))

    # The end

    def _end(self, why: str, *, orderly: bool) -> None:
        jobs, self._jobs = self._jobs, deque()
        for number, job in enumerate(jobs):
            self._settle(job, why, orderly=orderly, first=number == 0)
        problem = None if self.ready else Unusable(self._name, f"{why}.", soon=True)
        self._over(why, problem, idle=not jobs and self.ready and not self.closing)

    def _settle(self, job: _Job, why: str, *, orderly: bool, first: bool) -> None:
        gone = self._sent > job.point
        if job.refusal and job.refusal.code != CLOSING and not (gone and job.taken):
            self._answer(job.email.key, job.refusal)
        elif job.refusal and job.refusal.code == CLOSING and orderly:
            self._events.append(Returned(job.email, job.refusal, first))
        elif not gone or (self.closing and orderly and not job.heard):
            # After 421 and its own end the server has read no further (RFC 5321 section 3.8).
            self._events.append(Returned(job.email, job.refusal, first))
        else:
            self._answers.append(Answer(job.email.key, Reply(0, text=f"The answer was lost: {why}")))

    def _over(self, why: str, problem: RelayError | None, *, idle: bool) -> None:
        self.over = True
        self._chunks.clear()
        self._events.append(Over(why, problem, idle))
