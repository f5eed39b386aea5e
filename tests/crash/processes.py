"""The processes of a storm, as the storm holds them: the zygote with its workers and its web server, and the peer."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from tests.crash.peer import Orders

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60  # seconds; on a quiet machine all of this takes less than two


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Zygote:
    """The forking process: its living children by pid with what they were born as, and those that died."""

    def __init__(self, environ: Mapping[str, str], log: Path, speed: float, within: Sequence[str] = ()) -> None:
        self.output = log.open("ab")
        self.process = subprocess.Popen(
            [*within, sys.executable, "-m", "tests.crash.zygote", str(speed)],
            cwd=ROOT,
            env=dict(environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.output,
        )
        self.living: dict[int, str] = {}
        self.died: list[tuple[int, str, int]] = []  # pid, what it was, its wait status
        self._asked: list[str] = []
        self._heard = b""
        self.ready = False
        self._until(lambda: self.ready, "the zygote did not start")

    def _until(self, holds: object, complaint: str, patience: float = PATIENCE) -> None:
        assert callable(holds)
        until = time.monotonic() + patience
        while not holds():
            assert time.monotonic() < until, complaint
            assert self.process.poll() is None, "the zygote ended"
            self.listen(0.05)

    def listen(self, patience: float) -> None:
        """Hear what the zygote says within `patience` seconds."""
        assert self.process.stdout is not None
        if not select.select([self.process.stdout], [], [], patience)[0]:
            return
        self._heard += os.read(self.process.stdout.fileno(), 65536)
        *lines, self._heard = self._heard.split(b"\n")
        for line in lines:
            word, *numbers = line.decode().split()
            if word == "ready":
                self.ready = True
            elif word == "born":
                self.living[int(numbers[0])] = self._asked.pop(0)
            elif word == "died":
                pid = int(numbers[0])
                self.died.append((pid, self.living.pop(pid), int(numbers[1])))

    def fork(self, order: str) -> int:
        """A child that does what `order` says; returns its pid."""
        assert self.process.stdin is not None
        known = set(self.living) | {pid for pid, _, _ in self.died}
        self._asked.append(order)
        self.process.stdin.write(f"{order}\n".encode())
        self.process.stdin.flush()
        born: set[int] = set()

        def is_born() -> bool:
            born.update((set(self.living) | {pid for pid, _, _ in self.died}) - known)
            return bool(born)

        self._until(is_born, f"no {order} was born")
        return born.pop()

    def of(self, kind: str) -> list[int]:
        """The living children of a kind (`worker`, `web`)."""
        return sorted(pid for pid, order in self.living.items() if order.split()[0] == kind)

    def kill(self, pid: int, how: signal.Signals = signal.SIGKILL) -> None:
        """Send a child a signal; it may be gone already."""
        with suppress(ProcessLookupError):
            os.kill(pid, how)

    def wait_for(self, pid: int, patience: float = PATIENCE) -> int:
        """Wait until a child has ended; returns its wait status."""
        self._until(lambda: pid not in self.living, f"{pid} did not end", patience)
        return next(status for gone, _, status in reversed(self.died) if gone == pid)

    def close(self) -> None:
        """End it, and with it all its children."""
        self.process.kill()
        self.process.communicate()
        self.output.close()


class PeerProcess:
    """The mail server, started again when it was killed; its log goes on."""

    def __init__(self, folder: Path, seed: int, address: str = "127.0.0.1") -> None:
        self.folder, self.port, self.seed, self.address = folder, free_port(), seed, address
        self.log = folder / "peer.log"
        self.log.touch()
        self.starts = 0
        self.order(Orders())
        self.start()

    def order(self, orders: Orders) -> None:
        """Tell it how to behave from the next email on."""
        fresh = self.folder / "orders.fresh"
        fresh.write_text(json.dumps(asdict(orders)), encoding="utf-8")
        fresh.rename(self.folder / "orders.json")

    def doom(self, fate: str) -> None:
        """Let the next email meet that fate, as `kill data`."""
        fresh = self.folder / "fate.fresh"
        fresh.write_text(fate, encoding="utf-8")
        fresh.rename(self.folder / "fate")

    def is_doomed(self) -> bool:
        """Whether a fate is waiting for its email."""
        return (self.folder / "fate").exists()

    def start(self) -> None:
        """Start it (again), and wait until it listens."""
        self.starts += 1
        words = [str(self.folder), str(self.port), str(self.seed + self.starts), self.address]
        self.process = subprocess.Popen([sys.executable, "-m", "tests.crash.peer", *words], cwd=ROOT)
        until = time.monotonic() + PATIENCE
        while f"listening\t{self.process.pid}\n" not in self.log.read_text(encoding="utf-8"):
            assert self.process.poll() is None, "the peer did not start"
            assert time.monotonic() < until, "the peer does not listen"
            time.sleep(0.01)

    def is_gone(self) -> bool:
        """Whether it was killed."""
        return self.process.poll() is not None

    def kill(self) -> None:
        """Kill it."""
        self.process.kill()
        self.process.wait()

    def lines(self, word: str) -> list[list[str]]:
        """What it wrote down of one kind, oldest first, without that first word."""
        rows = (line.split("\t") for line in self.log.read_text(encoding="utf-8").splitlines())
        return [row[1:] for row in rows if row[0] == word]
