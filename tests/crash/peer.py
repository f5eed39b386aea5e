"""A mail server as a process of its own: writes down every email before it answers, and can kill who sends to it.

Started as `python -m tests.crash.peer FOLDER PORT SEED ADDRESS`; standard library only, so that it is there at once.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

MESSAGE_ID = re.compile(rb"^message-id:\s*(<[^>\r\n]+>)", re.IGNORECASE | re.MULTILINE)
# The moments around one email at which the sender, or the server itself, can be killed.
STAGES = ("mail", "rcpt", "data", "before the reply", "after the reply")


@dataclass(frozen=True)
class Orders:
    """How the server is to behave, read with each email from `orders.json` in its folder.

    `delay` is the longest wait before an answer in seconds; `workers` is the process whose children may be killed.
    Beside it a file `fate` (`kill STAGE`: the sender, `die STAGE`: the server) is for the next email that begins.
    """

    delay: float = 0
    workers: int = 0
    chunking: bool = True


def read_orders(folder: Path) -> Orders:
    """What the server was told last."""
    return Orders(**json.loads((folder / "orders.json").read_text(encoding="utf-8")))


class Log:
    """Lines appended by single writes: what is in it was written before the answer, whoever dies."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def write(self, *words: object) -> None:
        """One line, its words separated by tabs."""
        os.write(self._file, ("\t".join(map(str, words)) + "\n").encode())


def sender_of(connection: socket.socket, parent: int) -> int:
    """The process at the other end, among the children of `parent`; 0 when it is gone."""
    ours, theirs = connection.getsockname()[1], connection.getpeername()[1]
    inode = ""
    for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        words = line.split()
        if int(words[1].rpartition(":")[2], 16) == theirs and int(words[2].rpartition(":")[2], 16) == ours:
            inode = f"socket:[{words[9]}]"
    with suppress(OSError):
        for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="ascii").split():
            for file in Path(f"/proc/{pid}/fd").iterdir():
                with suppress(OSError):
                    if os.readlink(file) == inode:
                        return int(pid)
    return 0


class Conversation(threading.Thread):
    """One connection; commands are answered one by one, however many arrive at once."""

    def __init__(self, connection: socket.socket, folder: Path, log: Log, dice: random.Random) -> None:
        super().__init__(daemon=True)
        self.connection, self.folder, self.log, self.dice = connection, folder, log, dice
        self.buffer = b""
        self.orders = Orders()
        self.fate = ""
        self.recipient = ""
        self.chunks = b""

    def run(self) -> None:
        """Talk until the other end is gone."""
        with suppress(OSError, EOFError), self.connection:
            self.say("220 peer.example.org ESMTP")
            while self.obey(self.line()):
                pass

    def say(self, *lines: str) -> None:
        """Answer."""
        self.connection.sendall("".join(f"{line}\r\n" for line in lines).encode())

    def _more(self) -> None:
        received = self.connection.recv(65536)
        if not received:
            raise EOFError
        self.buffer += received

    def line(self) -> str:
        """The next command."""
        while b"\r\n" not in self.buffer:
            self._more()
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        return line.decode("utf-8", "replace")

    def obey(self, line: str) -> bool:
        """Do what a command asks for; False after QUIT."""
        word = line[:4].upper()
        if word == "EHLO":
            self.orders = read_orders(self.folder)
            chunking = ["250-CHUNKING"] if self.orders.chunking else []
            self.say("250-peer.example.org", "250-PIPELINING", *chunking, "250-8BITMIME", "250-SMTPUTF8", "250 SIZE")
        elif word == "MAIL":
            self.orders = read_orders(self.folder)
            self.draw_fate()
            self.chunks = b""
            self.meet("mail")
            self.say("250 2.1.0 ok")
        elif word == "RCPT":
            self.recipient = line.partition("<")[2].partition(">")[0]
            self.meet("rcpt")
            self.say("250 2.1.5 ok")
        elif word == "DATA":
            self.say("354 go on")
            self.take(self.content())
        elif word == "BDAT":
            _, size, *last = line.split()
            self.chunks += self.exactly(int(size))
            if last:
                self.take(self.chunks)
            else:
                self.say("250 2.0.0 more")
        else:
            self.say("221 2.0.0 bye" if word == "QUIT" else "250 2.0.0 ok")
        return word != "QUIT"

    def draw_fate(self) -> None:
        """What is to happen around the next email."""
        self.fate, mine = "", self.folder / f"fate.{threading.get_native_id()}"
        with suppress(FileNotFoundError):
            (self.folder / "fate").rename(mine)  # so that only one email has it
            self.fate = mine.read_text(encoding="utf-8")

    def meet(self, stage: str) -> None:
        """Kill whom this stage kills."""
        if self.fate == f"kill {stage}" and (pid := sender_of(self.connection, self.orders.workers)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                self.log.write("killed", pid, stage)
        if self.fate == f"die {stage}":
            self.log.write("died", os.getpid(), stage)
            os.kill(os.getpid(), signal.SIGKILL)

    def content(self) -> bytes:
        """An email as DATA sends it."""
        if len(self.buffer) < 1000:
            self._more()
        self.meet("data")
        while b"\r\n.\r\n" not in self.buffer:
            self._more()
        content, _, self.buffer = self.buffer.partition(b"\r\n.\r\n")
        return content

    def exactly(self, size: int) -> bytes:
        """An email, or a piece of one, as BDAT sends it."""
        self.meet("data")
        while len(self.buffer) < size:
            self._more()
        content, self.buffer = self.buffer[:size], self.buffer[size:]
        return content

    def take(self, content: bytes) -> None:
        """Write the email down, then answer."""
        time.sleep(self.dice.random() * self.orders.delay / 2)
        found = MESSAGE_ID.search(content)
        self.log.write("took", self.recipient, found[1].decode() if found else "")
        time.sleep(self.dice.random() * self.orders.delay / 2)
        self.meet("before the reply")
        self.say("250 2.0.0 taken")
        self.meet("after the reply")


def main(folder: Path, port: int, seed: int, address: str) -> None:
    """Take emails until killed."""
    log, dice = Log(folder / "peer.log"), random.Random(seed)
    with socket.create_server((address, port), backlog=64) as listener:
        log.write("listening", os.getpid())
        while True:
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            Conversation(connection, folder, log, random.Random(dice.random())).start()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
