"""A process that has imported everything and forks workers and web servers: a start takes milliseconds, not seconds.

Started as `python -m tests.crash.zygote SPEED` with the settings in its environment. It reads orders from its
standard input, one a line (`worker`, `turn`, `web PORT`), and says `born PID`, and `died PID STATUS` once one ended.
"""

from __future__ import annotations

import ctypes
import gc
import os
import random
import select
import signal
import sys
import traceback
from collections.abc import Callable
from datetime import datetime

from flask import Flask
from werkzeug.serving import make_server

from newsletter import clock, worker
from newsletter.application import create_app

DEATH_SIGNAL = 1


def hurry(speed: float) -> None:
    """Let time pass faster: leases and pauses of minutes are over in seconds. Sockets and the queue keep real time."""
    real, begin = clock.now, clock.now()

    def now() -> datetime:
        return begin + (real() - begin) * speed

    clock.now = now


def _serve(app: Flask, port: int) -> None:
    app.config["WTF_CSRF_ENABLED"] = False  # has tests of its own
    make_server("127.0.0.1", port, app, threaded=True).serve_forever()


def _run(order: str, app: Flask) -> None:
    with app.app_context():
        if order == "worker":
            worker.run()
        elif order == "turn":
            worker.take_turn()
        else:
            _serve(app, int(order.split()[1]))


def fork(work: Callable[[], None]) -> int:
    """A child that does `work` and then ends."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        ctypes.CDLL(None).prctl(DEATH_SIGNAL, signal.SIGKILL)
        os.setsid()
        random.seed()  # otherwise all children would draw the same lots
        work()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _bury() -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        print("died", pid, status, flush=True)


def main(speed: float) -> None:
    """Fork as told, until the standard input ends."""
    app = create_app()
    hurry(speed)
    gc.freeze()
    print("ready", flush=True)
    while True:
        ready, _, _ = select.select([0], [], [], 0.01)
        _bury()
        if ready:
            order = os.read(0, 4096).decode()
            if not order:
                return
            for line in order.splitlines():
                print("born", fork(lambda line=line: _run(line, app)), flush=True)  # type: ignore[misc]


if __name__ == "__main__":
    main(float(sys.argv[1]))
