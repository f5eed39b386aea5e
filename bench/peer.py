"""`python -m bench.peer`: a mail server that answers as slowly as a distant one, and says when an email was whole.

It offers no PIPELINING and no CHUNKING unless asked to, answers every command after --delay seconds, and prints a line
"seconds address bytes" (of the monotonic clock, which all processes share) for each email to an address that begins
with --watch; at the end, and on each SIGUSR1, "total emails sessions".
"""

from __future__ import annotations

import argparse
import asyncio
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.place import ROOT
from bench.processes import free_port, listens, started, wait_for

END = b"\r\n.\r\n"
RECIPIENT = re.compile(rb"RCPT TO:\s*<([^>]*)>", re.IGNORECASE)


@dataclass
class Counts:
    """What all sessions together took."""

    emails: int = 0
    sessions: int = 0
    most: int = 0  # sessions open at once
    open: int = 0


class Session(asyncio.Protocol):
    """One connection; emails are counted and forgotten."""

    def __init__(self, asked: argparse.Namespace, counts: Counts) -> None:
        self.asked, self.counts, self.watched = asked, counts, asked.watch.encode()
        self.buffer, self.in_data, self.recipient = bytearray(), False, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.counts.sessions += 1
        self.counts.open += 1
        self.counts.most = max(self.counts.most, self.counts.open)
        self._answer(b"220 peer ESMTP")

    def connection_lost(self, _exc: Exception | None) -> None:
        """Count."""
        self.counts.open -= 1

    def data_received(self, data: bytes) -> None:
        """Read commands, or an email."""
        self.buffer += data
        while self._email() if self.in_data else self._command():
            pass

    def _email(self) -> bool:
        end = self.buffer.find(END)
        if end < 0:
            return False
        if self.recipient.startswith(self.watched) and self.watched:
            print(f"{time.monotonic():.6f} {self.recipient.decode()} {end}", flush=True)
        del self.buffer[: end + len(END)]
        self.in_data = False
        self.counts.emails += 1
        self._answer(b"250 2.0.0 taken")
        return True

    def _command(self) -> bool:
        line, separator, rest = self.buffer.partition(b"\r\n")
        if not separator:
            return False
        self.buffer = rest
        word = bytes(line[:4]).upper()
        if found := RECIPIENT.match(line):
            self.recipient = found[1]
        if word == b"EHLO":
            more = [b"250-PIPELINING"] if self.asked.pipelining else []
            self._answer(b"\r\n".join([b"250-peer", *more, b"250-8BITMIME", b"250 ENHANCEDSTATUSCODES"]))
        elif word == b"DATA":
            self.in_data = True
            self._answer(b"354 go on")
        else:
            self._answer(b"221 bye" if word == b"QUIT" else b"250 2.0.0 ok", last=word == b"QUIT")
        return True

    def _answer(self, line: bytes, *, last: bool = False) -> None:
        if self.asked.delay:
            asyncio.get_running_loop().call_later(self.asked.delay, self._write, line, last)
        else:
            self._write(line, last)

    def _write(self, line: bytes, last: bool) -> None:
        if not self.transport.is_closing():
            self.transport.write(line + b"\r\n")
            if last:
                self.transport.close()


async def serve(asked: argparse.Namespace) -> None:
    """Answer until TERM."""
    counts, loop, done = Counts(), asyncio.get_running_loop(), asyncio.Event()

    def say() -> None:
        print(f"total {counts.emails} {counts.sessions} {counts.most}", flush=True)

    loop.add_signal_handler(signal.SIGUSR1, say)
    loop.add_signal_handler(signal.SIGTERM, done.set)
    server = await loop.create_server(lambda: Session(asked, counts), "127.0.0.1", asked.port, backlog=200)
    await done.wait()
    server.close()
    say()


@dataclass(frozen=True)
class Peer:
    """A running peer."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        """Its SMTP_URL."""
        return f"smtp://127.0.0.1:{self.port}?starttls=never"

    def arrivals(self) -> dict[str, tuple[float, int]]:
        """When each watched email was whole, and its bytes."""
        lines = [line.split() for line in self.log.read_text().splitlines() if not line.startswith("total")]
        return {
            address: (float(seconds), int(size))
            for seconds, address, size in (line for line in lines if len(line) == 3)
        }

    def totals(self) -> tuple[int, int, int]:
        """Emails taken, sessions seen, the most sessions at once."""
        before = self._said()
        self.process.send_signal(signal.SIGUSR1)
        wait_for("the peer says its counts", lambda: len(self._said()) > len(before))
        _, emails, sessions, most = self._said()[-1].split()
        return int(emails), int(sessions), int(most)

    def _said(self) -> list[str]:
        return [
            line for line in self.log.read_text().splitlines(keepends=True) if line.startswith("total") and "\n" in line
        ]


@contextmanager
def peer(folder: Path, *, delay: float = 0, watch: str = "", pipelining: bool = False) -> Iterator[Peer]:
    """A peer in a process of its own."""
    port = free_port()
    log = folder / f"peer-{port}.txt"
    words = ["--port", str(port), "--delay", str(delay), "--watch", watch, *(["--pipelining"] if pipelining else [])]
    with started([sys.executable, "-m", "bench.peer", *words], log, cwd=ROOT) as process:
        wait_for("the peer listens", lambda: listens(port))
        yield Peer(port, process, log)


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--delay", type=float, default=0)
    parser.add_argument("--watch", default="")
    parser.add_argument("--pipelining", action="store_true")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
