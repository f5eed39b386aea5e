"""`make bench`: what a visitor waits for, and what an email costs, beside a reference of the same run."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table
from weasyprint import HTML

from bench import server
from newsletter.delivery import dkim
from newsletter.figures import drawing
from newsletter.magnets import press, sheet
from newsletter.magnets.rules import Paper
from newsletter.messages import images, mime
from newsletter.messages.compiling import CompiledMessage, compile_message
from newsletter.messages.source import load
from newsletter.messages.studio import Studio

ROOT = Path(__file__).resolve().parent.parent
STUDIO = Studio(name="Your Studio", url="http://127.0.0.1:8000", postal_address="1 Example Street")
ROUNDS = 12


def seconds(work: Callable[[], object], rounds: int = 5) -> float:
    """The median time of `work`."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def _row(table: Table, work: str, measured: float, reference: str, beside: float) -> None:
    table.add_row(
        work, f"{measured * 1000:,.1f} ms", f"{reference}: {beside * 1000:,.1f} ms", f"{measured / beside:.1f} ×"
    )


def emails(table: Table) -> None:
    """One series email for one reader: filled in, built, signed."""
    source = load(ROOT / "emails" / "core-series" / "02-cactus-glides.md")
    compiled = compile_message(source, STUDIO, image=images.resolver(STUDIO.url), marketing=True)
    signers = [dkim.Signer("example.org", kind, key) for kind, key in dkim.new_keys().items()]
    links = {"unsubscribe": "http://127.0.0.1:8000/unsubscribe/x", "preferences": "http://127.0.0.1:8000/preferences/x"}
    context: dict[str, object] = {"subscriber": {"first_name": "Alice", "email": "alice@example.org"}, "links": links}
    now = datetime(2026, 3, 2, 7, tzinfo=UTC)
    rsa = seconds(lambda: signers[0]._sign(b"x"), 50)
    whole = seconds(lambda: dkim.signed(_built(compiled, context, now), signers, now), 50)
    table.add_row(
        "one email: fill in, build, sign twice",
        f"{whole * 1000:.2f} ms",
        "one RSA-2048 signature",
        f"{whole / rsa:.1f} ×",
    )


def _built(compiled: CompiledMessage, context: dict[str, object], now: datetime) -> bytes:
    envelope = mime.Envelope("<1@example.org>", now, ("Your Studio", "s@example.org"), ("Alice", "alice@example.org"))
    return mime.build(compiled.render(context), envelope)


def gift(table: Table) -> None:
    """The one-page PDF: fitted, tagged, exactly one page."""
    starter = sheet.starter()
    imprint = press.Imprint(
        name=STUDIO.name, url=STUDIO.url, postal_address="", signature="", video=f"{STUDIO.url}/video"
    )
    for item in starter.items:
        drawing.svg(item.figure)  # drawn once per process, so it is not part of either time
    bare = seconds(lambda: HTML(string="<p>" + "word " * 300).write_pdf(), 3)
    made = seconds(lambda: press.press(starter, imprint, Paper.A4), 3)
    _row(table, "press the gift, A4", made, "WeasyPrint, one page of plain words", bare)


def visitor(table: Table) -> None:
    """From the press of the button to the confirmation in the mailbox, on a started server."""
    with tempfile.TemporaryDirectory() as folder, server.running(folder) as (site, started):
        table.add_row("start until /healthz answers, empty database", f"{started:.1f} s", "", "")
        health = seconds(lambda: site.get("/healthz"), 50)
        waits = [site.sign_up(f"reader{number}@example.org") for number in range(ROUNDS)]
        posts, arrivals = (statistics.median(times) for times in zip(*waits, strict=True))
        table.add_row(
            "sign-up: POST until the answer", f"{posts * 1000:.0f} ms", "GET /healthz", f"{posts / health:.1f} ×"
        )
        table.add_row(
            "sign-up: POST until in the mailbox",
            f"{arrivals * 1000:.0f} ms",
            "GET /healthz",
            f"{arrivals / health:.1f} ×",
        )


def main() -> None:
    """Measure and print."""
    table = Table("work", "median", "reference", "ratio", title="Supple, on this machine, now")
    for measure in (visitor, gift, emails):
        measure(table)
    Console().print(table)


if __name__ == "__main__":
    main()
