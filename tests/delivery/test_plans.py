"""What a worker asks goes along indexes of what waits or is under way, however many emails are behind it."""

from __future__ import annotations

from typing import Any

from flask import Flask
from sqlalchemy import event

from newsletter.database.engine import db, transaction
from newsletter.delivery import actions, handover
from newsletter.delivery.rules import Lane, Reply
from tests.people import NOW


def test_no_statement_of_sending_walks_through_the_ledger(sqlite_app: Flask) -> None:
    said: list[tuple[str, Any]] = []

    def listen(_connection: object, _cursor: object, statement: str, given: Any, _context: object, many: bool) -> None:
        if not many:
            said.append((statement, given))

    event.listen(db.engine, "before_cursor_execute", listen)
    with transaction() as session:
        handover.is_due(session, Lane.BULK, NOW)
        handover.claim_due(session, "me", NOW, 100, Lane.BULK)
        handover.begin_sending(session, [1, 2], "me")
        told = [(1, Reply(250, "2.0.0", "taken"))]
        handover.record(session, told, relay="mx", subjects={1: "Hello"}, now=NOW)
        handover.keep(session, "me", NOW)
        handover.pick_up(session, "me", NOW)
        handover.give_back(session, [1], "me", "stopped", NOW)
        handover.recover(session, NOW)
        actions.unpark(session, NOW, limit=100)
        actions.cancel_batch(session, "broadcast:1", "called off", NOW, limit=100)
    event.remove(db.engine, "before_cursor_execute", listen)
    asked = [(text, given) for text, given in said if "deliveries" in text]
    assert len(asked) >= 10
    for text, given in asked:
        with db.engine.connect() as connection:
            plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", given)]
        assert "SCAN deliveries" not in plan, text
