"""The worker: takes turns of all due work, woken by the queue or run once by hand."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from newsletter import clock
from newsletter.broadcasts import jobs as broadcasts
from newsletter.database.engine import db, transaction
from newsletter.delivery import jobs as delivery
from newsletter.magnets import jobs as magnets
from newsletter.sequences import jobs as sequences
from newsletter.signup import jobs as signup
from newsletter.work import heartbeats
from newsletter.work.queue import call_for_help, queue, stopping

log = structlog.get_logger()

# In the order of one turn: what is planned early in a turn is sent at its end. Each returns how much it did.
JOBS: tuple[Callable[[], int], ...] = (
    delivery.recover,
    delivery.make_keys,
    signup.take_spooled,
    sequences.plan_due,
    broadcasts.start_due,
    signup.remind_due,
    signup.purge_due,
    delivery.send_due,
    broadcasts.watch_over,  # after sending: what was just refused may have been one too many
    delivery.send_trials,
    signup.note_confirmations,
    magnets.press_due,  # last: pressing a page takes seconds, and no visitor's email should wait for it
)

# A visitor waits for the confirmation: an idle worker looks into the queue this often (seconds).
GLANCE = 0.25

failed: set[str] = set()  # jobs that failed in this process, for `--once` to say so


def take_turn() -> int:
    """Do what is due until nothing is, or until the worker is asked to stop; returns how many things were done."""
    done = 0
    while not stopping():
        with transaction() as session:
            heartbeats.beat(session, heartbeats.worker_name(), clock.now())
        did = sum(_run(job) for job in JOBS)
        done += did
        if not did:
            break
    return done


def _run(job: Callable[[], int]) -> int:
    try:
        return job()
    except Exception:
        # One job's trouble must not keep the others from their work; this one is tried again next turn.
        name = f"{job.__module__}.{job.__name__}"
        failed.add(name)
        log.exception("a job failed", job=name)
        return 0
    finally:
        db.session.remove()


def run() -> None:
    """Work until a signal: TERM and INT let the running turn finish its batch."""
    consumer = queue().huey.create_consumer(
        workers=1,
        initial_delay=0.05,
        max_delay=GLANCE,
        graceful_signal="TERM",
        check_worker_health=True,
    )
    queue().stop_flag = consumer.stop_flag
    call_for_help()  # what became due while nobody worked is not left until the next minute
    log.info("worker started", worker=heartbeats.worker_name())
    consumer.run()
