"""A series, its readers, and days that pass."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from newsletter import addresses, clock
from newsletter.audience import actions as audience
from newsletter.audience.rules import Status
from newsletter.database.engine import db, transaction
from newsletter.delivery import jobs as delivery_jobs
from newsletter.delivery.models import Delivery
from newsletter.delivery.rules import State
from newsletter.sequences import actions, jobs
from newsletter.sequences.models import Enrollment, Sequence, Step
from newsletter.sequences.series import load_series

MONDAY = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)  # a Monday

STEPS = {
    "01-hello.md": "key: hello\nsubject: Hello\ndelay: 2 days\nwindow: 07:00-09:00",
    "02-more.md": """\
key: more
subject: More for {{ subscriber.first_name or 'you' }}
delay: 2 days
window: 07:00-09:00""",
    "03-last.md": "key: last\nsubject: Last\ndelay: 24 hours\ndays: mon-fri",
}


def write_series(folder: Path, steps: dict[str, str], name: str = "Core series") -> Path:
    """A folder of files as `load_series` takes it."""
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.md"):
        old.unlink()
    (folder / "series.yaml").write_text(f"name: {name}\n")
    for file, front in steps.items():
        (folder / file).write_text(f"---\n{front}\n---\nHello {{{{ subscriber.first_name or 'there' }}}}.\n")
    return folder


def load(folder: Path, steps: dict[str, str] = STEPS, now: datetime = MONDAY) -> int:
    """The id of the series of these steps."""
    with transaction() as session:
        return load_series(session, write_series(folder, steps), now).id


@pytest.fixture
def series(request: pytest.FixtureRequest, tmp_path: Path) -> int:
    """The id of a series of three steps."""
    request.getfixturevalue("app" if "app" in request.fixturenames else "sqlite_app")
    return load(tmp_path / "core-series")


def person(name: str, zone: str = "", **values: Any) -> int:
    """A confirmed reader who agreed to follow-ups."""
    with transaction() as session:
        address = addresses.parse(f"{name.lower()}@example.org")
        row = audience.remember(session, address, source="test", now=MONDAY)
        row.status, row.marketing, row.timezone, row.first_name = Status.CONFIRMED, True, zone, name
        for key, value in values.items():
            setattr(row, key, value)
        return row.id


def join(sequence_id: int, subscriber_id: int, now: datetime = MONDAY) -> bool:
    with transaction() as session:
        return actions.enroll(session, sequence_id, subscriber_id, "form:1", now)


def turn(now: datetime) -> None:
    """What the worker does at one moment, until nothing is due."""
    with clock.standing_at(now):
        while jobs.plan_due() + delivery_jobs.send_due():
            pass


def run(until: datetime) -> None:
    """Let the worker wake whenever something is due, as long as that is before `until`."""
    while (moment := _next_moment()) is not None and moment <= until:
        turn(moment)


def _next_moment() -> datetime | None:
    db.session.rollback()
    waiting = Delivery.state.in_([State.PLANNED, State.DEFERRED])
    times = [
        db.session.scalar(select(func.min(Enrollment.next_due_at)).where(Enrollment.held_at.is_(None))),
        db.session.scalar(select(func.min(Delivery.due_at)).where(waiting)),
    ]
    return min((moment for moment in times if moment is not None), default=None)


def enrollment(subscriber_id: int) -> Enrollment:
    db.session.rollback()
    found = select(Enrollment).where(Enrollment.subscriber_id == subscriber_id)
    return db.session.scalars(found.execution_options(populate_existing=True)).one()


def emails(subscriber_id: int) -> list[Delivery]:
    db.session.rollback()
    found = select(Delivery).where(Delivery.subscriber_id == subscriber_id).order_by(Delivery.id)
    return list(db.session.scalars(found.execution_options(populate_existing=True)))


def sent(subscriber_id: int) -> list[tuple[str, str]]:
    """What a reader got: subject and moment (UTC)."""
    return [(row.subject, f"{row.accepted_at:%a %d.%m. %H:%M}") for row in emails(subscriber_id) if row.accepted_at]


def step(sequence_id: int, key: str) -> Step:
    db.session.rollback()
    return db.session.scalars(select(Step).where(Step.sequence_id == sequence_id, Step.key == key)).one()


def sequence(sequence_id: int) -> Sequence:
    db.session.rollback()
    return db.session.get_one(Sequence, sequence_id, populate_existing=True)


def at(text: str) -> datetime:
    """A moment in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
