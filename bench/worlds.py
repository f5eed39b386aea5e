"""The forecast's promise in thousands of invented worlds: thirty days foreseen, then really lived, equal row by row.

A world is its seed: `python -m bench.worlds 10017` lives through that one again and says what differs and how it came
to be, `python -m bench.worlds 10000 200` through the two hundred from 10,000 on.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

import structlog
from flask_migrate import upgrade

from bench.place import scratch
from bench.sizes import Sizes
from bench.table import Line
from newsletter.application import create_app
from newsletter.database.engine import db
from tests.conftest import environment
from tests.worlds.proof import house, prove

FIRST = 10_000  # the suite proves the first ones
PIECE = 25  # worlds a process lives through before it hands back what it found


@dataclass
class Found:
    """What some worlds showed; `differ` has the words by the seeds of those that were not as foreseen."""

    worlds: int = 0
    emails: int = 0
    turns: int = 0
    differ: dict[int, str] = field(default_factory=dict)

    def add(self, more: Found) -> None:
        """Count more worlds in."""
        self.worlds, self.emails = self.worlds + more.worlds, self.emails + more.emails
        self.turns, self.differ = self.turns + more.turns, self.differ | more.differ


def measure(sizes: Sizes) -> list[Line]:
    """The promise is that no row differs."""
    began = time.perf_counter()
    found = live_through(range(FIRST, FIRST + sizes.worlds))
    for seed in sorted(found.differ)[:3]:
        print(found.differ[seed])
    seeds = ", ".join(map(str, sorted(found.differ)))
    words = f"{found.emails:,} emails, {found.turns:,} turns of the worker, {time.perf_counter() - began:,.0f} s"
    words += f"; seeds {seeds}" if seeds else ""
    work = f"{found.worlds:,} worlds of 30 days, forecast and lived"
    return [Line(work, f"{len(found.differ)} differ", words, "", "0", not found.differ)]


def live_through(seeds: Sequence[int]) -> Found:
    """In as many processes as there are cores for this one; says how far it is, and at once which seeds differ."""
    pieces = [seeds[start : start + PIECE] for start in range(0, len(seeds), PIECE)]
    total = Found()
    with scratch() as folder:
        template = _template(folder)
        cores = len(os.sched_getaffinity(0))
        with ProcessPoolExecutor(cores, mp_context=get_context("spawn"), initializer=_be_quiet) as crew:
            for done in as_completed([crew.submit(_live, piece, template) for piece in pieces]):
                total.add(done.result())
                differ = f", seeds {sorted(total.differ)}" if total.differ else ""
                print(f"{total.worlds:,} of {len(seeds):,} worlds, {len(total.differ)} differ{differ}", flush=True)
    return total


def _template(folder: Path) -> Path:
    app = create_app(environment(folder))
    with app.app_context():
        upgrade()
        db.engine.dispose()
    return folder / "supple.db"


def _be_quiet() -> None:
    """A worker's log of a million emails helps nobody here."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))


def _live(seeds: Sequence[int], template: Path) -> Found:
    found = Found()
    with scratch() as folder, house(folder, template) as empty:
        _be_quiet()
        for seed in seeds:
            empty()
            found.add(_live_one(seed))
    return found


def _live_one(seed: int) -> Found:
    try:
        shown = prove(seed)
    except Exception:  # whatever it is: without its seed nobody finds it again
        return Found(1, differ={seed: f"world {seed} could not be lived:\n{traceback.format_exc()}"})
    differ = {seed: str(shown)} if shown.differences else {}
    return Found(1, len(shown.lived.emails), shown.lived.turns, differ)


def main() -> None:
    """Live through the worlds from a seed on."""
    asked = argparse.ArgumentParser(description="Live through invented worlds again.")
    asked.add_argument("seed", type=int)
    asked.add_argument("worlds", type=int, nargs="?", default=1)
    wanted = asked.parse_args()
    found = live_through(range(wanted.seed, wanted.seed + wanted.worlds))
    for words in found.differ.values():
        print(words)
    sys.exit(bool(found.differ))


if __name__ == "__main__":
    main()
