"""A started Supple to measure, and a visitor without a browser."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 60  # seconds
TIME_TRAP = 2.1  # a form must be older than a second, and its stamp counts whole seconds


@dataclass
class Site:
    """The started server, seen by one visitor."""

    url: str
    browser: urllib.request.OpenerDirector

    def get(self, path: str) -> str:
        """The page at a path."""
        with self.browser.open(self.url + path, timeout=PATIENCE) as answer:
            return str(answer.read().decode())

    def sign_up(self, address: str) -> tuple[float, float]:
        """Seconds from the press of the button to the answer, and to the email in the mailbox."""
        form = self.get("/")
        fields = {name: re.search(rf'name="{name}" value="([^"]*)', form) for name in ("stamp", "csrf_token")}
        values = {name: found[1] if found else "" for name, found in fields.items()}
        time.sleep(TIME_TRAP)
        data = urllib.parse.urlencode({"email": address, "page": self.url, **values}).encode()
        start = time.perf_counter()
        self.browser.open(f"{self.url}/signup/stretches", data, timeout=PATIENCE).close()
        answered = time.perf_counter() - start
        while address not in self.get("/mailbox").partition("<main")[2]:
            if time.perf_counter() - start > PATIENCE:
                raise SystemExit(f"no email for {address}")
            time.sleep(0.02)
        return answered, time.perf_counter() - start


@contextmanager
def running(folder: str) -> Iterator[tuple[Site, float]]:
    """A started server on an empty database, and how many seconds it took until `/healthz` answered 200."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environ = {"PATH": os.environ["PATH"], "DATA_DIR": folder, "PORT": str(port)}
    start = time.perf_counter()
    with (Path(folder) / "output.txt").open("w") as output:
        process = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=environ, stdout=output, stderr=output)
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    site = Site(f"http://127.0.0.1:{port}", browser)
    try:
        yield site, _wait(site, start)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE)


def _wait(site: Site, start: float) -> float:
    while time.perf_counter() - start < PATIENCE:
        try:
            site.get("/healthz")
        except OSError:
            time.sleep(0.05)
        else:
            return time.perf_counter() - start
    raise SystemExit("the server did not start")
