"""Running something several times at once, each time as its own request or worker would."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

from flask import Flask

from newsletter.database.engine import db

Result = TypeVar("Result")


def at_once(app: Flask, count: int, work: Callable[[int], Result]) -> list[Result]:
    """Call `work(number)` in `count` threads that start together, each with an application context of its own."""
    start = Barrier(count)

    def run(number: int) -> Result:
        with app.app_context():
            try:
                start.wait(timeout=10)
                return work(number)
            finally:
                db.session.remove()

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(run, range(count)))
