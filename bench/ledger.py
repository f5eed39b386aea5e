"""What the ledger costs: rows a second for each step, and the bytes of a row with its indexes."""

from __future__ import annotations

import time
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

from sqlalchemy import text

from bench.place import Place, postgresql, sqlite
from bench.planning import plan
from bench.sizes import Sizes
from bench.table import Line
from newsletter import clock
from newsletter.database.engine import db, transaction
from newsletter.delivery import handover
from newsletter.delivery.rules import Lane, Reply

BATCH = 500  # rows of one claim, as busy workers take them
TABLES = ("deliveries", "delivery_attempts")
READERS = ("subscribers",)
YES = Reply(250, text="2.0.0 Ok: queued")
STEPS = ("claim", "begin sending", "record the answer")


def _take_through(readers: int) -> tuple[dict[str, float], dict[str, float]]:
    """Claim, mark and record everything in batches; seconds, and seconds of this process, by step."""
    wall, mine = dict.fromkeys(STEPS, 0.0), dict.fromkeys(STEPS, 0.0)
    later = clock.now() + timedelta(days=2)
    done = 0
    while done < readers:
        ids: list[int] = []
        for step in STEPS:
            start, spent = time.perf_counter(), time.process_time()
            with transaction() as session:
                if step == "claim":
                    ids = [one.id for one in handover.claim_due(session, "bench", later, BATCH, Lane.BULK)]
                elif step == "begin sending":
                    handover.begin_sending(session, ids, "bench")
                else:
                    answers = [(one, YES) for one in ids]
                    subjects = dict.fromkeys(ids, "Reader, your letter of the month")
                    handover.record(session, answers, relay="relay.example.org:25", subjects=subjects, now=later)
            wall[step] += time.perf_counter() - start
            mine[step] += time.process_time() - spent
        if not ids:
            raise SystemExit(f"only {done:,} of {readers:,} could be claimed")
        done += len(ids)
    return wall, mine


def _sizes(place: Place, of: tuple[str, ...] = TABLES) -> dict[str, int]:
    """Bytes of each of these tables and of its indexes."""
    with db.engine.connect() as connection:
        if place.url.startswith("sqlite"):
            found = connection.execute(text("SELECT name, sum(pgsize) FROM dbstat GROUP BY name"))
            names = {name: int(size) for name, size in found}
            index = text("SELECT name, tbl_name FROM sqlite_schema WHERE type = 'index'")
            tables = {name: table for name, table in connection.execute(index)}  # noqa: C416 - rows are no pairs
            sizes = {name: names[name] for name in of}
            return sizes | {name: names[name] for name, table in tables.items() if table in of and name in names}
        wanted = text(
            "SELECT relname, pg_relation_size(oid) FROM pg_class WHERE relname = ANY(:names) OR oid IN "
            "(SELECT indexrelid FROM pg_index WHERE indrelid::regclass::text = ANY(:names))"
        )
        return {name: int(size) for name, size in connection.execute(wanted, {"names": list(of)})}


def _written(place: Place) -> int:
    """Bytes of write-ahead log so far: PostgreSQL's own count; on SQLite what this process gave to the disk."""
    if place.url.startswith("sqlite"):
        fields = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
        return int(fields["wchar"])
    with db.engine.connect() as connection:
        return int(connection.scalar(text("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')")) or 0)


def _one(name: str, place: Place, readers: int) -> list[Line]:
    with place.application():
        log, start = _written(place), time.perf_counter()
        with transaction() as session:
            planned = plan(session, "broadcast:999999")
        took, plan_log = time.perf_counter() - start, _written(place) - log
        assert planned == readers, planned
        people, waiting, log = _sizes(place, READERS), _sizes(place), _written(place)
        wall, mine = _take_through(readers)
        log, behind = _written(place) - log, _sizes(place)
    lines = [
        Line(
            f"{name}: plan {readers:,} rows",
            f"{readers / took:,.0f} rows a second",
            f"{plan_log / readers:,.0f} B of log each",
        )
    ]
    for step in STEPS:
        each = (
            f"{wall[step] / readers * 1e6:.1f} µs each, {mine[step] / readers * 1e6:.1f} µs of the worker's processor"
        )
        lines.append(Line(f"{name}: {step}, {BATCH} at a time", f"{readers / wall[step]:,.0f} rows a second", each))
    lines.append(Line(f"{name}: log written from claim to record", f"{log / readers:,.0f} B an email"))
    for state, sizes in (("reader", people), ("planned email", waiting), ("accepted email", behind)):
        words = ", ".join(f"{table} {size / readers:.0f}" for table, size in sorted(sizes.items()) if size > readers)
        lines.append(Line(f"{name}: bytes for one {state}", f"{sum(sizes.values()) / readers:.0f} B", words))
    return lines


def measure(sizes: Sizes) -> list[Line]:
    """On both databases."""
    lines: list[Line] = []
    for name, opened in (("SQLite", sqlite), ("PostgreSQL", postgresql)):
        with ExitStack() as stack:
            lines += _one(name, stack.enter_context(opened(sizes.ledger)), sizes.ledger)
    return lines
