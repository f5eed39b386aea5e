"""Postfix's own sink and load generator, and OpenSSL's figure for RSA: what our speed is compared with."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.processes import free_port, listens, processor_seconds, started, wait_for

SESSIONS = 4
LENGTH = 12_000  # bytes of one email
BACKLOG = 100


@dataclass(frozen=True)
class Sink:
    """A running smtp-sink; `log` ends with how many emails it took."""

    port: int
    pid: int
    log: Path

    @property
    def url(self) -> str:
        """Its SMTP_URL."""
        return f"smtp://127.0.0.1:{self.port}?starttls=never"

    def count(self) -> int:
        """How many emails it has taken."""
        with self.log.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 200))
            found = re.findall(rb"mesg=(\d+)\r", file.read())
        return int(found[-1]) if found else 0

    def seconds(self) -> float:
        """Its processor time."""
        return processor_seconds(self.pid)


@contextmanager
def sink(folder: Path) -> Iterator[Sink]:
    """A fresh smtp-sink, counting from nothing."""
    port = free_port()
    log = folder / f"sink-{port}.txt"
    # As root it wants another user to run as.
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    with started([_program("smtp-sink"), *user, "-c", f"127.0.0.1:{port}", str(BACKLOG)], log) as process:
        wait_for("smtp-sink listens", lambda: listens(port))
        yield Sink(port, process.pid, log)


@dataclass(frozen=True)
class Rate:
    """Emails a second, and microseconds of processor time an email for the sender and for the sink."""

    a_second: float
    sender: float
    sink: float


def source(emails: int, folder: Path) -> Rate:
    """What smtp-source, kept-open sessions, reaches against a sink of its own."""
    command = [_program("smtp-source"), "-d", "-s", str(SESSIONS), "-l", str(LENGTH), "-m", str(emails)]
    addresses = ["-f", "studio@example.org", "-t", "reader@example.org"]
    with sink(folder) as peer:
        before, start = os.times(), time.perf_counter()
        subprocess.run([*command, *addresses, f"127.0.0.1:{peer.port}"], check=True)
        took, after = time.perf_counter() - start, os.times()
        wait_for("smtp-sink counts", lambda: peer.count() >= emails)
        spent = after.children_user + after.children_system - before.children_user - before.children_system
        return Rate(emails / took, spent / emails * 1e6, peer.seconds() / emails * 1e6)


def rsa_signatures(seconds: int) -> float:
    """RSA-2048 signatures a second on one core, by `openssl speed`."""
    said = subprocess.run(
        [_program("openssl"), "speed", "-seconds", str(seconds), "rsa2048"], check=True, capture_output=True, text=True
    ).stdout
    line = next(line for line in said.splitlines() if re.match(r"rsa\s+2048", line))
    # "rsa  2048 bits 0.000355s 0.000010s 2820.0 98000.0": seconds for a signing and a verifying, then how many a second
    return float([word for word in line.split() if re.fullmatch(r"[\d.]+", word)][-2])


def find(name: str) -> str | None:
    """Where a program is, also outside a user's path; None when it is not there."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/bin")


def _program(name: str) -> str:
    found = find(name)
    if found is None:
        raise SystemExit(f"{name} is missing; Debian has it in the package postfix (openssl in openssl)")
    return found
