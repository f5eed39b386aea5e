"""Budgets hold whoever draws: several threads, several processes, on both databases (semantics 2.9)."""

from __future__ import annotations

import multiprocessing
from datetime import timedelta
from pathlib import Path

from flask import Flask

from newsletter.application import create_app
from newsletter.database.engine import db, transaction
from newsletter.delivery import relay_rows, routing
from newsletter.delivery import relay_rules as rules
from newsletter.delivery.models import Relay, RelayDay, RelaySlot
from newsletter.delivery.routing import Draw
from newsletter.delivery.rules import Reply
from tests.conftest import environment
from tests.delivery.relaying import NOW, draw, relay
from tests.threads import at_once


def test_connections_are_shared_by_the_workers_and_never_more_than_there_are(app: Flask) -> None:
    number, now = relay(connections=4), NOW
    assert draw(number, 100, now, "one").connections == 4
    assert draw(number, 100, now, "two") == Draw(0, 0, now + timedelta(seconds=1))
    assert draw(number, 100, now, "one").connections == 2
    assert draw(number, 100, now, "two").connections == 0, "the first holds four until it comes back"
    assert draw(number, 100, now, "one").connections == 2
    assert draw(number, 100, now, "two").connections == 2
    with transaction() as session:
        routing.release(session, number, "one")
    assert draw(number, 100, now, "two").connections == 4


def test_a_dead_workers_connections_are_free_when_its_lease_ends(app: Flask) -> None:
    number = relay(connections=2)
    draw(number, 100, NOW, "dead:1")
    assert draw(number, 100, NOW, "alive:2").connections == 0
    assert draw(number, 100, NOW + rules.SLOT_LEASE, "alive:2").connections == 2


def test_asking_for_nothing_keeps_the_connections(app: Flask) -> None:
    number = relay()
    assert draw(number, 0) == Draw(0, 0)
    draw(number, 100)
    later = NOW + rules.SLOT_LEASE / 2
    assert draw(number, 0, later).connections == 4
    assert draw(number, 100, NOW + rules.SLOT_LEASE, "two").connections == 0


def test_a_small_batch_takes_no_more_connections_than_it_has_emails(app: Flask) -> None:
    assert draw(relay(), 1) == Draw(1, 1)


def test_2_9_many_workers_never_draw_more_than_the_rate_and_the_day_allow(app: Flask) -> None:
    """The sum of all draws in t seconds is at most rate x t and one burst; also when all ask in the same moment."""
    number, seconds = relay(rate=50.0, connections=50), 3
    capped = relay("capped:25", daily_cap=333, connections=50)

    def work(worker: int) -> tuple[int, int]:
        total, day = 0, 0
        for turn in range(20):
            now = NOW + timedelta(seconds=seconds * turn / 19)
            with transaction() as session:
                total += routing.draw(session, number, f"worker {worker}", 7, now).emails
                day += routing.draw(session, capped, f"worker {worker}", 7, now).emails
        return total, day

    drawn = at_once(app, 6, work)
    assert sum(total for total, _ in drawn) <= 50 * seconds + 50
    assert sum(day for _, day in drawn) == 333


def test_2_9_many_workers_never_hold_more_connections_than_there_are(app: Flask) -> None:
    number = relay(connections=5)
    open_now: dict[int, int] = {}
    most = 0

    def work(worker: int) -> None:
        nonlocal most
        for turn in range(15):
            with transaction() as session:
                allowed = routing.draw(session, number, f"worker {worker}", 100, NOW).connections
            # What a worker was told it does at once: opens more, or closes those above it.
            open_now[worker] = allowed
            most = max(most, sum(open_now.values()))
            if turn == 10 and worker % 2:
                open_now[worker] = 0
                with transaction() as session:
                    routing.release(session, number, f"worker {worker}")
                return

    at_once(app, 4, work)
    assert 0 < most <= 5


def another_machine(url: str, folder: str, relay_id: int, name: str) -> int:
    """A process of its own that draws as long as there is something, and says how much it got in all."""
    app = create_app(environment(Path(folder), DATABASE_URL=url))
    total = 0
    with app.app_context():
        for turn in range(60):
            with transaction() as session:
                got = routing.draw(session, relay_id, name, 5, NOW + timedelta(milliseconds=50 * turn))
                back = got.emails // 3
                routing.unused(session, relay_id, back, NOW + timedelta(milliseconds=50 * turn))
            total += got.emails - back
        db.engine.dispose()
    return total


def test_2_9_budgets_hold_across_processes(app: Flask, database_url: str, tmp_path: Path) -> None:
    """Three machines share 40 emails a second and 100 a day; some of each draw comes back unused."""
    number = relay(rate=40.0, daily_cap=100, connections=9)
    tasks = [(database_url, str(tmp_path / f"machine {name}"), number, f"machine {name}") for name in range(3)]
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        drawn = pool.starmap(another_machine, tasks)
    assert sum(drawn) == 100, "all of the day was given out, and not one more"
    day = db.session.get_one(RelayDay, (number, relay_rows.today(NOW)))
    assert day.drawn == 100
    held = db.session.query(RelaySlot.held).all()
    assert sum(one for (one,) in held) <= 9
    assert db.session.get_one(Relay, number).next_at is not None


def test_workers_that_claim_and_workers_that_write_down_do_not_wait_in_a_circle(app: Flask) -> None:
    """In each other's order they take days, domains and the relay itself; a circle would end as Busy on PostgreSQL."""
    number = relay(rate=1e4, share=50, daily_cap=10**6, connections=50)
    domains, limited = ["a.example", "b.example", "c.example"], Reply(451, "4.7.0", "Too many")

    def work(worker: int) -> None:
        for turn in range(25):
            now = NOW + timedelta(minutes=turn)
            with transaction() as session:
                got = routing.draw(session, number, f"worker {worker}", 9, now)
                routing.pace(session, number, domains[:: 1 if worker % 2 else -1], now)
                routing.unused(session, number, got.emails // 2, now)
            with transaction() as session:
                routing.worked(session, number, 5, now)
                for domain in domains[:: -1 if worker % 2 else 1]:
                    routing.slow_down(session, number, domain, limited, now)
                routing.draw(session, number, f"worker {worker}", 0, now)

    at_once(app, 4, work)
    days = db.session.query(RelayDay.accepted).filter_by(relay_id=number).all()
    assert sum(accepted for (accepted,) in days) == 4 * 25 * 5
