"""Planning a broadcast's recipients, against a bare INSERT … SELECT of the same columns, no index but the key.

In one statement, and as it is really done: in slices, each with its mark in a transaction of its own, so that nobody
who wants to write waits for all of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import Column, Index, MetaData, Table, UniqueConstraint, insert, literal, select
from sqlalchemy.orm import Session

from bench.place import Place, postgresql, sqlite
from bench.sizes import Sizes
from bench.table import Line, at_most
from newsletter import clock
from newsletter.broadcasts import jobs
from newsletter.broadcasts import queries as broadcasts
from newsletter.broadcasts.models import Broadcast
from newsletter.broadcasts.rules import BroadcastState, audience
from newsletter.broadcasts.running import PLANNED_AT_ONCE
from newsletter.database.engine import transaction
from newsletter.delivery import actions as delivery
from newsletter.delivery.models import Delivery
from newsletter.delivery.rules import Lane

REASON = "broadcast:999999"
ROUNDS = 3


@dataclass
class Times:
    """Seconds: of the ways to plan everybody, of each slice, and of the references."""

    one: list[float] = field(default_factory=list)
    sliced: list[float] = field(default_factory=list)
    slices: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    indexed: list[float] = field(default_factory=list)


def _copy_of_the_ledger(name: str, *, indexed: bool) -> Table:
    """A table with the ledger's columns and, if wanted, its unique pair and its indexes."""
    ledger = Delivery.__table__
    assert isinstance(ledger, Table)
    columns = [Column(one.name, one.type, primary_key=one.primary_key, nullable=one.nullable) for one in ledger.columns]
    table = Table(name, MetaData(), *columns)
    if indexed:
        table.append_constraint(UniqueConstraint("reason", "subscriber_id"))
        for index in ledger.indexes:
            where = {kind: index.dialect_options[kind]["where"] for kind in ("sqlite", "postgresql")}
            options = {f"{kind}_where": words for kind, words in where.items() if words is not None}
            Index(f"{index.name}_{name}", *(table.c[one.name] for one in index.columns), **options)
    return table


def _bare(session: Session, table: Table) -> None:
    now, chosen = clock.now(), broadcasts.recipients(audience("all")).subquery()
    row = session.execute(select(Delivery.__table__).limit(1)).mappings().one()
    values = {
        name: literal(value, table.c[name].type)
        for name, value in row.items()
        if name not in {"id", "subscriber_id"} and value is not None
    } | {"subscriber_id": chosen.c[0], "planned_at": literal(now, table.c.planned_at.type)}
    session.execute(insert(table).from_select(list(values), select(*values.values()).select_from(chosen)))


def plan(session: Session, reason: str) -> int:
    """Plan a broadcast to everybody for tomorrow; returns how many."""
    now = clock.now()
    everyone = broadcasts.recipients(audience("all"))
    far = now + timedelta(days=1)
    return delivery.plan_many(session, reason=reason, subscribers=everyone, lane=Lane.BULK, due_at=far, now=now)


def _seconds(work: Callable[[Session], object]) -> float:
    start = time.perf_counter()
    with transaction() as session:
        work(session)
    return time.perf_counter() - start


def _proved(session: Session) -> Broadcast:
    """A broadcast to everybody for tomorrow, of which nothing is left to do but to plan it."""
    now, through = clock.now(), broadcasts.highest_id(session)
    row = Broadcast(source="", subject="", state=BroadcastState.STARTING, through_id=through, proved_to=through)
    row.created_at, row.started_at, row.send_at = now, now, now + timedelta(days=1)
    session.add(row)
    session.flush()
    return row


def _in_slices(readers: int) -> list[float]:
    """Plan a broadcast as the worker does; the seconds of each of its turns, which a writer beside it may wait."""
    with transaction() as session:
        row = _proved(session)
    turns = []
    while True:
        start = time.perf_counter()
        if not jobs.start_due():
            break
        turns.append(time.perf_counter() - start)
    with transaction() as session:
        planned = broadcasts.tally_of(session, row.id).planned
    assert planned == readers, planned
    return turns


def _references(name: str, times: Times) -> None:
    for indexed, taken in ((False, times.bare), (True, times.indexed)):
        table = _copy_of_the_ledger(f"copy_{name}_{int(indexed)}", indexed=indexed)
        with transaction() as session:
            table.create(session.connection())
        taken.append(_seconds(lambda session, table=table: _bare(session, table)))


def _rounds(place: Place, readers: int) -> Times:
    """Each round over the rows of the rounds before it, as broadcasts follow each other."""
    times = Times()
    with place.application():
        for turn in range(ROUNDS):
            planned: list[int] = []
            times.one.append(
                _seconds(lambda session, turn=turn, planned=planned: planned.append(plan(session, f"{REASON}{turn}")))
            )
            assert planned == [readers], planned
            _references(str(turn), times)
            slices = _in_slices(readers)
            times.sliced.append(sum(slices))
            times.slices += slices
    return times


def measure(sizes: Sizes) -> list[Line]:
    """On both databases; the first is promised."""
    lines = []
    for name, opened in (("SQLite", sqlite), ("PostgreSQL", postgresql)):
        with ExitStack() as stack:
            place = stack.enter_context(opened(sizes.large))
            times = _rounds(place, sizes.large)
        bare, indexed = min(times.bare), min(times.indexed)
        words = f"bare INSERT … SELECT: {bare:.2f} s; with the ledger's unique pair and indexes: {indexed:.2f} s"
        slices = f"the same; longest slice {max(times.slices) * 1000:.0f} ms"
        lines += [
            Line(f"planning {sizes.large:,} recipients, {name}", *_against(times.one, words, bare)),
            Line(f"in slices of {PLANNED_AT_ONCE:,}, as the worker does", *_against(times.sliced, slices, bare)),
        ]
    return lines


def _against(seconds: list[float], words: str, bare: float) -> tuple[str, str, str, str, bool]:
    return f"{min(seconds):.2f} s", words, *at_most(min(seconds) / bare, 3.0)
