"""Ten times as many recipients, and ten times more: the time for one email and the worker's memory stay the same."""

from __future__ import annotations

import math
import time
from contextlib import ExitStack
from dataclasses import dataclass

from bench import letter, postfix
from bench.place import Place, scratch, sqlite
from bench.postfix import Sink
from bench.processes import peak_memory, processor_seconds, wait_for
from bench.sending import broadcast
from bench.sizes import Sizes
from bench.table import Line

FLAT = 0.15
MOST_MEMORY = 150.0  # MB
SAME_MEMORY = 1.1
LONGEST_START = 1800.0  # seconds for proof run and plan


@dataclass(frozen=True)
class Grown:
    """What one email cost in a broadcast of this size."""

    emails: int
    wall: float  # microseconds
    processor: float  # microseconds
    memory: float  # MB
    start: float  # seconds from the queueing to the first acceptance
    crew: int


def whole(emails: int) -> Grown:
    """A broadcast sent to its end."""
    with ExitStack() as stack:
        peer = stack.enter_context(postfix.sink(stack.enter_context(scratch())))
        place = stack.enter_context(sqlite(emails, {"SMTP_URL": peer.url}))
        sent = broadcast(place, peer, emails)
    return Grown(emails, 1e6 / sent.rate, sent.processor, sent.memory, sent.planned, sent.crew)


def piece(sizes: Sizes, emails: int) -> Grown:
    """Some seconds of a broadcast, from soon after it began, when the most emails wait."""
    with ExitStack() as stack:
        peer = stack.enter_context(postfix.sink(stack.enter_context(scratch())))
        place = stack.enter_context(sqlite(emails, {"SMTP_URL": peer.url}))
        return _slice(place, peer, emails, sizes.piece)


def _slice(place: Place, peer: Sink, emails: int, seconds: float) -> Grown:
    crew = place.workers
    with place.working(crew) as workers:
        place.run("broadcast", str(letter.write(place.folder)), "--to", "all")
        began = time.monotonic()
        wait_for("the first email", lambda: peer.count() > 0, LONGEST_START)
        start = time.monotonic() - began
        time.sleep(min(5.0, seconds / 4))
        count, spent, clock = peer.count(), sum(processor_seconds(one.pid) for one in workers), time.monotonic()
        time.sleep(seconds)
        count, spent = peer.count() - count, sum(processor_seconds(one.pid) for one in workers) - spent
        took = time.monotonic() - clock
        memory = max(peak_memory(one.pid) for one in workers)
    if not count:
        raise SystemExit("nothing was sent in the slice: the broadcast was through before it began")
    return Grown(emails, took / count * 1e6, spent / count * 1e6, memory, start, crew)


def _spread(costs: list[float]) -> float:
    # A few emails cost less than a tick of the processor's clock, so nothing.
    return max(costs) / min(costs) - 1 if min(costs) else math.inf


def measure(sizes: Sizes) -> list[Line]:
    """Time for one email over the sizes, and memory at the usual and the largest."""
    runs = [whole(emails) for emails in sizes.growing[:-1]]
    runs.append(piece(sizes, sizes.growing[-1]))
    usual = whole(sizes.broadcast)
    words = "; ".join(
        f"{run.emails:,}: {run.wall:.0f} µs each ({run.processor:.0f} µs of processor), first after {run.start:.1f} s"
        for run in runs
    )
    spread, cost = _spread([run.wall for run in runs]), _spread([run.processor for run in runs])
    hungriest, ratio = runs[-1].memory, runs[-1].memory / usual.memory
    return [
        Line(
            "time for one email as recipients grow (signed twice)",
            words,
            f"of the last, a slice of {sizes.piece:.0f} s",
            f"within {spread:.0%} (processor {cost:.0%})",
            f"within {FLAT:.0%}",
            spread <= FLAT,
        ),
        Line(
            f"peak memory of the worker, {usual.emails:,} and {sizes.growing[-1]:,} planned",
            f"{usual.memory:.0f} MB and {hungriest:.0f} MB",
            "VmHWM of the hungriest of " + f"{usual.crew}",
            f"{ratio:.2f} ×",
            f"≤ {MOST_MEMORY:.0f} MB, the same",
            max(hungriest, usual.memory) <= MOST_MEMORY and ratio <= SAME_MEMORY,
        ),
    ]
