"""One turn of the planner."""

from __future__ import annotations

from newsletter import clock
from newsletter.accounts import queries as accounts
from newsletter.database.engine import db, transaction
from newsletter.sequences import actions, entering, openings, pauses, pausing, planning

# Readers per commit: planning one costs a quarter of a millisecond, letting one join two to three, so that no other
# writer waits longer than about half a second.
CHUNK = 200


def enter_due() -> int:
    """Let people join by what just happened with them and by dates that have come; returns how much there was.

    May be killed at any moment and run any number of times at once: nobody joins twice for one thing.
    """
    reading = db.session()
    if not openings.anything_new(reading, clock.now(), accounts.studio(reading).timezone):
        return 0
    done = 0
    for step in (entering.take_in, entering.join_by_date, entering.read_dates):
        with transaction() as session:
            done += step(session, clock.now(), CHUNK)
    return done


def work_off_pauses() -> int:
    """Hold the next readers of a new pause, or let the next ones of one that is over go on; returns how many."""
    if not pauses.anything_left(db.session()):
        return 0
    with transaction() as session:
        return pausing.go_on(session, clock.now())


def plan_due() -> int:
    """Let readers whose email has ended go on, then plan what is due; returns how many were handled, 0 for none.

    May be killed at any moment and run any number of times at once: the ledger takes each step of a reader only once.
    """
    with transaction() as session:
        handled = actions.follow_zone(session, clock.now(), CHUNK) + planning.settle(session, clock.now(), CHUNK)
    with transaction() as session:
        return handled + planning.plan_due(session, clock.now(), CHUNK)
