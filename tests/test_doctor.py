"""`flask doctor`: each finding is found, says what to do, and is not said when all is well."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from flask import Flask

from newsletter import clock, doctor
from newsletter.accounts import actions as accounts
from newsletter.database.engine import transaction
from newsletter.delivery import actions, handover
from newsletter.delivery.models import Relay
from newsletter.delivery.relay_rules import Source
from newsletter.delivery.rules import LEASE, Lane, Reply
from newsletter.doctor import Finding
from newsletter.work import heartbeats
from tests.conftest import running
from tests.people import person, planned


class Room(NamedTuple):
    """What shutil.disk_usage answers."""

    total: int
    used: int
    free: int


# Said of the tests' own PostgreSQL, which need not outlast a power cut.
FORGETFUL = "is off: when it crashes"


@pytest.fixture
def well(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """An installation with nothing to find but its built-in mailbox."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: Room(100 * 2**30, 0, 50 * 2**30))
    with transaction() as session:
        heartbeats.beat(session, "here:1:ab", clock.now())
        studio = accounts.ensure_studio(session)
        studio.postal_address = "1 Mat Lane"
        accounts.create_operator(session, "coach@example.org", "long enough to be hard to guess", clock.now(), "Coach")
    return app


def found(words: str) -> Finding | None:
    """The finding with these words, if there is one; every finding says what to do."""
    findings = doctor.examine()
    assert all(finding.what and finding.remedy for finding in findings)
    return next((finding for finding in findings if words in finding.what), None)


def test_all_is_well(well: Flask) -> None:
    whats = [finding.what for finding in doctor.examine() if FORGETFUL not in finding.what]
    assert whats == ["SMTP_URL is not set: every email stays in the mailbox."]
    told = well.test_cli_runner().invoke(args=["doctor"])
    assert told.exit_code == 0
    assert "workers: 1 at work, last seen " in told.output
    assert "none is due" in told.output


def test_no_worker_is_serious_and_tells_when_one_was_last_seen(well: Flask) -> None:
    later = clock.now() + timedelta(minutes=5)
    with clock.standing_at(later):
        finding = found("No worker is running")
    assert finding is not None
    assert finding.serious
    assert "The last one was seen at " in finding.what


def test_two_clocks_that_differ_are_seen_at_the_workers_heartbeat(well: Flask) -> None:
    with transaction() as session:
        heartbeats.beat(session, "there:2:cd", clock.now() + timedelta(minutes=7))
    finding = found("The clock of the worker there:2:cd is 7 minutes ahead")
    assert finding is not None
    assert "NTP" in finding.remedy


def test_a_database_with_another_clock_is_seen(well: Flask) -> None:
    postgres = well.config["SQLALCHEMY_DATABASE_URI"].startswith("postgresql")
    with clock.standing_at(clock.now() - timedelta(minutes=30)):
        finding = found("The database's clock is 30 minutes ahead of")
    assert (finding is not None) is postgres  # on SQLite the database has no clock of its own


def test_2_5_a_database_that_forgets_in_a_crash_is_told(well: Flask) -> None:
    """The tests' own server is one: it keeps nothing that matters."""
    postgres = well.config["SQLALCHEMY_DATABASE_URI"].startswith("postgresql")
    finding = found(f"synchronous_commit {FORGETFUL}")
    assert (finding is not None and not finding.serious) is postgres


def test_an_unreachable_queue_is_told_without_its_password(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: Room(100 * 2**30, 0, 50 * 2**30))
    for _ in running(database_url, tmp_path, QUEUE_URL="postgresql://coach:hush@127.0.0.1:1/queue"):
        finding = found("The queue cannot be reached")
        assert finding is not None
        assert finding.serious
        assert "hush" not in finding.what


@pytest.mark.parametrize(
    ("free", "words", "serious"),
    [(50 * 2**20, "is full: 50 MB", True), (1000 * 2**20, "is nearly full: 1,000 MB", False), (20 * 2**30, "", False)],
)
def test_a_disk_that_fills_up(
    well: Flask, monkeypatch: pytest.MonkeyPatch, free: int, words: str, serious: bool
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: Room(100 * 2**30, 0, free))
    on_sqlite = well.config["SQLALCHEMY_DATABASE_URI"].startswith("sqlite")
    finding = found(words) if words else found("The disk of")
    assert (finding is not None) is bool(words and on_sqlite)
    if finding:
        assert finding.serious is serious


def plan(lane: Lane, minutes_ago: int, reason: str = "") -> int:
    with transaction() as session:
        alice = person(session)
        due = clock.now() - timedelta(minutes=minutes_ago)
        planned(session, alice, reason=reason or f"note:{int(lane)}", lane=lane, due_at=due)
        return alice.id


def claim(lane: Lane) -> list[int]:
    with transaction() as session:
        return [one.id for one in handover.claim_due(session, "here:1:ab", clock.now(), 10, lane)]


@pytest.mark.parametrize(
    ("lane", "words"),
    [
        (Lane.TRANSACTIONAL, "Confirmations and gifts are waiting since"),
        (Lane.SEQUENCE, "The emails of series are waiting since"),
        (Lane.BULK, "Emails to many are waiting since"),
    ],
)
def test_what_waits_too_long_is_told_lane_by_lane(well: Flask, lane: Lane, words: str) -> None:
    plan(lane, 5)
    assert found("are waiting since") is None
    plan(lane, 15, "note:late")
    finding = found(words)
    assert finding is not None
    assert finding.serious


def test_a_broadcast_that_goes_out_slowly_is_no_trouble_but_a_confirmation_that_waits_is(well: Flask) -> None:
    plan(Lane.SEQUENCE, 15)
    ids = claim(Lane.SEQUENCE)
    with transaction() as session:
        handover.begin_sending(session, ids, "here:1:ab")
        accepted = [(one, Reply(250)) for one in ids]
        handover.record(session, accepted, relay="mx:25", subjects={}, now=clock.now())
    plan(Lane.BULK, 60)
    assert found("are waiting since") is None
    plan(Lane.TRANSACTIONAL, 15)
    assert found("Confirmations and gifts are waiting since") is not None


def test_what_is_on_hold_is_told_as_that_and_not_as_late(well: Flask) -> None:
    plan(Lane.BULK, 60)
    with transaction() as session:
        actions.hold(session, "lane:2", "The clock jumped by 3 hours.", clock.now())
    finding = found("Emails to many are on hold since")
    assert finding is not None
    assert "The clock jumped by 3 hours." in finding.what
    assert "Go on" in finding.remedy
    assert found("are waiting since") is None


def test_a_worker_that_left_emails_behind_is_told(well: Flask) -> None:
    plan(Lane.BULK, 1)
    claim(Lane.BULK)
    assert found("in the hands of a worker") is None
    with clock.standing_at(clock.now() + LEASE + timedelta(minutes=1)):
        assert found("1 email is in the hands of a worker that does not answer.") is not None


def test_2_4_uncertain_ones_are_counted_and_not_serious(well: Flask) -> None:
    plan(Lane.BULK, 1)
    ids = claim(Lane.BULK)
    with transaction() as session:
        handover.begin_sending(session, ids, "here:1:ab")
        handover.record(session, [(one, Reply(0)) for one in ids], relay="mx:25", subjects={}, now=clock.now())
    finding = found("1 email is uncertain")
    assert finding is not None
    assert not finding.serious
    assert "send again, or count as sent" in finding.remedy


def test_2_8_a_relay_with_a_problem_is_told_with_when_it_is_asked_again(well: Flask) -> None:
    with transaction() as session:
        made = Relay(name="mx:25", source=Source.OPERATOR, host="mx", port=25, created_at=clock.now())
        made.problem, made.since = "535 5.7.8 It does not know our sign-in.", clock.now()
        made.retry_at = clock.now() + timedelta(minutes=4)
        session.add(made)
    finding = found("The mail server mx:25 is not used since")
    assert finding is not None
    assert "5.7.8" in finding.what
    assert "asked again at" in finding.remedy
    told = well.test_cli_runner().invoke(args=["doctor"])
    assert told.exit_code == 1
    assert "mail server mx:25: not used, it has a problem" in told.output


def test_a_database_that_was_not_migrated_is_the_only_finding(tmp_path: Path) -> None:
    empty: Iterator[Any] = running(f"sqlite:///{tmp_path / 'empty.db'}", tmp_path)
    for app in empty:
        (finding,) = doctor.examine()
        assert finding.fatal
        assert "flask db upgrade" in finding.remedy
        assert app.test_cli_runner().invoke(args=["doctor"]).exit_code == 1
