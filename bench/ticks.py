"""A tick of the planner costs those who are due and not those who wait: few active readers against many."""

from __future__ import annotations

import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from bench.place import Place, postgresql, scratch, sqlite
from bench.sizes import Sizes
from bench.table import Line, at_most
from newsletter import clock
from newsletter.database.engine import db, transaction
from newsletter.sequences import jobs
from newsletter.sequences.series import load_series

DUE = 1_000
ROUNDS = 5
STEPS = {
    "01-first.md": "key: first\nsubject: One\ndelay: 1 day",
    "02-second.md": "key: second\nsubject: Two\ndelay: 2 days\nwindow: 07:00-09:00\ndays: mon-fri",
    "03-third.md": "key: third\nsubject: Three\ndelay: 2 days",
}
# Everybody is active and waits: the first step lies behind them, the second some days ahead.
ENROLL = text(
    """
INSERT INTO enrollments (sequence_id, subscriber_id, round, state, source, enrolled_at, waits_since, last_sent_at,
                         last_step_id, next_step_id, next_due_at, ended_why, held_why)
SELECT :series, id, 1, 'active', 'bench', :joined, :sent, :sent, :first, :second, :due, '', '' FROM subscribers
"""
)
WAKE = text("UPDATE enrollments SET next_due_at = :due WHERE id > :low AND id <= :high")
SENT = text(
    "UPDATE deliveries SET state = 'accepted', accepted_at = :now, ended_at = :now WHERE state = 'planned' "
    "AND reason LIKE 'step:%'"
)


def _enroll_everybody(now: datetime) -> None:
    with scratch() as outer, transaction() as session:
        folder = outer / "measured"
        folder.mkdir()
        (folder / "series.yaml").write_text("name: Measured\n")
        for name, front in STEPS.items():
            (folder / name).write_text(f"---\n{front}\n---\nSome words.\n")
        series = load_series(session, folder, now).id
        steps = session.execute(text("SELECT id FROM steps ORDER BY position")).scalars().all()
        given = {"series": series, "first": steps[0], "second": steps[1]}
        moments = {"joined": now - timedelta(days=4), "sent": now - timedelta(days=3), "due": now + timedelta(days=5)}
        session.execute(ENROLL, given | {name: _stored(moment) for name, moment in moments.items()})
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))


def _stored(moment: datetime) -> object:
    """A moment as a statement of our own has to write it."""
    return moment if db.engine.dialect.name == "postgresql" else moment.strftime("%Y-%m-%d %H:%M:%S.%f")


def _turn() -> float:
    """Seconds until the planner has nothing to do."""
    start = time.perf_counter()
    while jobs.enter_due() + jobs.plan_due():
        pass
    return time.perf_counter() - start


def _ticks(place: Place, readers: int, due: int) -> tuple[float, float, float]:
    """The best seconds of a tick that hands `due` emails to the ledger, of one that sees them sent, and of none."""
    # A Wednesday, inside the window: what is due goes now.
    now = datetime(2026, 3, 4, 8, 0, tzinfo=UTC)
    plans, settles, idle = [], [], []
    with place.application(), clock.standing_at(now):
        _enroll_everybody(now)
        _round(now, 0, 1)  # so that every statement has been composed once
        for low in range(1, readers, due)[: min(ROUNDS, (readers - 1) // due)]:
            plan, settle = _round(now, low, low + due)
            plans.append(plan)
            settles.append(settle)
            idle.append(_turn())
    return min(plans), min(settles), min(idle)


def _round(now: datetime, low: int, high: int) -> tuple[float, float]:
    with transaction() as session:
        session.execute(WAKE, {"due": _stored(now), "low": low, "high": high})
    plan = _turn()
    with transaction() as session:
        sent = session.connection().execute(SENT, {"now": _stored(now)}).rowcount
    assert sent == high - low, f"{sent} emails were planned, not {high - low}"
    return plan, _turn()


def measure(sizes: Sizes) -> list[Line]:
    """On both databases."""
    many = sizes.large
    few = max(many // 100, 10)
    due = min(DUE, few // 2)
    lines = []
    for name, opened in (("SQLite", sqlite), ("PostgreSQL", postgresql)):
        found = []
        for readers in (few, many):
            with ExitStack() as stack:
                found.append(_ticks(stack.enter_context(opened(readers)), readers, due))
        for at, work in enumerate(("emails planned", "emails seen sent")):
            lines.append(
                Line(
                    f"a tick of {due:,} {work}, {many:,} active, {name}",
                    f"{found[1][at]:.3f} s",
                    f"with {few:,} active: {found[0][at]:.3f} s; nothing due: {found[1][2] * 1000:.1f} ms",
                    *at_most(found[1][at] / found[0][at], 3.0),
                )
            )
    return lines
