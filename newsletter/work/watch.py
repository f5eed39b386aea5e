"""A worker's eye on the clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from threading import Lock

from flask import current_app

from newsletter import clock
from newsletter.work import rules


class Watch:
    """Notices when the clock jumps; `on_jump` is called with how far, before anybody else gets an answer."""

    def __init__(self, on_jump: Callable[[timedelta], None]) -> None:
        self.on_jump = on_jump
        self._lock = Lock()
        self._wall, self._steady = clock.now(), time.monotonic()

    def look(self) -> None:
        """Compare with the last look; a jump that could not be written down is found again by the next one."""
        with self._lock:
            wall, steady = clock.now(), time.monotonic()
            jump = rules.clock_jump(wall - self._wall, timedelta(seconds=steady - self._steady))
            if jump is not None:
                self.on_jump(jump)
            self._wall, self._steady = wall, steady


def look() -> None:
    """Have this worker's eye look now; a command that works only once has none."""
    watch: Watch | None = current_app.extensions.get("watch")
    if watch is not None:
        watch.look()
