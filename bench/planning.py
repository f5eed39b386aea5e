"""Planning a broadcast's recipients, against a bare INSERT … SELECT of the same columns, no index but the key."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta

from sqlalchemy import Column, Index, MetaData, Table, UniqueConstraint, insert, literal, select
from sqlalchemy.orm import Session

from bench.place import Place, postgresql, sqlite
from bench.sizes import Sizes
from bench.table import Line, at_most
from newsletter import clock
from newsletter.broadcasts import queries as broadcasts
from newsletter.broadcasts.rules import audience
from newsletter.database.engine import transaction
from newsletter.delivery import actions as delivery
from newsletter.delivery.models import Delivery
from newsletter.delivery.rules import Lane

REASON = "broadcast:999999"
ROUNDS = 3


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


def _rounds(place: Place, readers: int) -> tuple[float, float, float]:
    """The best seconds of planning, of the bare statement, and of that with the ledger's indexes."""
    plans, bares, fulls = [], [], []
    with place.application():
        for turn in range(ROUNDS):
            planned: list[int] = []
            plans.append(
                _seconds(lambda session, turn=turn, planned=planned: planned.append(plan(session, f"{REASON}{turn}")))
            )
            assert planned == [readers], planned
            for indexed, times in ((False, bares), (True, fulls)):
                table = _copy_of_the_ledger(f"copy_{turn}_{int(indexed)}", indexed=indexed)
                with transaction() as session:
                    table.create(session.connection())
                times.append(_seconds(lambda session, table=table: _bare(session, table)))
    return min(plans), min(bares), min(fulls)


def measure(sizes: Sizes) -> list[Line]:
    """On both databases; the first is promised."""
    lines = []
    for name, opened in (("SQLite", sqlite), ("PostgreSQL", postgresql)):
        with ExitStack() as stack:
            place = stack.enter_context(opened(sizes.large))
            plan, bare, full = _rounds(place, sizes.large)
        words = f"bare INSERT … SELECT: {bare:.2f} s; with the ledger's unique pair and indexes: {full:.2f} s"
        lines.append(
            Line(f"planning {sizes.large:,} recipients, {name}", f"{plan:.2f} s", words, *at_most(plan / bare, 3.0))
        )
    return lines
