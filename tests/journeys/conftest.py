"""A started server (`python app.py`), a real SMTP peer, and a real browser."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from aiosmtpd.controller import Controller
from flask import Flask
from playwright.sync_api import Browser, Page, sync_playwright
from werkzeug.serving import make_server

from newsletter import clock
from newsletter.accounts import actions as accounts
from newsletter.database.engine import transaction

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
AXE = (HERE / "vendor" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
CHROMIUM = "/usr/bin/chromium"
PHONE, SMALL, DESK = (
    {"width": 390, "height": 844},
    {"width": 320, "height": 640},
    {"width": 1280, "height": 900},
)
# A started process and a browser on a busy two-core machine; when all is quiet these take one or two seconds.
PATIENCE = 90
PASSWORD = "long enough to be hard to guess"
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass
class Peer:
    """A mail server that takes everything and keeps it, as (recipient, content), oldest first."""

    received: list[tuple[str, bytes]] = field(default_factory=list)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        """Take one email."""
        self.received += [(recipient, envelope.content) for recipient in envelope.rcpt_tos]
        return "250 2.0.0 taken"

    def emails(self, to: str) -> list[EmailMessage]:
        """What a person got so far."""
        return [message_from_bytes(raw, policy=policy.default) for who, raw in self.received if who == to]

    def wait_for(self, to: str, count: int) -> EmailMessage:
        """Wait until a person has so many emails, and return the last of those."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            if len(self.emails(to)) >= count:
                return self.emails(to)[count - 1]
            time.sleep(0.1)
        raise AssertionError(f"{to} has {len(self.emails(to))} emails, not {count}")


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Server:
    """A running Supple: `python app.py` and what it printed."""

    url: str
    environ: dict[str, str]
    process: subprocess.Popen[str]
    peer: Peer
    printed: str

    def flask(self, *arguments: str, input_text: str = "") -> str:
        """Run a flask command with the server's settings."""
        done = subprocess.run(
            [sys.executable, "-m", "flask", *arguments],
            cwd=ROOT,
            env=self.environ,
            input=input_text,
            text=True,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def _postgres(url: str) -> str:
    """A database of its own in the running PostgreSQL."""
    name = f"journey_{os.getpid()}_{time.monotonic_ns()}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return re.sub(r"/postgres(?=\?|$)", f"/{name}", url)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Supple as its user starts it, on each database, with a mail server beside it."""
    peer = Peer()
    mail = Controller(peer, hostname="127.0.0.1", port=free_port())
    mail.start()
    environ = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    environ |= {
        "DATA_DIR": str(tmp_path_factory.mktemp("data")),
        "PORT": str(free_port()),
        "SMTP_URL": f"smtp://127.0.0.1:{mail.port}?starttls=never",
        "POSTAL_ADDRESS": "1 Example Street, Exampletown",
    }
    if request.param == "postgresql":
        environ["DATABASE_URL"] = _postgres(request.getfixturevalue("postgres_url"))
    output = Path(environ["DATA_DIR"]) / "output.txt"
    with output.open("w", encoding="utf-8") as printed:
        process = subprocess.Popen(
            [sys.executable, "app.py"], cwd=ROOT, env=environ, stdout=printed, stderr=printed, text=True
        )
    url = f"http://127.0.0.1:{environ['PORT']}"
    try:
        _wait_until_well(url, process, output)
        yield Server(url, environ, process, peer, output.read_text(encoding="utf-8"))
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0, output.read_text(encoding="utf-8")
        mail.stop()


def _wait_until_well(url: str, process: subprocess.Popen[str], output: Path) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        assert process.poll() is None, output.read_text(encoding="utf-8")
        try:
            with urllib.request.urlopen(f"{url}/healthz", timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("not well in time: " + output.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    if not Path(CHROMIUM).exists():
        pytest.fail("Chromium is missing: as root, apt-get install chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield chromium
        chromium.close()


@dataclass
class Person:
    """Someone at a browser, who also listens for requests that leave the site and for errors in its console."""

    page: Page
    url: str
    strays: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(PATIENCE * 1000)
        self.page.on("request", self._listen)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self._hear)

    def _hear(self, line: Any) -> None:
        # The tests of several hosts make network devices beside us, and then the browser asks for a file again.
        if line.type == "error" and "ERR_NETWORK_CHANGED" not in line.text:
            self.errors.append(line.text)

    def _listen(self, request: Any) -> None:
        if not request.url.startswith((self.url, "data:", "about:", "blob:")):
            self.strays.append(request.url)

    def go(self, path: str) -> None:
        """Open a page of the site."""
        self.page.goto(path if path.startswith("http") else self.url + path)
        self.check()

    def press(self, name: str) -> None:
        """Press a button by its words, wait for the page that follows, and look at it."""
        self.page.get_by_role("button", name=name).first.click()
        self.page.wait_for_load_state()
        self.check()

    def check(self) -> None:
        """The page is fit for everybody: axe finds nothing serious, nothing sticks out, nothing is loaded elsewhere."""
        self.page.evaluate(AXE + "; undefined")
        found = self.page.evaluate("axe.run({resultTypes: ['violations']})")
        serious = [
            f"{one['id']}: {one['nodes'][0]['html']} {one['nodes'][0]['failureSummary']}"
            for one in found["violations"]
            if one["impact"] in {"serious", "critical"}
        ]
        assert not serious, f"{self.page.url}: {serious}"
        wide = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{self.page.url} is {wide} px too wide"
        assert not self.strays
        assert not self.errors, self.errors


def link_in(email: EmailMessage, kind: str) -> str:
    """The first link of that kind in an email's text part."""
    part = email.get_body(("plain",))
    assert part is not None
    found = re.search(rf"https?://[^\s<>]+/{kind}/[\w-]+", part.get_content())
    assert found, part.get_content()
    return found[0]


def _whole(wsgi: WSGIApplication) -> WSGIApplication:
    """Answers that are read before they are sent: Werkzeug's server leaves a file open whose browser went away."""

    def serve(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        answer = wsgi(environ, start_response)
        try:
            return [b"".join(answer)]
        finally:
            if hasattr(answer, "close"):
                answer.close()

    return serve


def sign_in(page: Page, site: str) -> None:
    """The coach signs in."""
    page.goto(f"{site}/admin/sign-in")
    page.get_by_label("Email address").fill("coach@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_selector(".office-nav", state="attached")


@pytest.fixture
def site(sqlite_app: Flask) -> Iterator[str]:
    """The application on a port of its own."""
    with transaction() as session:
        accounts.create_operator(session, "coach@example.org", PASSWORD, clock.now())
    server = make_server("127.0.0.1", 0, _whole(sqlite_app), threaded=True)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    serving.join()
