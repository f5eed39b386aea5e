"""The forecast: how many people get what in the next thirty days, of a hundred thousand who are under way.

Half of them are in a series with windows in the morning, the others in one without, at every minute of the day; both
with a condition and a tag, in eight time zones, and three emails to everybody are scheduled: so the days on which two
emails meet are worked out as well.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from datetime import timedelta

from sqlalchemy import text

from bench.place import Place, postgresql, sqlite
from bench.sizes import Sizes
from bench.table import Line
from newsletter import clock
from newsletter.broadcasts import actions as broadcasts
from newsletter.database.engine import db, transaction
from newsletter.forecast import queries
from newsletter.sequences.models import Sequence, Step

DAYS = 30
GOAL = 20.0  # seconds
ZONES = (
    "Europe/Berlin",
    "Europe/London",
    "America/New_York",
    "America/Los_Angeles",
    "Asia/Kolkata",
    "Asia/Tokyo",
    "Australia/Sydney",
    "",
)
LETTER = "---\nsubject: News {{ subscriber.first_name or 'for you' }}\npreheader: News\n---\nHello.\n"
ENROLL = """
INSERT INTO enrollments (sequence_id, subscriber_id, round, state, source, enrolled_at, waits_since, next_step_id,
                         next_due_at, ended_why, held_why, skips)
SELECT :sequence, id, 1, 'active', 'bench', {joined}, {joined}, :step, {due}, '', '', '[]'
FROM subscribers WHERE id % 2 = :half
"""
MINUTES = {
    "sqlite": "strftime('%Y-%m-%d %H:%M:00.000000', 'now', '{sign}' || (id * 7919 % {span}) || ' minutes')",
    "postgresql": "date_trunc('minute', now()) {sign} make_interval(mins => (id * 7919 % {span})::int)",
}


def fill(place: Place) -> None:
    """Two series of eight steps, everybody in one of them somewhere before its first email, three broadcasts."""
    kind = "sqlite" if place.url.startswith("sqlite") else "postgresql"
    now = clock.now()
    with place.application(), transaction() as session:
        names = ", ".join(f"('{name}', {number})" for number, name in enumerate(ZONES))
        session.execute(
            text(
                f"WITH zones(name, number) AS (VALUES {names}) UPDATE subscribers SET timezone = "  # noqa: S608
                f"(SELECT name FROM zones WHERE number = subscribers.id % {len(ZONES)})"
            ).execution_options(synchronize_session=False)
        )
        for half in (0, 1):
            series = Sequence(slug=f"series-{half}", name=f"Series {half}", created_at=now)
            session.add(series)
            session.flush()
            first = _steps(session, series.id, windowed=half == 0)
            given = {"sequence": series.id, "step": first, "half": half}
            joined = MINUTES[kind].format(sign="-", span=20 * 1440)
            due = MINUTES[kind].format(sign="+", span=4 * 1440)
            session.execute(text(ENROLL.format(joined=joined, due=due)), given)
        for days in (3, 10, 17):
            broadcasts.queue_from_file(session, LETTER, "all", now + timedelta(days=days), now)
    with place.application(), db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))


def _steps(session: object, sequence_id: int, *, windowed: bool) -> int:
    first = 0
    kinds = ("email", "email", "condition", "email", "tag", "email", "email", "email")
    for position, kind in enumerate(kinds, 1):
        row = Step(sequence_id=sequence_id, key=f"s{position}", position=position, kind=kind, config={}, weekdays=127)
        row.source = LETTER if kind == "email" else ""
        row.delay_amount, row.delay_unit, row.delay_from = (3 if kind == "email" else 0), "days", "previous"
        row.window_start, row.window_end = ("07:00", "09:00") if windowed and kind == "email" else ("", "")
        if kind == "condition":
            row.config = {"if": {"tag": "client"}, "then": "s6", "else": ""}
        if kind == "tag":
            row.config = {"add": ["warm"], "remove": []}
        session.add(row)  # type: ignore[attr-defined]
        session.flush()  # type: ignore[attr-defined]
        first = first or row.id
    return first


def timed(place: Place) -> tuple[float, int, int]:
    """Seconds for the counts of thirty days, how many emails that are, and in how many counts."""
    heard: list[int] = []
    with place.application():
        began = time.process_time()
        found = queries.counts(db.session(), clock.now(), DAYS, told=heard.append)
        seconds = time.process_time() - began
    assert heard, "progress was not told"
    return seconds, sum(count.people for count in found), len(found)


def measure(sizes: Sizes) -> list[Line]:
    """On both databases; SQLite is promised."""
    lines = []
    for name, opened in (("SQLite", sqlite), ("PostgreSQL", postgresql)):
        with ExitStack() as stack:
            place = stack.enter_context(opened(sizes.readers))
            fill(place)
            seconds, emails, found = timed(place)
        work = f"forecast of {DAYS} days, {sizes.readers:,} under way, {name}"
        words = f"{emails:,} emails in {found:,} counts"
        goal = (f"≤ {GOAL:.0f} s", seconds <= GOAL) if name == "SQLite" else ("", None)
        lines.append(Line(work, f"{seconds:.1f} s", words, "", *goal))
    return lines
