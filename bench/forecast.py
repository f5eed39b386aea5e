"""The forecast: how many people get what in the next thirty days, of a hundred thousand who are under way.

Half of them are in a series with windows in the morning, the others in one without, at every minute of the day; both
with a condition and a tag, in eight time zones, and three emails to everybody are scheduled: so the days on which two
emails meet are worked out as well.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import TextClause, insert, text
from sqlalchemy.orm import Session

from bench.place import Place, postgresql, sqlite
from bench.sizes import Sizes
from bench.table import Line
from newsletter import clock
from newsletter.broadcasts import actions as broadcasts
from newsletter.database.engine import db, transaction
from newsletter.forecast import queries
from newsletter.sequences import queries as sequences
from newsletter.sequences.models import Enrollment, Sequence, Step
from newsletter.sequences.rules import Course, Kind, Way, due, fit, minute, zone_of

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


def fill(place: Place) -> None:
    """Two series of eight steps, everybody somewhere in one of them, and three emails to everybody."""
    now = clock.now()
    with place.application():
        with transaction() as session:
            ids = [_series(session, half) for half in (0, 1)]
            courses = sequences.courses(session, ids)
            session.execute(_zones().execution_options(synchronize_session=False))
            for days in (3, 10, 17):
                broadcasts.queue_from_file(session, LETTER, "all", now + timedelta(days=days), now)
        people = db.session.execute(text("SELECT id, timezone FROM subscribers ORDER BY id")).all()
        with transaction() as session:
            rows = [_enrollment(courses[ids[number % 2]], number, zone, now) for number, zone in people]
            session.execute(insert(Enrollment), rows)
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("ANALYZE"))


def _zones() -> TextClause:
    names = ", ".join(f"('{name}', {number})" for number, name in enumerate(ZONES))
    return text(
        f"WITH zones(name, number) AS (VALUES {names}) UPDATE subscribers SET timezone = "  # noqa: S608
        f"(SELECT name FROM zones WHERE number = subscribers.id % {len(ZONES)})"
    )


def _series(session: Session, half: int) -> int:
    series = Sequence(slug=f"series-{half}", name=f"Series {half}", created_at=clock.now())
    session.add(series)
    session.flush()
    _steps(session, series.id, windowed=half == 0)
    return series.id


def _enrollment(course: Course, number: int, zone_name: str, now: datetime) -> dict[str, Any]:
    """A reader who joined up to 18 days ago, at their own minute, and has had the emails that were due since."""
    minutes, zone = number * 7919 % (18 * 1440), zone_of(zone_name)
    joined = minute(now - timedelta(minutes=minutes))
    emails = [step for step in course.steps if step.kind == Kind.EMAIL]
    waits = emails[minutes // (3 * 1440)]
    had = minutes // (3 * 1440) * 3
    way = Way(joined, joined)
    if had:
        sent = joined + timedelta(days=had)
        if waits.timing.window:
            sent = fit(waits.timing, sent - timedelta(days=1), zone)
        way = Way(joined, sent, sent)
    return {
        "sequence_id": course.id,
        "subscriber_id": number,
        "round": 1,
        "source": "bench",
        "enrolled_at": joined,
        "waits_since": way.since,
        "last_sent_at": way.sent_at,
        "next_step_id": waits.id,
        "next_due_at": due(course, waits, way, zone=zone, now=now),
    }


def _steps(session: Session, sequence_id: int, *, windowed: bool) -> None:
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
        session.add(row)


def timed(place: Place) -> tuple[float, float, int, int]:
    """Seconds and processor seconds for the counts of thirty days, how many emails that are, in how many counts."""
    heard: list[int] = []
    with place.application():
        began, used = time.perf_counter(), time.process_time()
        found = queries.counts(db.session(), clock.now(), DAYS, told=heard.append)
        seconds, processor = time.perf_counter() - began, time.process_time() - used
    assert heard, "progress was not told"
    return seconds, processor, sum(count.people for count in found), len(found)


def measure(sizes: Sizes) -> list[Line]:
    """On both databases; SQLite is promised."""
    lines = []
    for name, opened in (("SQLite", sqlite), ("PostgreSQL", postgresql)):
        with ExitStack() as stack:
            place = stack.enter_context(opened(sizes.readers))
            fill(place)
            seconds, processor, emails, found = timed(place)
        work = f"forecast of {DAYS} days, {sizes.readers:,} under way, {name}"
        words = f"{emails:,} emails in {found:,} counts"
        goal = (f"≤ {GOAL:.0f} s", seconds <= GOAL) if name == "SQLite" else ("", None)
        lines.append(Line(work, f"{seconds:.1f} s, {processor:.1f} s of processor", words, "", *goal))
    return lines
