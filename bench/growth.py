"""Ten times as many recipients, and ten times more: the time for one email and the worker's memory stay the same.

A machine's own speed changes by more than what is looked for while a million emails go out. So a large broadcast is
sent in stretches, and before, between and after them stands the smallest one: a size is compared with its neighbours.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from statistics import fmean

from bench import letter, postfix
from bench.place import Place, scratch, sqlite
from bench.postfix import Sink
from bench.processes import peak_memory, processor_seconds, wait_for
from bench.sending import LOOK, UNSIGNED, Sent, broadcast
from bench.sizes import Sizes
from bench.table import Line

FLAT = 0.15
MOST_MEMORY = 150.0  # MB
SAME_MEMORY = 1.1
LONGEST_START = 1800.0  # seconds for proof run and plan


@dataclass(frozen=True)
class Stretch:
    """Some seconds of a large broadcast: how many emails, seconds by the clock and of the workers' processors, MB."""

    emails: int
    wall: float
    processor: float
    memory: float


@dataclass(frozen=True)
class Grown:
    """What one email of a large broadcast cost (microseconds), and one of the small ones around it."""

    emails: int
    wall: float
    processor: float
    small_wall: float
    small_processor: float
    memory: float  # MB
    parts: int

    @property
    def words(self) -> str:
        """The figures in a line."""
        small = f"{self.small_wall:.0f} µs ({self.small_processor:.0f}) for the small ones around it"
        return f"{self.emails:,}: {self.wall:.0f} µs ({self.processor:.0f} of processor), {small}"

    @property
    def spread(self) -> tuple[float, float]:
        """How far an email of both sizes is apart, by the clock and in processor time: 0.1 is a tenth."""
        return _apart(self.wall, self.small_wall), _apart(self.processor, self.small_processor)


def _apart(one: float, other: float) -> float:
    # A few emails cost less than a tick of the processor's clock, so nothing.
    return max(one, other) / min(one, other) - 1 if min(one, other) else math.inf


def _small(template: Place) -> Sent:
    with ExitStack() as stack, _connected(stack, template.copy(stack)) as (place, peer):
        return broadcast(place, peer, int(place.number("SELECT count(*) FROM subscribers")), UNSIGNED)


@contextmanager
def _connected(stack: ExitStack, place: Place) -> Iterator[tuple[Place, Sink]]:
    peer = stack.enter_context(postfix.sink(stack.enter_context(scratch())))
    yield replace(place, more=place.more | {"SMTP_URL": peer.url}), peer


def grown(template: Place, emails: int, seconds: float) -> Grown:
    """A broadcast sent to its end in stretches of so many seconds, with a small one around each."""
    smalls, stretches = [_small(template)], list[Stretch]()
    with ExitStack() as stack:
        place, peer = stack.enter_context(_connected(stack, stack.enter_context(sqlite(emails))))
        place.run("broadcast", str(letter.write(place.folder)), "--to", "all")
        while peer.count() < emails:
            stretches.append(_stretch(place, peer, emails, seconds))
            smalls.append(_small(template))
    count = sum(one.emails for one in stretches)
    if not count:
        raise SystemExit(f"{emails:,} emails went out before anybody could look: a larger broadcast is needed")
    return Grown(
        emails,
        sum(one.wall for one in stretches) / count * 1e6,
        sum(one.processor for one in stretches) / count * 1e6,
        fmean(1e6 / one.rate for one in smalls),
        fmean(one.processor for one in smalls),
        max(one.memory for one in stretches),
        len(stretches),
    )


def _stretch(place: Place, peer: Sink, emails: int, seconds: float) -> Stretch:
    before = peer.count()
    with place.working(place.workers, *UNSIGNED) as workers:

        def look() -> tuple[int, float, float]:
            return peer.count(), time.monotonic(), sum(processor_seconds(one.pid) for one in workers)

        wait_for("the first email", lambda: peer.count() > before, LONGEST_START)
        first, began, spent = look()
        last, ended, used = first, began, spent
        while last < emails and ended < began + seconds:
            time.sleep(LOOK)
            last, ended, used = look()
        memory = max(peak_memory(one.pid) for one in workers)
    return Stretch(last - first, ended - began, used - spent, memory)


def measure(sizes: Sizes) -> list[Line]:
    """Time for one email over the sizes, and memory at the usual and the largest."""
    smallest, *larger = sizes.growing
    with sqlite(smallest) as template:
        runs = [grown(template, emails, sizes.piece) for emails in larger]
    with sqlite(sizes.broadcast) as template:
        usual = _small(template)
    spread, cost = (max(apart) for apart in zip(*(run.spread for run in runs), strict=True))
    largest = runs[-1]
    ratio = largest.memory / usual.memory
    return [
        Line(
            "time for one email as recipients grow, unsigned",
            "; ".join(run.words for run in runs),
            f"broadcasts to {smallest:,}, {sum(run.parts + 1 for run in runs)} of them before, between and after",
            f"within {spread:.0%} (processor {cost:.0%})",
            f"within {FLAT:.0%}",
            spread <= FLAT,
        ),
        Line(
            f"peak memory of the worker, {usual.emails:,} and {largest.emails:,} planned",
            f"{usual.memory:.0f} MB and {largest.memory:.0f} MB",
            f"VmHWM of the hungriest of {usual.crew}",
            f"{ratio:.2f} ×",
            f"≤ {MOST_MEMORY:.0f} MB, the same",
            max(largest.memory, usual.memory) <= MOST_MEMORY and ratio <= SAME_MEMORY,
        ),
    ]
