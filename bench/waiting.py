"""A visitor signs up while a huge broadcast goes out: how long until the confirmation is with the mail server."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections import deque
from contextlib import ExitStack
from http.cookiejar import CookieJar

from bench import letter
from bench.peer import Peer, peer
from bench.place import ROOT, Place, scratch, sqlite
from bench.processes import PATIENCE, free_port, started, wait_for
from bench.sizes import Sizes
from bench.table import Line

PROMISE = 2.0  # seconds, for 99 of 100
TIME_TRAP = 2.1  # a form must be older than a second, and its stamp counts whole seconds
WATCHED = "visitor-"
PRESSED, PAPERS = "SELECT count(*) FROM magnet_versions", 2
LONGEST_START = 1800.0  # seconds for proof run and plan


class Visitor:
    """Somebody with a browser and a network of their own."""

    def __init__(self, site: str, number: int) -> None:
        self.site, self.address = site, f"{WATCHED}{number}@example{number % 20}.org"
        self.browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        self.browser.addheaders = [("X-Forwarded-For", f"10.{number // 250}.{number % 250}.1")]
        with self.browser.open(site, timeout=PATIENCE) as answer:
            form = answer.read().decode()
        found = {name: re.search(rf'name="{name}" value="([^"]*)', form) for name in ("stamp", "csrf_token")}
        self.fields = {name: match[1] if match else "" for name, match in found.items()}
        self.ready_at = time.monotonic() + TIME_TRAP

    def press(self) -> float:
        """Sign up; the moment of the press."""
        values = {"email": self.address, "page": self.site, **self.fields}
        start = time.monotonic()
        self.browser.open(f"{self.site}/signup/stretches", urllib.parse.urlencode(values).encode(), PATIENCE).close()
        return start


def presses(site: str, first: int, number: int, pause: float) -> dict[str, float]:
    """So many sign-ups, one every `pause` seconds: address to the moment of the press."""
    pressed, waiting = {}, deque[Visitor]()
    for turn in range(first, first + number):
        waiting.append(Visitor(site, turn))
        time.sleep(pause)
        while waiting and waiting[0].ready_at <= time.monotonic():
            visitor = waiting.popleft()
            pressed[visitor.address] = visitor.press()
    for visitor in waiting:
        time.sleep(max(0.0, visitor.ready_at - time.monotonic()))
        pressed[visitor.address] = visitor.press()
    return pressed


def measure(sizes: Sizes) -> list[Line]:
    """During proof run and planning, and while it is being sent."""
    with ExitStack() as stack:
        folder = stack.enter_context(scratch())
        mail = stack.enter_context(peer(folder, watch=WATCHED, pipelining=True))
        port = free_port()
        more = {"SMTP_URL": mail.url, "TRUSTED_PROXIES": "1", "PORT": str(port)}
        place = stack.enter_context(sqlite(sizes.large, more | {"BASE_URL": f"http://127.0.0.1:{port}"}))
        process = stack.enter_context(started([sys.executable, "app.py"], folder / "app.txt", place.environ, cwd=ROOT))
        site = place.environ["BASE_URL"]
        wait_for("the site is well", lambda: _is_well(site, process), PATIENCE * 2)
        # Pressing the first gift keeps workers busy for seconds; that is another visitor's story (see everyday).
        wait_for("the gift is pressed", lambda: place.number(PRESSED) >= PAPERS, LONGEST_START)
        waits = {"quiet": _waits(mail, presses(site, 0, max(2, sizes.signups // 6), sizes.pause))}
        place.run("broadcast", str(letter.write(place.folder)), "--to", "all")
        proving: dict[str, float] = {}
        number = 1000
        while mail.totals()[0] <= len(waits["quiet"]) + len(proving) and len(proving) < sizes.signups:
            proving |= presses(site, number, 1, 0)
            number += 1
        waits["proof and plan"] = _waits(mail, proving)
        wait_for("the broadcast is under way", lambda: _bulk(mail) > 100, LONGEST_START)
        before, clock = mail.totals()[0], time.monotonic()
        waits["sending"] = _waits(mail, presses(site, 2000, sizes.signups, sizes.pause))
        rate = (mail.totals()[0] - before) / (time.monotonic() - clock)
        _check(place, sizes)
        process.send_signal(signal.SIGTERM)
    return [_line(name, sorted(found), rate, sizes) for name, found in waits.items() if found]


def _line(name: str, waits: list[float], rate: float, sizes: Sizes) -> Line:
    worst = waits[max(0, -(-len(waits) * 99 // 100) - 1)]
    ours = f"p99 {worst:.2f} s, median {waits[len(waits) // 2]:.2f} s, longest {waits[-1]:.2f} s of {len(waits)}"
    if name == "quiet":
        return Line("sign-up: POST to end of data, nothing else to do", ours)
    beside = f"meanwhile {rate:,.0f} emails a second" if name == "sending" else ""
    work = f"the same while a broadcast to {sizes.large:,} runs: {name}"
    return Line(work, ours, beside, "", f"p99 ≤ {PROMISE:.0f} s", worst <= PROMISE)


def _waits(mail: Peer, pressed: dict[str, float]) -> list[float]:
    """From each press until the mail server had the whole confirmation."""
    wait_for("all confirmations", lambda: mail.arrivals().keys() >= pressed.keys(), PATIENCE * 2)
    arrivals = mail.arrivals()
    return [arrivals[address][0] - moment for address, moment in pressed.items()]


def _bulk(mail: Peer) -> int:
    return mail.totals()[0] - len(mail.arrivals())


def _check(place: Place, sizes: Sizes) -> None:
    left = place.number("SELECT count(*) FROM deliveries WHERE state = 'planned' AND reason LIKE 'broadcast:%'")
    if not left and sizes.large > 100_000:
        raise SystemExit("the broadcast was through before the last sign-up, so it was no load")


def _is_well(site: str, process: subprocess.Popen[bytes]) -> bool:
    if process.poll() is not None:
        raise SystemExit("python app.py ended by itself")
    try:
        with urllib.request.urlopen(f"{site}/healthz", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
