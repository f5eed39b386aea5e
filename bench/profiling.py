"""Where a worker's time goes while it sends: the costliest functions, in microseconds for one email.

The profiler itself makes everything slower, small functions most; the figures say what is large, not how large.
"""

from __future__ import annotations

import pstats
from contextlib import ExitStack
from pathlib import Path

from bench.sending import UNSIGNED, broadcast, ready
from bench.sizes import Sizes
from bench.table import Line

MOST = 45
SHOWN = 3  # of the path's end


def measure(sizes: Sizes, *, how: tuple[str, ...] = UNSIGNED) -> list[Line]:
    """One worker, unsigned, on SQLite: by their own time, and by the time with all they call."""
    with ExitStack() as stack, ready(sizes, stack) as (place, peer):
        written = place.folder / "profile"
        sent = broadcast(place, peer, sizes.broadcast, (*how, "--profile", str(written)), crew=1)
        found = pstats.Stats(str(written))
    lines = [Line(f"under the profiler, {sizes.broadcast:,} emails", sent.words)]
    for title, column in (("itself", 2), ("with all it calls", 3)):
        rows = sorted(found.stats.items(), key=lambda row: row[1][column], reverse=True)  # type: ignore[attr-defined]
        for (file, line, name), numbers in rows[:MOST]:
            where = "/".join(Path(file).parts[-SHOWN:])
            calls = f"{numbers[1] / sizes.broadcast:.2f} calls an email"
            cost = f"{numbers[column] / sizes.broadcast * 1e6:.1f} µs"
            lines.append(Line(f"{title}: {name} ({where}:{line})", cost, calls))
    return lines
