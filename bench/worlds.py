"""The forecast's promise in thousands of invented worlds: thirty days foreseen, then really lived, equal row by row."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
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

FIRST = 1_000  # the suite proves those before
PIECE = 25  # worlds a process lives through before it hands back what it found


def measure(sizes: Sizes) -> list[Line]:
    """As many processes as there are cores; the promise is that no row differs."""
    began = time.perf_counter()
    seeds = range(FIRST, FIRST + sizes.worlds)
    pieces = [seeds[start : start + PIECE] for start in range(0, len(seeds), PIECE)]
    emails = turns = 0
    failed: list[str] = []
    with scratch() as folder:
        template = _template(folder)
        with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn"), initializer=_be_quiet) as crew:
            for found in crew.map(_live, pieces, [template] * len(pieces)):
                emails, turns, failed = emails + found[0], turns + found[1], failed + found[2]
    for words in failed[:3]:
        print(words)
    took = time.perf_counter() - began
    words = f"{emails:,} emails, {turns:,} turns of the worker, {took:,.0f} s"
    work = f"{sizes.worlds:,} worlds of 30 days, forecast and lived"
    return [Line(work, f"{len(failed)} differ", words, "", "0", not failed)]


def _template(folder: Path) -> Path:
    app = create_app(environment(folder))
    with app.app_context():
        upgrade()
        db.engine.dispose()
    return folder / "supple.db"


def _be_quiet() -> None:
    """A worker's log of a million emails helps nobody here."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))


def _live(seeds: Sequence[int], template: Path) -> tuple[int, int, list[str]]:
    emails, turns = 0, 0
    failed: list[str] = []
    with scratch() as folder, house(folder, template) as empty:
        _be_quiet()
        for seed in seeds:
            empty()
            shown = prove(seed)
            emails, turns = emails + len(shown.lived.emails), turns + shown.lived.turns
            if shown.differences:
                failed.append(str(shown))
    return emails, turns, failed
