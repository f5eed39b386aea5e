"""`make bench`: every promise about speed, beside a reference that is measured in the same run.

`python -m bench sending planning` runs some parts, `--quick` smaller sizes, `--tiny` just enough to see them run.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable

from bench import (
    anatomy,
    crash,
    distance,
    everyday,
    forecast,
    growth,
    ledger,
    making,
    planning,
    profiling,
    sending,
    ticks,
    waiting,
    worlds,
)
from bench.processes import hold_to_two_cores
from bench.sizes import FULL, QUICK, TINY, Sizes
from bench.table import Line, say, show

PARTS: dict[str, Callable[[Sizes], list[Line]]] = {
    "everyday": everyday.measure,
    "making": making.measure,
    "sending": sending.measure,
    "planning": planning.measure,
    "ticks": ticks.measure,
    "waiting": waiting.measure,
    "ledger": ledger.measure,
    "growth": growth.measure,
    "distance": distance.measure,
    "forecast": forecast.measure,
    "worlds": worlds.measure,
    "crash": crash.measure,
    "anatomy": anatomy.measure,
    "profiling": profiling.measure,
}
ONLY_BY_NAME = {"profiling"}
NOTES = [
    "A second is counted from the ledger's first acceptance to its last; proof run and planning come before and are "
    "in the seconds from queueing.",
    "Unsigned means: the worker without its job that makes keys. Signed with RSA: the database has an RSA key only.",
    "Processor time is user and system time of the workers from /proc; it stays the same when others use the machine.",
]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=", ".join(PARTS))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--tiny", action="store_true")
    asked = parser.parse_args()
    if unknown := set(asked.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    sizes = TINY if asked.tiny else QUICK if asked.quick else FULL
    # Asked to end, it cleans up behind itself: a database of a million readers is not left in a corner.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by a signal"))
    cores = hold_to_two_cores()
    for name in asked.parts or [name for name in PARTS if name not in ONLY_BY_NAME]:
        began, load = time.monotonic(), os.getloadavg()[0]
        lines = PARTS[name](sizes)
        took = time.monotonic() - began
        show(f"{name}: {cores} cores, load {load:.1f} when it began, took {took:,.0f} s", lines)
    say(NOTES)


if __name__ == "__main__":
    main()
