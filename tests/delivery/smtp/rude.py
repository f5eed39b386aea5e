"""A mail server in a thread that follows a script: polite where the script says so, and rude everywhere else."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from newsletter.delivery.smtp.connection import Patience
from newsletter.settings import Smtp

# Long enough for a machine with far too much to do; a test that waits for a deadline shortens that one only.
CALM = Patience(connect=20, greeting=20, command=20, data=20, ending=20, email=60, goodbye=2, rest=0.2)
OFFERS = ("PIPELINING", "8BITMIME")


class Gone(Exception):
    """The client hung up."""


@dataclass
class Line:
    """One client's connection, as the script sees it."""

    server: Server
    socket: socket.socket
    heard: bytearray = field(default_factory=bytearray)

    def say(self, *lines: str) -> None:
        """Say these lines in one go."""
        self.socket.sendall("".join(f"{line}\r\n" for line in lines).encode())

    def until(self, mark: bytes) -> bytes:
        """Everything up to and with `mark`."""
        seen = 0
        while (found := self.heard.find(mark, seen)) < 0:
            seen = max(0, len(self.heard) - len(mark))
            data = self.socket.recv(1 << 20)
            if not data:
                raise Gone
            self.heard += data
        end = found + len(mark)
        taken = bytes(self.heard[:end])
        del self.heard[:end]
        return taken

    def command(self) -> str:
        """The next command; RSET and QUIT are answered here."""
        while (said := self.until(b"\r\n")[:-2].decode()) in {"RSET", "QUIT"}:
            self.server.goodbyes += said == "QUIT"
            self.say("250 OK" if said == "RSET" else "221 bye")
        return said

    def greet(self, *offers: str) -> None:
        """The greeting and the answer to EHLO."""
        self.say("220 rude.example.org")
        assert self.command().startswith("EHLO ")
        self.hello(*offers)

    def hello(self, *offers: str) -> None:
        """The answer to EHLO."""
        lines = ["rude.example.org", *(offers or OFFERS)]
        self.say(*(f"250-{line}" for line in lines[:-1]), f"250 {lines[-1]}")

    def envelope(self) -> str:
        """Hear MAIL, RCPT and DATA; returns the recipient."""
        assert self.command().startswith("MAIL FROM:<")
        recipient = self.command().partition("<")[2].rstrip(">")
        assert self.command() == "DATA"
        return recipient

    def take(self, most: int = 1_000_000, answer: str = "250 2.0.0 OK") -> None:
        """Take up to so many emails, as a good server does."""
        for _ in range(most):
            recipient = self.envelope()
            self.say("250 OK", "250 OK", "354 go on")
            content = self.until(b"\r\n.\r\n")
            if answer.startswith("250"):
                self.server.taken.append((recipient, content[:-3].replace(b"\r\n..", b"\r\n.")))
            self.say(answer)

    def hang_up(self) -> None:
        """Close at once."""
        raise Gone

    def nothing(self) -> None:
        """Say nothing until the client gives up."""
        while self.socket.recv(65536):
            pass

    def start_tls(self, context: ssl.SSLContext) -> None:
        """Go on under TLS."""
        self.socket = context.wrap_socket(self.socket, server_side=True)


Script = Callable[[Line], None]


@dataclass
class Server:
    """`scripts` in the order of the connections, the last one for all that follow."""

    scripts: list[Script]
    port: int = 0
    family: socket.AddressFamily = socket.AF_INET
    taken: list[tuple[str, bytes]] = field(default_factory=list)
    connections: int = 0
    goodbyes: int = 0
    mumbles: bool = False  # its last words may be lost, as with many a server (Nagle's algorithm, then a reset)
    failures: list[BaseException] = field(default_factory=list)

    def smtp(self, **more: object) -> Smtp:
        """How to reach it."""
        values = {"host": "127.0.0.1", "port": self.port, "username": "", "password": "", "implicit_tls": False}
        return Smtp(**(values | {"starttls": "never"} | more))  # type: ignore[arg-type]

    @property
    def to(self) -> list[str]:
        """The recipients of what it took."""
        return [recipient for recipient, _ in self.taken]

    def _serve(self, line: socket.socket, script: Script) -> None:
        mine = Line(self, line)
        try:
            script(mine)
        except (Gone, OSError):
            pass
        except BaseException as problem:  # the test must hear of it, in its own thread
            self.failures.append(problem)
        finally:
            with suppress(OSError):
                mine.socket.close()

    def accept(self, listener: socket.socket, threads: list[threading.Thread]) -> None:
        """Take connections until the listener is closed."""
        while True:
            try:
                line, _ = listener.accept()
            except OSError:
                return
            line.settimeout(30)
            if not self.mumbles:
                line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # its last words get through
            script = self.scripts[min(self.connections, len(self.scripts) - 1)]
            self.connections += 1
            threads.append(threading.Thread(target=self._serve, args=(line, script)))
            threads[-1].start()


@contextmanager
def rude(*scripts: Script) -> Iterator[Server]:
    """Let a server follow `scripts` inside the block; a script's own failure is the test's."""
    server, threads = Server(list(scripts)), list[threading.Thread]()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server.port = listener.getsockname()[1]
        threads.append(threading.Thread(target=server.accept, args=(listener, threads)))
        threads[0].start()
        try:
            yield server
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join(timeout=40)
            if server.failures:
                raise server.failures[0]


def polite(line: Line) -> None:
    """A good server."""
    line.greet()
    line.take()
