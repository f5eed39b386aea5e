"""The processes of a benchmark: started, watched in /proc, and ended by the one who started them."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 60.0  # seconds for anything to start or to end
TICKS = os.sysconf("SC_CLK_TCK")
CORES = 2  # the machine that the goals speak of


def hold_to_two_cores() -> int:
    """Keep this process, and all it starts, on two cores; returns how many there are."""
    cores = sorted(os.sched_getaffinity(0))[:CORES]
    os.sched_setaffinity(0, cores)
    return len(cores)


def free_port() -> int:
    """A port on loopback where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def started(
    command: Sequence[str], output: Path, environ: Mapping[str, str] | None = None, *, cwd: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `command` during the block; at its end it gets TERM, and KILL when it does not go."""
    with output.open("ab") as written:
        process = subprocess.Popen(
            command, stdout=written, stderr=written, env=environ, cwd=cwd, start_new_session=True
        )
    try:
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Let a process finish in order, within a bound."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(PATIENCE)


def processor_seconds(pid: int) -> float:
    """Seconds of processor time, user and system, that a running process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def peak_memory(pid: int) -> float:
    """The most memory a running process ever held, in MB (VmHWM)."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def wait_for(what: str, done: Callable[[], object], patience: float = PATIENCE, pause: float = 0.05) -> None:
    """Look until `done` says so; ends the benchmark with `what` did not happen."""
    until = time.monotonic() + patience
    while not done():
        if time.monotonic() > until:
            raise SystemExit(f"within {patience:.0f} s did not happen: {what}")
        time.sleep(pause)


def listens(port: int) -> bool:
    """Whether somebody answers on a port of loopback."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
