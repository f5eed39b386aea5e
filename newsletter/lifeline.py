"""The lifeline of a process that another started: it ends when the other does, however that ended."""

from __future__ import annotations

import ctypes
import os
import select
import signal
import threading
import time

# A worker finishes the batch it is sending; a mail server that stalls must not hold a shutdown for longer (seconds).
GRACE = 20
# The supervisor's process id, for those it starts; not a setting.
SUPERVISOR = "SUPPLE_SUPERVISOR"
DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG, prctl(2)
_system = ctypes.CDLL(None)


def die_with(parent: int, how: signal.Signals = signal.SIGTERM) -> None:
    """Have the kernel send this process `how` when its parent, which is `parent`, is killed outright."""
    _system.prctl(DEATH_SIGNAL, how)
    if os.getppid() != parent:  # it was killed before the line above: nobody will tell
        os._exit(1)


def live_with_supervisor() -> None:
    """Where a supervisor started this process, end when it does.

    The kernel's signal reaches only its own children, and a web server hit by it in its first second leaves the
    process behind that answers requests; so each of them watches the supervisor itself.
    """
    if not (named := os.environ.get(SUPERVISOR, "")).isdigit():
        return
    try:
        watched = os.pidfd_open(int(named))
    except OSError as problem:
        raise SystemExit("The process that started this one has ended.") from problem
    threading.Thread(target=_end_after, args=(watched,), name="supervisor", daemon=True).start()


def _end_after(watched: int) -> None:
    poller = select.poll()
    poller.register(watched, select.POLLIN)
    poller.poll()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os._exit(1)
