"""What one email costs a worker, part by part: one process, one line, nothing beside it but the sink.

The sum is what a worker cannot be faster than, however well it shares a machine with others.
"""

from __future__ import annotations

import gc
import time
from collections import defaultdict
from contextlib import ExitStack
from typing import Any

from bench import letter
from bench.postfix import Sink
from bench.sending import ready
from bench.sizes import Sizes
from bench.table import Line as Row
from newsletter import worker
from newsletter.broadcasts import jobs as broadcasts
from newsletter.delivery import jobs
from newsletter.delivery.sending import Line

PARTS = {
    "fill": "claimed, and read what it is made of",
    "prepare": "made: filled in, put into its envelope",
    "turn_over": "marked as sending, written down, handed over",
    "look_after": "carried by the connections",
}
MOST = 20_000


def measure(sizes: Sizes) -> list[Row]:
    """The parts of sending a broadcast, unsigned, on SQLite, in processor time."""
    emails = min(sizes.broadcast, MOST)
    with ExitStack() as stack:
        place, peer = stack.enter_context(ready(sizes, stack, readers=emails))
        place.run("broadcast", str(letter.write(place.folder)), "--to", "all")
        stack.enter_context(place.application())
        while place.number("SELECT count(*) FROM deliveries") < emails:
            broadcasts.start_due()
        gc.collect()
        gc.freeze()
        gc.set_threshold(worker.GARBAGE, 20, 20)
        spent = _sent(peer, emails)
    whole = sum(spent.values())
    rows = [Row(f"an email is {words}", f"{spent[name] / emails * 1e6:.0f} µs") for name, words in PARTS.items()]
    rate = 1e6 / (whole / emails * 1e6)
    return [*rows, Row("all of it, in one process", f"{whole / emails * 1e6:.0f} µs", f"{rate:,.0f} a second and core")]


def _sent(peer: Sink, emails: int) -> defaultdict[str, float]:
    spent: defaultdict[str, float] = defaultdict(float)
    (line,) = jobs._lines().values()
    timed = {name: _timed(line, name, spent) for name in PARTS}
    while peer.count() < emails or line.flying:
        timed["fill"]()
        if line.wants_turn:
            timed["turn_over"]()
        timed["look_after"](0 if timed["prepare"]() else jobs.GLANCE)
    line.close()
    return spent


def _timed(line: Line, name: str, spent: defaultdict[str, float]) -> Any:
    method = getattr(line, name)

    def run(*given: object) -> object:
        began = time.thread_time()
        try:
            return method(*given)
        finally:
            spent[name] += time.thread_time() - began

    return run
