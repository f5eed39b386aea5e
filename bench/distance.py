"""A mail server 30 ms away that takes one command at a time: many connections make up for it."""

from __future__ import annotations

import time
from contextlib import ExitStack

from sqlalchemy import select

from bench import letter
from bench.peer import Peer, peer
from bench.place import Place, scratch, sqlite
from bench.sending import accepted
from bench.sizes import Sizes
from bench.table import Line, at_least
from newsletter import clock
from newsletter.database.engine import transaction
from newsletter.delivery import routing
from newsletter.delivery.models import Relay

ROUND_TRIP = 0.030  # seconds
ROUND_TRIPS = 4  # MAIL, RCPT, DATA, end of data, on a connection that stays open


def measure(sizes: Sizes) -> list[Line]:
    """Emails a second, against what the round trips allow."""
    with ExitStack() as stack:
        far = stack.enter_context(peer(stack.enter_context(scratch()), delay=ROUND_TRIP))
        place = stack.enter_context(sqlite(sizes.distant, {"SMTP_URL": far.url}))
        allow(place, sizes.connections)
        rate, most = _broadcast(place, far, sizes)
    limit = sizes.connections / (ROUND_TRIPS * ROUND_TRIP)
    return [
        Line(
            f"relay {ROUND_TRIP * 1000:.0f} ms away, no pipelining, {sizes.connections} connections",
            f"{rate:,.0f} a second, over {most} connections",
            f"{sizes.connections} ÷ ({ROUND_TRIPS} × {ROUND_TRIP * 1000:.0f} ms): {limit:,.0f} a second",
            *at_least(rate / limit, 0.8),
        )
    ]


def allow(place: Place, connections: int) -> None:
    """Let the relay of SMTP_URL have so many connections, as an operator does on its page."""
    with place.application(), transaction() as session:
        routing.keep_in_step(session, clock.now())
        session.scalars(select(Relay)).one().connections = connections


def _broadcast(place: Place, far: Peer, sizes: Sizes) -> tuple[float, int]:
    """Emails a second of the middle nine tenths, and the most connections that were open at once."""
    moments: list[tuple[float, int]] = []
    with place.working(place.workers):
        place.run("broadcast", str(letter.write(place.folder)), "--to", "all")
        give_up = time.monotonic() + 120 + sizes.distant
        while time.monotonic() < give_up:
            emails, _, most = far.totals()
            moments.append((time.monotonic(), emails))
            if emails >= sizes.distant:
                break
            time.sleep(0.25)
        else:
            raise SystemExit(f"the distant relay got {emails:,} of {sizes.distant:,}")
        until = time.monotonic() + 30
        while accepted(place) < sizes.distant and time.monotonic() < until:
            time.sleep(0.2)
    assert accepted(place) == emails == sizes.distant, (accepted(place), emails)
    early, late = sizes.distant * 0.05, sizes.distant * 0.95
    first = next(moment for moment in moments if moment[1] >= early)
    last = next(moment for moment in moments if moment[1] >= late)
    if last[0] <= first[0]:
        first, last = moments[0], moments[-1]
    return (last[1] - first[1]) / (last[0] - first[0]), most
