"""The worker before the forecast begins: it looks in now and then, and may be stopped in the middle of a turn."""

from __future__ import annotations

from collections.abc import Callable

from newsletter import clock, worker
from newsletter.broadcasts.jobs import start_due
from newsletter.database.engine import db
from newsletter.delivery.jobs import send_due
from newsletter.sequences import jobs as sequences
from tests.worlds.world import World

PLANNING = (sequences.enter_due, sequences.plan_due, start_due)


def look_in(world: World) -> None:
    """Do what is due now, until nothing is."""
    with clock.standing_at(world.now):
        worker.take_turn()
    db.session.remove()
    assert not worker.failed, f"jobs failed: {worker.failed}"


def stop_after_planning(world: World) -> None:
    """Emails are planned and not sent; twice, because the first round only proves an email to many."""
    _only(world, PLANNING + PLANNING)


def stop_after_sending(world: World) -> None:
    """Emails are sent and nobody has gone on from there."""
    _only(world, (*PLANNING, send_due))


def _only(world: World, jobs: tuple[Callable[[], int], ...]) -> None:
    with clock.standing_at(world.now):
        for job in jobs:
            world.note(f"{world.now:%Y-%m-%d %H:%M:%S}", "only", job.__name__, job())
            db.session.remove()
