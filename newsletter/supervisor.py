"""`python app.py`: makes everything ready, starts web and workers, keeps them running, and ends them together."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import FrameType

from flask import Flask
from flask_migrate import upgrade
from rich.console import Console

from newsletter import cli, clock, lifeline
from newsletter.accounts import queries as accounts
from newsletter.database.engine import db, transaction
from newsletter.delivery import relay_rows
from newsletter.errors import SuppleError
from newsletter.settings import Settings, current
from newsletter.starter import actions as starter

# Requests wait for the database, rarely for the processor; threads share one interpreter and one cache of pages.
WEB_THREADS = 4
# A process that ends with an exit code this soon after its first start would do so again (seconds).
EARLY = 10
# One killed more often than this within the span (seconds) is not helped by starting it again.
MOST_DEATHS, SPAN = 5, 300

console = Console()


def make_ready() -> None:
    """Bring the database up to date and, when it is empty, load the starter content; the worker presses its gift."""
    upgrade()
    with transaction() as session:
        starter.load_if_empty(session, clock.now())


def run(app: Flask) -> int:
    """Start web and workers, print where everything is, and keep them running until a signal comes."""
    with app.app_context():
        try:
            make_ready()
        except SuppleError as problem:
            explain(problem)
            return 1
        settings = current()
        _print_welcome(settings)
        db.engine.dispose()
    workers = [Child(f"worker {number}", cli.WORKER) for number in range(1, settings.workers + 1)]
    return _keep_running([Child("web", _web_command(settings)), *workers])


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
    into_mailbox = relay_rows.into_mailbox(db.session())
    db.session.remove()
    lines = {"Landing page": f"{settings.base_url}/"}
    # A one-time link: whoever opens it first becomes the operator, so it is shown here and nowhere else.
    lines |= {"First operator": setup} if setup else {"Back office": f"{settings.base_url}/admin/"}
    if into_mailbox:
        lines["Mailbox"] = f"{settings.base_url}/mailbox"
    for name, url in lines.items():
        console.print(f"  [bold]{name:<15}[/bold]{url}", soft_wrap=True, highlight=False)


@dataclass
class Child:
    """A process that is kept running; `deaths` are the moments (monotonic) it ended by itself, the latest last."""

    name: str
    command: list[str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0
    start_at: float | None = 0  # when to start it (again); None while it runs
    deaths: list[float] = field(default_factory=list)

    def start(self, now: float) -> None:
        """Run it, in a session of its own: Ctrl-C in the terminal reaches only us, and we end all in order."""
        parent = os.getpid()
        self.started, self.start_at = now, None
        self.process = subprocess.Popen(  # noqa: S603
            self.command,
            start_new_session=True,
            preexec_fn=lambda: lifeline.die_with(parent),
            env={**os.environ, lifeline.SUPERVISOR: str(parent)},
        )

    def kill(self) -> None:
        """End it and all it started: a web server can leave its own child behind."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def pause_before_restart(deaths: Sequence[float], lived: float, code: int) -> float | None:
    """Seconds until a process that ended is started again; None: it would only end again, so everything stops.

    `deaths` are the moments it ended, this one included, in seconds; `lived` is for how many it ran; `code` is its exit
    code, negative for a signal. Killed for memory it is worth another start; a taken port is not.
    """
    if len(deaths) == 1 and code >= 0 and lived < EARLY:
        return None
    recent = [at for at in deaths if deaths[-1] - at <= SPAN]
    return None if len(recent) > MOST_DEATHS else float(2 ** (len(recent) - 1) - 1)


def _keep_running(children: Sequence[Child]) -> int:
    ended = threading.Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        ended.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    try:
        while all(_look_after(child, time.monotonic()) for child in children):
            if ended.wait(0.2):
                return 0
        return 1
    finally:
        _end(children)


def _look_after(child: Child, now: float) -> bool:
    """Start it when that is due; False when it ended and another start would be no use."""
    if child.start_at is not None:
        if child.start_at <= now:
            child.start(now)
        return True
    code = child.process.poll() if child.process else None
    if code is None:
        return True
    child.kill()
    child.deaths.append(now)
    pause = pause_before_restart(child.deaths, now - child.started, code)
    how = f"was killed by signal {-code}" if code < 0 else f"ended by itself with exit code {code}"
    if pause is None:
        console.print(f"[red]The {child.name} process {how}; stopping the rest.[/red]")
        return False
    console.print(f"[yellow]The {child.name} process {how}; starting it again.[/yellow]")
    child.start_at = now + pause
    return True


def _end(children: Sequence[Child]) -> None:
    processes = [child.process for child in children if child.process is not None]
    for process in processes:
        if process.poll() is None:
            process.terminate()
    until = time.monotonic() + lifeline.GRACE
    for process in processes:
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(0.1, until - time.monotonic()))
    for child in children:
        child.kill()


def explain(problem: SuppleError) -> None:
    """Tell the person at the terminal what is wrong, in three lines."""
    console.print(f"[bold red]{problem.happened}[/bold red]")
    for line in (problem.means, problem.remedy):
        if line:
            console.print(line)
