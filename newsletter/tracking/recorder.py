"""Clicks on their way into the database: noted at once, written a moment later and many together.

A redirect never waits for the database's one writer. While a broadcast goes out, that is the sender most of the time,
and everybody presses links then.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from multiprocessing.util import Finalize

import structlog

from newsletter.errors import Busy
from newsletter.tracking.rules import Seen

log = structlog.get_logger()

MOST_WAITING = 20_000  # 3 MB; when the database is away for longer than that takes, the oldest are let go
AT_ONCE = 500
GATHER = 0.2  # seconds; one commit for all clicks of that time
BUSY_PAUSE = 2.0

Write = Callable[[Sequence[Seen]], object]


class Recorder:
    """Takes clicks from any thread without ever waiting; a thread of its own hands them to `write`.

    What was noted less than a moment before the process is killed is lost: a figure, never an email.
    """

    def __init__(self, write: Write) -> None:
        self.waiting: deque[Seen] = deque(maxlen=MOST_WAITING)
        self._write = write
        self._noted = threading.Event()
        self._starting, self._writing = threading.Lock(), threading.Lock()
        self._thread: threading.Thread | None = None

    def note(self, seen: Seen) -> None:
        """Take in one click."""
        self.waiting.append(seen)
        self._noted.set()
        if self._thread is None:  # not before the first click: a process may fork until then
            with self._starting:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="clicks", daemon=True)
                    self._thread.start()
                    # Web processes are children of the multiprocessing kind, for which atexit does nothing.
                    Finalize(None, self.flush, exitpriority=1)

    def flush(self) -> bool:
        """Write all that waits; False when the database did not take it (and it still waits)."""
        with self._writing:
            while batch := [self.waiting.popleft() for _ in range(min(AT_ONCE, len(self.waiting)))]:
                try:
                    self._write(batch)
                except Busy:
                    self.waiting.extendleft(reversed(batch))
                    return False
                except Exception:
                    # These cannot be written at all; the next ones shall not wait behind them for ever.
                    log.exception("clicks were not counted", clicks=len(batch))
        return True

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            self._noted.wait()
            pause.wait(GATHER)
            self._noted.clear()
            if not self.flush():
                self._noted.set()
                pause.wait(BUSY_PAUSE)
