"""Readers, broadcasts and their rows, for the tests of this room."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from newsletter import addresses, clock
from newsletter.audience import actions as audience
from newsletter.audience.rules import Status
from newsletter.broadcasts import actions, jobs, queries, rules, running
from newsletter.broadcasts.models import Broadcast
from newsletter.broadcasts.rules import Text
from newsletter.database.engine import db, transaction
from newsletter.delivery.models import Delivery, Tally
from newsletter.delivery.rules import State

WORDS = Text("Your weekly stretch", "Ten calm minutes", "# Hello {{ subscriber.first_name or 'there' }}\n\nBreathe.")


def person(email: str, *tags: str, **fields: object) -> int:
    """A reader who confirmed just now."""
    with transaction() as session:
        found = audience.remember(session, addresses.parse(email), source="test", now=clock.now())
        found.status, found.marketing, found.confirmed_at = Status.CONFIRMED, True, clock.now()
        for name, value in fields.items():
            setattr(found, name, value)
        session.flush()
        for tag in tags:
            audience.add_tag(session, found.id, tag, clock.now())
        return found.id


def crowd(number: int) -> list[int]:
    """So many readers."""
    return [person(f"person{n}@example.org") for n in range(number)]


def queued(text: Text = WORDS, to: str = "all", minutes: int = 0) -> int:
    """A broadcast in the queue, due now or in some minutes."""
    with transaction() as session:
        draft = actions.write(session, text, by=None, now=clock.now())
        at = clock.now() + timedelta(minutes=minutes) if minutes else None
        actions.aim(session, draft.id, rules.audience(to), at)
        actions.queue(session, draft.id, clock.now())
        return draft.id


def run() -> int:
    """Start everything that is due, as the worker does; returns the number of turns."""
    turns = 0
    while jobs.start_due():
        turns += 1
    return turns


def pause(number: int) -> None:
    """As an operator does it."""
    with transaction() as session:
        assert running.pause(session, number, "Lunch.", clock.now())


def resume(number: int) -> None:
    """As an operator does it."""
    with transaction() as session:
        running.resume(session, number)


def rows(broadcast_id: int) -> dict[int, str]:
    """The state of each reader's email."""
    db.session.rollback()
    wanted = select(Delivery).where(Delivery.reason == f"broadcast:{broadcast_id}")
    return {
        row.subscriber_id: row.state for row in db.session.scalars(wanted.execution_options(populate_existing=True))
    }


def broadcast(broadcast_id: int) -> Broadcast:
    """The row as it is now."""
    db.session.rollback()
    return queries.find(db.session(), broadcast_id)


def answered(broadcast_id: int, **numbers: int) -> None:
    """Let the ledger have counted so many in each state, as it does while it sends."""
    with transaction() as session:
        for state, number in numbers.items():
            session.merge(Tally(batch=f"broadcast:{broadcast_id}", state=State(state), count=number))
