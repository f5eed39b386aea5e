"""Files of people and the series they join: one after another, and without any mail they did not ask for (3.19)."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

from flask import Flask
from sqlalchemy import select

from newsletter import clock, worker
from newsletter.audience.models import Subscriber
from newsletter.database.engine import db
from newsletter.delivery.models import Delivery
from newsletter.sequences.models import Enrollment
from newsletter.signup import jobs as signup_jobs
from tests.sequences.conftest import MONDAY, join, load, person
from tests.sequences.joining import begins, bring, enter, joined, notes

MANY = 25


def file(people: int = MANY, first: int = 0, **columns: str) -> str:
    heading = ",".join(["email", *columns])
    rows = [",".join([f"reader{number}@example.org", *columns.values()]) for number in range(first, first + people)]
    return "\n".join([heading, *rows]) + "\n"


def moments() -> list[datetime]:
    """When people joined, or will have."""
    db.session.rollback()
    return sorted(db.session.scalars(select(Enrollment.enrolled_at)))


def a_minute(times: list[datetime]) -> list[int]:
    counted = Counter(times)
    return [counted[minute] for minute in sorted(counted)]


def reasons() -> list[str]:
    db.session.rollback()
    return list(db.session.scalars(select(Delivery.reason)))


def take_in(app: Flask, tmp_path: Path, text: str, *options: str, now: datetime = MONDAY) -> str:
    """What `flask import` says."""
    source = tmp_path / "people.csv"
    source.write_text(text)
    with clock.standing_at(now):
        asked = app.test_cli_runner().invoke(args=["import", str(source), *options])
    assert asked.exit_code == 0, asked.output
    return asked.output


def test_3_19_many_imported_into_a_series_join_ten_a_minute(app: Flask, series: int, tmp_path: Path) -> None:
    said = take_in(app, tmp_path, file(), "--sequence", "core-series", "--attest", "On paper")
    assert "25 added, 0 updated, 0 refused, 25 joined" in said
    assert a_minute(moments()) == [10, 10, 5]
    assert moments()[0] == MONDAY


def test_3_19_a_second_file_joins_behind_the_first(app: Flask, series: int, tmp_path: Path) -> None:
    take_in(app, tmp_path, file(), "--sequence", "core-series", "--attest", "On paper")
    later = MONDAY + timedelta(minutes=1)
    take_in(app, tmp_path, file(first=MANY), "--sequence", "core-series", "--attest", "On paper", now=later)
    assert a_minute(moments()) == [10] * 5


def test_3_19_the_same_file_again_takes_nobodys_turn(app: Flask, series: int, tmp_path: Path) -> None:
    take_in(app, tmp_path, file(), "--sequence", "core-series", "--attest", "On paper")
    again = take_in(app, tmp_path, file(MANY + 5), "--sequence", "core-series", "--attest", "On paper")
    assert "5 added, 25 updated, 0 refused, 5 joined" in again
    assert a_minute(moments()) == [10, 10, 10]


def test_3_19_a_file_whose_tag_begins_a_series_is_staggered_as_well(app: Flask, series: int) -> None:
    begins(series, "tag", "open day")
    bring(file(), tag="Open day")
    enter()
    assert a_minute(moments()) == [10, 10, 5]
    assert {joined(number)[0][0] for number in range(1, MANY + 1)} == {"tag:open day"}


def test_3_19_only_a_tag_that_is_new_to_them_begins_it(app: Flask, series: int) -> None:
    begins(series, "tag", "open day")
    bring(file(3), tag="Open day")
    enter()
    bring(file(4), tag="Open day")
    enter()
    assert len(moments()) == 4
    assert [line for number in (1, 2, 3) for line in notes(number) if "series" in line] == []


def test_3_19_imported_people_get_no_confirmation_reminder_or_gift(app: Flask, series: int) -> None:
    begins(series, "tag", "open day")
    for attest in ("", "On paper"):
        bring(file(3, first=len(attest)), tag="Open day", attest=attest)
    for hours in (0, 25, 49, 24 * 8):
        with clock.standing_at(MONDAY + timedelta(hours=hours)):
            worker.failed.clear()
            worker.take_turn()
            signup_jobs.remind_due()
        assert worker.failed == set()
    kinds = {reason.split(":")[0] for reason in reasons()}
    assert kinds == {"step"}


def test_3_19_charlie_whose_consent_nobody_attests_joins_nothing(app: Flask, series: int, tmp_path: Path) -> None:
    begins(series, "tag", "open day")
    said = take_in(app, tmp_path, file(3), "--sequence", "core-series", "--tag", "Open day")
    enter()
    assert "3 added, 0 updated, 0 refused, 0 joined" in said
    assert moments() == []
    # Nor a line in each one's history: a file may hold a million of them.
    assert [line for number in (1, 2, 3) for line in notes(number) if "series" in line] == []


def test_3_19_who_joins_by_themselves_meanwhile_waits_behind_nobody(app: Flask, series: int, tmp_path: Path) -> None:
    take_in(app, tmp_path, file(), "--sequence", "core-series", "--attest", "On paper")
    alice = person("Alice")
    join(series, alice)
    assert joined(alice) == [("form:1", MONDAY)]


def test_3_19_their_emails_go_at_their_own_turn(app: Flask, tmp_path: Path) -> None:
    load(tmp_path / "hello", {"01-hello.md": "key: hello\nsubject: Hello\ndelay: 0 days"})
    take_in(app, tmp_path, file(), "--sequence", "hello", "--attest", "On paper")
    sent = []
    for minute in range(4):
        with clock.standing_at(MONDAY + timedelta(minutes=minute)):
            worker.take_turn()
        db.session.rollback()
        sent.append(len(db.session.scalars(select(Delivery.id).where(Delivery.accepted_at.is_not(None))).all()))
    assert sent == [10, 20, 25, 25]


def test_a_changed_zone_in_a_file_moves_what_was_not_sent(app: Flask, series: int) -> None:
    bring(file(1, timezone="Europe/Berlin"))
    reader = db.session.scalars(select(Subscriber.id)).one()
    join(series, reader)
    before = db.session.scalars(select(Enrollment.next_due_at)).one()
    bring(file(1, timezone="Asia/Tokyo"))
    enter()
    db.session.rollback()
    assert before is not None
    assert db.session.scalars(select(Enrollment.next_due_at)).one() == before - timedelta(hours=8)
