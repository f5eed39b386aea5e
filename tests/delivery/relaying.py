"""Making a relay, and asking it for emails, in tests."""

from __future__ import annotations

from datetime import datetime

from newsletter.database.engine import transaction
from newsletter.delivery import routing
from newsletter.delivery.models import Relay
from newsletter.delivery.relay_rules import Source
from newsletter.delivery.routing import Draw
from newsletter.delivery.rules import Lane

NOW = datetime.fromisoformat("2026-03-04T09:30:00+00:00")


def relay(name: str = "mx.example.org:587", **more: object) -> int:
    """A relay of the back office; its number."""
    host, _, port = name.partition(":")
    known = {"connections": 4} | more
    row = Relay(name=name, source=Source.OPERATOR, host=host, port=int(port or 25), created_at=NOW, **known)
    with transaction() as session:
        session.add(row)
        session.flush()
        return row.id


def draw(relay_id: int, wanted: int, now: datetime = NOW, worker: str = "one", lane: Lane = Lane.TRANSACTIONAL) -> Draw:
    with transaction() as session:
        return routing.draw(session, relay_id, worker, wanted, now, lane=lane)
