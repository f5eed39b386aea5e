"""What a visitor waits for, what one email costs to make, and how long pressing the gift takes."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable

from weasyprint import HTML

from bench import server
from bench.sizes import Sizes
from bench.table import Line
from newsletter.figures import drawing
from newsletter.magnets import press, sheet
from newsletter.magnets.rules import Paper


def seconds(work: Callable[[], object], rounds: int) -> float:
    """The median time of `work`."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def _beside(work: str, measured: float, reference: str, beside: float) -> Line:
    return Line(
        work, f"{measured * 1000:,.0f} ms", f"{reference}: {beside * 1000:,.1f} ms", f"{measured / beside:.1f} ×"
    )


def gift(presses: int) -> Line:
    """The one-page PDF: fitted, tagged, exactly one page."""
    starter = sheet.starter()
    imprint = press.Imprint(
        name="Your Studio",
        url="http://127.0.0.1:8000",
        postal_address="",
        signature="",
        video="http://127.0.0.1:8000/video",
    )
    for item in starter.items:
        drawing.svg(item.figure)  # drawn once per process, so it is not part of either time
    bare = seconds(lambda: HTML(string="<p>" + "word " * 300).write_pdf(), presses)
    made = seconds(lambda: press.press(starter, imprint, Paper.A4), presses)
    return _beside("press the gift, A4", made, "WeasyPrint, one page of plain words", bare)


def visitor(visits: int) -> list[Line]:
    """From the press of the button to the confirmation in the mailbox, on a started server."""
    with tempfile.TemporaryDirectory() as folder, server.running(folder) as (site, started):
        health = seconds(lambda: site.get("/healthz"), 50)
        waits = [site.sign_up(f"reader{number}@example.org") for number in range(visits)]
        posts, arrivals = (statistics.median(times) for times in zip(*waits, strict=True))
    return [
        Line("start until /healthz answers, empty database", f"{started:.1f} s"),
        _beside("sign-up: POST until the answer", posts, "GET /healthz", health),
        _beside("sign-up: POST until in the mailbox", arrivals, "GET /healthz", health),
    ]


def measure(sizes: Sizes) -> list[Line]:
    """All of them."""
    return [*visitor(sizes.visits), gift(sizes.presses)]
