"""`python app.py`: web and worker live and die together; nonsense in a setting refuses to start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psutil
import pytest

from tests.journeys.conftest import PATIENCE, ROOT, free_port


def start(tmp_path: Path, **more: str) -> subprocess.Popen[str]:
    """A started Supple in its own folder."""
    environ = {"PATH": os.environ["PATH"], "DATA_DIR": str(tmp_path), "PORT": str(free_port())} | more
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


def children(process: subprocess.Popen[str]) -> dict[str, psutil.Process]:
    """Web and worker, once both run."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        assert process.poll() is None, process.communicate()[0]
        found = {
            "web" if "granian" in words else "worker": child
            for child in psutil.Process(process.pid).children()
            if len(words := said(child)) > 3
        }
        if len(found) == 2:
            return found
        time.sleep(0.1)
    raise AssertionError("web and worker did not start")


@pytest.mark.parametrize("victim", ["web", "worker"])
def test_if_one_dies_the_other_is_not_left_alone(tmp_path: Path, victim: str) -> None:
    process = start(tmp_path)
    both = children(process)
    everyone = psutil.Process(process.pid).children(recursive=True)  # the web server has a child of its own
    both[victim].kill()
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert f"The {victim} process ended by itself" in output
    assert not psutil.wait_procs(everyone, timeout=5)[1]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_both_cleanly(tmp_path: Path, how: signal.Signals) -> None:
    process = start(tmp_path)
    both = children(process)
    process.send_signal(how)
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, output
    assert "Traceback" not in output
    assert not any(child.is_running() for child in both.values())


def test_killed_outright_it_takes_both_along(tmp_path: Path) -> None:
    process = start(tmp_path)
    both = children(process)
    _until_answered(next(line.split()[-1] for line in process.stdout or () if "Landing page" in line))
    process.kill()
    process.communicate(timeout=PATIENCE)
    gone, alive = psutil.wait_procs(list(both.values()), timeout=PATIENCE)
    assert not alive
    assert len(gone) == 2


def test_a_second_start_changes_nothing(tmp_path: Path) -> None:
    for _ in range(2):
        process = start(tmp_path)
        children(process)
        url = next(line.split()[-1] for line in process.stdout or () if "Landing page" in line)
        _until_answered(url)
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
