"""`python app.py`: web and workers are kept running and end together; nonsense in a setting refuses to start."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psutil
import pytest

from newsletter import lifeline, supervisor
from tests.journeys.conftest import PATIENCE, ROOT, free_port


def start(tmp_path: Path, **more: str) -> subprocess.Popen[str]:
    """A started Supple in its own folder."""
    environ = {"PATH": os.environ["PATH"], "DATA_DIR": str(tmp_path), "PORT": str(free_port()), "WORKERS": "2"} | more
    return subprocess.Popen(
        [sys.executable, "app.py"],
        cwd=ROOT,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def said(child: psutil.Process) -> list[str]:
    """The words of a process's command; none once it is gone (libraries look for others in short-lived ones)."""
    try:
        return child.cmdline()
    except psutil.Error:
        return []


def children(process: subprocess.Popen[str], workers: int = 2) -> list[psutil.Process]:
    """The web server first, then the workers, once all run."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        assert process.poll() is None, process.communicate()[0]
        family = psutil.Process(process.pid).children()
        found = {child: words for child in family if {"granian", "worker"} & set(words := said(child))}
        if len(found) == 1 + workers:
            return sorted(found, key=lambda child: ("granian" not in found[child], child.pid))
        time.sleep(0.05)
    raise AssertionError("web and workers did not start")


def everyone(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """All processes that were started, the web server's own child among them."""
    return psutil.Process(process.pid).children(recursive=True)


def url_of(process: subprocess.Popen[str]) -> str:
    """Where the landing page is, as printed."""
    return next(line.split()[-1] for line in process.stdout or () if "Landing page" in line)


@pytest.mark.parametrize("victim", [0, 1], ids=["web", "worker"])
def test_one_that_is_killed_is_started_again_and_the_site_stays(tmp_path: Path, victim: int) -> None:
    process = start(tmp_path, WORKERS="1")
    url = url_of(process)
    before = children(process, 1)
    _until_answered(url)
    family = before[victim].children(recursive=True)
    before[victim].kill()
    psutil.wait_procs([before[victim], *family], timeout=PATIENCE)
    after = children(process, 1)
    assert after[victim].pid != before[victim].pid
    assert after[1 - victim].pid == before[1 - victim].pid
    _until_answered(url)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert f"The {'worker 1' if victim else 'web'} process was killed by signal 9; starting it again." in output


def test_one_that_cannot_start_stops_the_rest(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process = start(tmp_path, PORT=str(taken.getsockname()[1]), WORKERS="1")
        running = set()
        while process.poll() is None:
            running |= set(everyone(process)) if psutil.pid_exists(process.pid) else set()
            time.sleep(0.05)
        output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert "The web process ended by itself with exit code 1; stopping the rest." in output
    assert not psutil.wait_procs(running, timeout=PATIENCE)[1]


@pytest.mark.parametrize(
    ("deaths", "lived", "code", "pause"),
    [
        ([7], 7, 1, None),  # a taken port, a typing error: the next start would end the same way
        ([70], 70, 1, 0),
        ([7], 7, -9, 0),  # killed for memory
        ([100, 102], 2, 1, 1),  # it ran well before
        ([100, 102, 105, 110], 5, -9, 7),
        ([100, 102, 105, 110, 120], 9, -9, 15),
        ([100, 102, 105, 110, 120, 140], 9, -9, None),
        ([100, 500, 900, 1300, 1700, 2100, 2500], 400, -9, 0),
    ],
)
def test_how_long_a_fallen_process_waits(deaths: list[float], lived: float, code: int, pause: float | None) -> None:
    assert supervisor.pause_before_restart(deaths, lived, code) == pause


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_all_cleanly(tmp_path: Path, how: signal.Signals) -> None:
    process = start(tmp_path)
    children(process)
    running = everyone(process)
    process.send_signal(how)
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, output
    assert "Traceback" not in output
    assert not psutil.wait_procs(running, timeout=PATIENCE)[1]


@pytest.mark.parametrize("after", [0, 0.4, 2, None])
def test_killed_outright_it_takes_all_along(tmp_path: Path, after: float | None) -> None:
    """At any moment (seconds after its first child is there; None: when the site answers), and however early."""
    process = start(tmp_path)
    if after is None:
        url = url_of(process)
        children(process)
        _until_answered(url)
    else:
        while not any({"granian", "worker"} & set(said(child)) for child in everyone(process)):
            time.sleep(0.005)
        time.sleep(after)
    running = set(everyone(process))
    process.kill()
    process.wait(timeout=PATIENCE)
    running |= {one for one in psutil.process_iter() if f"DATA_DIR={tmp_path}" in surroundings(one)}
    assert running
    assert not psutil.wait_procs(running, timeout=lifeline.GRACE)[1]
    process.communicate()


def surroundings(one: psutil.Process) -> list[str]:
    """The environment of a process, NAME=VALUE; none when it is not ours to read."""
    try:
        return [f"{name}={value}" for name, value in one.environ().items()]
    except psutil.Error:
        return []


def test_a_second_start_changes_nothing(tmp_path: Path) -> None:
    for _ in range(2):
        process = start(tmp_path)
        _until_answered(url_of(process))
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)
    files = sorted(path.name for path in tmp_path.iterdir() if path.is_file() and "-" not in path.name)
    assert files == ["queue.db", "secret.key", "supple.db"]


def _until_answered(url: str) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                assert b"4 feel-good stretches" in answer.read()
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"{url} did not answer")


def test_nonsense_in_a_setting_refuses_to_start(tmp_path: Path) -> None:
    process = start(tmp_path, PORT="eighty")
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    assert "PORT is 'eighty'" in output
    assert "0 to 65535" in output
    assert "Traceback" not in output
