"""One turn of the planner."""

from __future__ import annotations

from newsletter import clock
from newsletter.database.engine import transaction
from newsletter.sequences import actions

# Readers per commit, at two to three milliseconds each: no other writer waits longer than about half a second.
CHUNK = 200


def plan_due() -> int:
    """Let readers whose email has ended go on, then plan what is due; returns how many were handled, 0 for none.

    May be killed at any moment and run any number of times at once: the ledger takes each step of a reader only once.
    """
    with transaction() as session:
        handled = actions.settle(session, clock.now(), CHUNK)
    with transaction() as session:
        return handled + actions.plan_due(session, clock.now(), CHUNK)
