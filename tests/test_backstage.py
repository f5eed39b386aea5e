"""A worker's process carries what it needs to send, and nothing that only pages and commands need."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from flask import Flask

from tests.house import PACKAGE, ROOT

PAGES_ONLY = {"alembic", "flask_migrate", "weasyprint", "pypdfium2", "flask_wtf", "newsletter.cli", "newsletter.doctor"}
CHANGED = "import newsletter.backstage, sys; print(*sys.modules)"


@pytest.fixture(scope="module")
def carried() -> set[str]:
    """The modules of a process that has built a worker."""
    command = [sys.executable, "-c", CHANGED]
    return set(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split())


def test_a_worker_carries_nothing_that_only_pages_and_commands_need(carried: set[str]) -> None:
    """Each of them takes some MB, and a machine runs several workers."""
    assert carried & PAGES_ONLY == set()


def test_a_worker_knows_the_rows_of_every_room(carried: set[str]) -> None:
    """A table that another one names has to be there, or the first statement about it fails."""
    rooms = {f"newsletter.{models.parent.name}.models" for models in PACKAGE.glob("*/models.py")}
    assert rooms - carried == set()


def test_the_front_door_for_workers_lets_in_nothing_else() -> None:
    done = subprocess.run([sys.executable, "-m", "newsletter"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "flask --help" in done.stderr


def test_nonsense_in_a_setting_is_said_in_words() -> None:
    environ = {"PATH": os.environ["PATH"], "PORT": "many"}
    command = [sys.executable, "-m", "newsletter", "worker"]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True)
    assert done.returncode == 2
    assert "PORT" in done.stderr
    assert "Traceback" not in done.stderr


def test_flask_worker_is_the_same_worker_from_any_folder(sqlite_app: Flask, tmp_path: Path) -> None:
    """The command becomes the lean process, under the number it was started with, and TERM ends it in order."""
    settings = sqlite_app.extensions["settings"]
    environ = {"PATH": os.environ["PATH"], "DATA_DIR": str(tmp_path), "SECRET_KEY": settings.secret_key}
    environ |= {"DATABASE_URL": settings.database_url, "BASE_URL": settings.base_url}
    command = [sys.executable, "-m", "flask", "--app", str(ROOT / "app.py"), "worker"]
    log = tmp_path / "log.txt"
    with log.open("wb") as written:
        process = subprocess.Popen(command, cwd=tmp_path, env=environ, stdout=written, stderr=written)
    try:
        until = time.monotonic() + 60
        while b"worker started" not in log.read_bytes() and time.monotonic() < until:
            assert process.poll() is None, log.read_text()
            time.sleep(0.1)
        assert psutil.Process(process.pid).cmdline()[1:] == ["-m", "newsletter", "worker"]
    finally:
        process.send_signal(signal.SIGTERM)
        ended = process.wait(timeout=30)
    assert ended == 0, log.read_text()
