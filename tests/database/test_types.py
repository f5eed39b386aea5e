"""Moments stay aware UTC, and files are kept by the hash of their content, once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import StatementError

from newsletter.database import blobs
from newsletter.database.engine import db, transaction
from newsletter.database.models import Blob
from newsletter.work.models import Heartbeat

NOON = datetime(2026, 7, 1, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.mark.parametrize(
    "given", [NOON, NOON.astimezone(ZoneInfo("Asia/Kathmandu")), NOON.astimezone(ZoneInfo("America/New_York"))]
)
def test_a_moment_comes_back_in_utc(app: Flask, given: datetime) -> None:
    with transaction() as session:
        session.add(Heartbeat(worker="here", beat_at=given))
    db.session.expire_all()
    found = db.session.scalars(select(Heartbeat.beat_at)).one()
    assert found == NOON
    assert found.utcoffset() == timedelta(0)


def test_moments_compare_in_the_database_whatever_their_zone(app: Flask) -> None:
    with transaction() as session:
        session.add(Heartbeat(worker="here", beat_at=NOON))
    just_before = (NOON - timedelta(microseconds=1)).astimezone(ZoneInfo("Pacific/Auckland"))
    assert db.session.scalars(select(Heartbeat).where(Heartbeat.beat_at > just_before)).one()
    assert db.session.scalars(select(Heartbeat).where(Heartbeat.beat_at < just_before)).all() == []


def test_a_moment_without_a_zone_is_refused(app: Flask) -> None:
    with pytest.raises(StatementError, match="needs a time zone"), transaction() as session:  # noqa: PT012
        session.add(Heartbeat(worker="here", beat_at=datetime(2026, 7, 1, 12)))  # noqa: DTZ001
        session.flush()
    with pytest.raises(StatementError, match="needs a time zone"):
        db.session.scalars(select(Heartbeat).where(Heartbeat.beat_at > datetime(2026, 7, 1, 12))).all()  # noqa: DTZ001


def test_the_same_bytes_are_kept_once(app: Flask) -> None:
    content = bytes(range(256)) * 40
    with transaction() as session:
        name = blobs.put(session, content, "application/pdf", NOON)
        assert blobs.put(session, content, "application/pdf", NOON + timedelta(days=1)) == name
    found = blobs.get(db.session(), name)
    assert found
    assert (found.content, found.size, found.content_type) == (content, 10240, "application/pdf")
    assert found.created_at == NOON
    assert db.session.scalars(select(Blob.hash)).all() == [name] == [blobs.content_hash(content)]


def test_a_file_that_is_not_there(app: Flask) -> None:
    assert blobs.get(db.session(), "0" * 32) is None
