"""`python -m bench.worker`: a `flask worker` with something changed that only a benchmark wants changed.

--unsigned takes away the job that makes signing keys, so that emails leave unsigned.
--profile FILE writes where the time of the working thread went.
"""

from __future__ import annotations

import argparse
import cProfile
import threading
import time
from collections.abc import Callable

from newsletter import backstage, worker
from newsletter.delivery import jobs


def main() -> None:
    """Work until a signal."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--unsigned", action="store_true")
    parser.add_argument("--profile", default="")
    asked = parser.parse_args()
    if asked.unsigned:
        worker.JOBS = tuple(job for job in worker.JOBS if job is not jobs.make_keys)
    app = backstage.create()
    profiles: list[cProfile.Profile] = []
    if asked.profile:
        worker.take_turn = _profiled(worker.take_turn, profiles)
    with app.app_context():
        worker.run()
    if profiles:
        profiles[0].dump_stats(asked.profile)


def _profiled(turn: Callable[[], int], profiles: list[cProfile.Profile]) -> Callable[[], int]:
    seats = threading.local()  # a profile belongs to one thread; the worker's turns are all in one

    def profiled() -> int:
        if not hasattr(seats, "profile"):
            # The thread's own processor time: waiting for the network or the disk is no work.
            seats.profile = cProfile.Profile(time.thread_time)
            profiles.append(seats.profile)
        return int(seats.profile.runcall(turn))

    return profiled


if __name__ == "__main__":
    main()
