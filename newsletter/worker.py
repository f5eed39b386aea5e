"""The worker: takes turns of all due work, woken by the queue or run once by hand."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from datetime import timedelta
from threading import Event, Thread

import structlog
from flask import Flask, current_app

from newsletter import clock
from newsletter.broadcasts import jobs as broadcasts
from newsletter.database.engine import db, transaction
from newsletter.delivery import actions as ledger
from newsletter.delivery import jobs as delivery
from newsletter.delivery import queries as ledger_queries
from newsletter.delivery.rules import Lane
from newsletter.errors import SuppleError
from newsletter.forecast import jobs as forecast
from newsletter.magnets import jobs as magnets
from newsletter.sequences import jobs as sequences
from newsletter.signup import jobs as signup
from newsletter.work import heartbeats, watch
from newsletter.work import rules as work_rules
from newsletter.work.queue import call_for_help, queue, stopping

log = structlog.get_logger()

# In the order of one turn: what is planned early in a turn is sent at its end. Each returns how much it did.
JOBS: tuple[Callable[[], int], ...] = (
    delivery.recover,
    delivery.make_keys,
    signup.take_spooled,
    sequences.enter_due,  # before planning: whoever joins now gets what goes at once in this turn
    sequences.work_off_pauses,
    sequences.plan_due,
    broadcasts.start_due,
    signup.remind_due,
    signup.purge_due,
    delivery.send_due,
    broadcasts.watch_over,  # after sending: what was just refused may have been one too many
    delivery.send_trials,
    signup.note_confirmations,
    magnets.press_due,  # last: pressing a page takes seconds, and no visitor's email should wait for it
    forecast.refresh,
)
# A worker that runs on leaves these to a thread beside it.
SLOW = frozenset({magnets.press_due, forecast.refresh})

# A visitor waits for the confirmation: an idle worker looks into the queue this often (seconds).
GLANCE = 0.25

# A worker with nothing to do looks at the clock this often: all of them notice a jump before an operator says "Go on",
# and none holds everything up once more long after (seconds).
LOOK = 10
PAUSE = 0.5  # seconds before the slow jobs look what is due
# So many new objects before rubbish is looked for; a batch of emails makes some ten thousand that go by themselves.
GARBAGE = 20_000

failed: set[str] = set()  # jobs that failed in this process, for `--once` to say so


def take_turn() -> int:
    """Do what is due until nothing is, or until the worker is asked to stop; returns how many things were done."""
    done = 0
    beside: Event | None = current_app.extensions.get("beside")
    while not stopping():
        watch.look()
        if beside is not None:
            beside.set()
        with transaction() as session:
            heartbeats.beat(session, heartbeats.worker_name(), clock.now())
        did = sum(_run(job) for job in JOBS if not (beside and job in SLOW))
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
    current_app.extensions |= {"watch": watch.Watch(stop_for_jump), "beside": Event()}
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    Thread(target=_look_out, args=(app, consumer.stop_flag), name="watch", daemon=True).start()
    Thread(target=_work_beside, args=(app, current_app.extensions["beside"]), name="beside", daemon=True).start()
    call_for_help()  # what became due while nobody worked is not left until the next minute
    # What is loaded now stays. Looked through for rubbish again and again it took a tenth of a worker's time.
    gc.freeze()
    gc.set_threshold(GARBAGE, 20, 20)
    log.info("worker started", worker=heartbeats.worker_name())
    consumer.run()


def stop_for_jump(jump: timedelta) -> None:
    """Send nothing late without asking (semantics 3.20): series and emails to many wait for an operator's "Go on"."""
    why, now = work_rules.jump_words(jump), clock.now()
    log.error("the clock jumped", seconds=round(jump.total_seconds()))
    with transaction() as session:
        held = {hold.what for hold in ledger_queries.holds(session)}
        for lane in (Lane.SEQUENCE, Lane.BULK):
            if (what := f"lane:{int(lane)}") not in held:
                ledger.hold(session, what, f"{why} What came due meanwhile would go out late, so it waits.", now)


def _look_out(app: Flask, stop: Event) -> None:
    while not stop.wait(LOOK):
        with app.app_context():
            try:
                watch.look()
            except SuppleError:  # the database is away; the next look finds the same jump
                log.warning("a jump of the clock could not be written down")


def _work_beside(app: Flask, wanted: Event) -> None:
    """The slow jobs, looked at with each turn; when the worker stops they stop, and where it dies they die with it."""
    while wanted.wait():
        time.sleep(PAUSE)  # many turns in a row ask once
        wanted.clear()
        with app.app_context():
            for job in SLOW:
                _run(job)
