"""`python app.py`: makes everything ready, starts web and worker, and ends both together."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from types import FrameType

from flask import Flask
from flask_migrate import upgrade
from rich.console import Console

from newsletter import clock
from newsletter.accounts import queries as accounts
from newsletter.database.engine import db, transaction
from newsletter.errors import SuppleError
from newsletter.settings import Settings, current
from newsletter.starter import actions as starter

# Requests wait for the database, rarely for the processor; threads share one interpreter and one cache of pages.
WEB_THREADS = 4
# A worker finishes the batch it is sending; a mail server that stalls must not hold a shutdown for longer (seconds).
GRACE = 20
DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG, prctl(2)

console = Console()


def make_ready() -> None:
    """Bring the database up to date and, when it is empty, load the starter content; the worker presses its gift."""
    upgrade()
    with transaction() as session:
        starter.load_if_empty(session, clock.now())


def run(app: Flask) -> int:
    """Start web and worker, print where everything is, and stay until one ends or a signal comes."""
    with app.app_context():
        try:
            make_ready()
        except SuppleError as problem:
            explain(problem)
            return 1
        settings = current()
        _print_welcome(settings)
        db.engine.dispose()
    return _keep_together({"web": _web_command(settings), "worker": [sys.executable, "-m", "flask", "worker"]})


def _web_command(settings: Settings) -> list[str]:
    return [
        *(
            sys.executable,
            "-m",
            "granian",
            "--interface",
            "wsgi",
            "--host",
            settings.host,
            "--port",
            str(settings.port),
        ),
        *("--workers", "1", "--blocking-threads", str(WEB_THREADS), "--log-level", "warning", "--no-access-log"),
        "app:app",
    ]


def _print_welcome(settings: Settings) -> None:
    setup = accounts.setup_url(db.session())
    db.session.remove()
    lines = {"Landing page": f"{settings.base_url}/"}
    # A one-time link: whoever opens it first becomes the operator, so it is shown here and nowhere else.
    lines |= {"First operator": setup} if setup else {"Back office": f"{settings.base_url}/admin/"}
    if settings.smtp is None:
        lines["Mailbox"] = f"{settings.base_url}/mailbox"
    for name, url in lines.items():
        console.print(f"  [bold]{name:<15}[/bold]{url}", soft_wrap=True, highlight=False)


def _die_with_parent() -> None:
    # Should this process be killed outright, web and worker get a TERM from the kernel instead of living on alone.
    ctypes.CDLL(None).prctl(DEATH_SIGNAL, signal.SIGTERM)


def _keep_together(commands: Mapping[str, list[str]]) -> int:
    ended = threading.Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        ended.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    # Sessions of their own: Ctrl-C in the terminal reaches only us, and we end them in order.
    children = {
        name: subprocess.Popen(command, start_new_session=True, preexec_fn=_die_with_parent)  # noqa: S603
        for name, command in commands.items()
    }
    while not ended.wait(0.2):
        fallen = [name for name, child in children.items() if child.poll() is not None]
        if fallen:
            console.print(f"[red]The {fallen[0]} process ended by itself; stopping the rest.[/red]")
            _end(children)
            return 1
    _end(children)
    return 0


def _end(children: Mapping[str, subprocess.Popen[bytes]]) -> None:
    for child in children.values():
        if child.poll() is None:
            child.terminate()
    until = time.monotonic() + GRACE
    for child in children.values():
        with suppress(subprocess.TimeoutExpired):
            child.wait(max(0.1, until - time.monotonic()))
        # The whole group: a web server told to end while it is just starting can leave its own child behind.
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def explain(problem: SuppleError) -> None:
    """Tell the person at the terminal what is wrong, in three lines."""
    console.print(f"[bold red]{problem.happened}[/bold red]")
    for line in (problem.means, problem.remedy):
        if line:
            console.print(line)
