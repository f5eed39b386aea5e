"""Two workers never get the same row, and a row is added once."""

from __future__ import annotations

import time
from datetime import timedelta

from flask import Flask
from sqlalchemy import func, literal, select, true
from sqlalchemy.orm import Session

from newsletter.audience.models import Tag
from newsletter.database.engine import db, transaction
from newsletter.work import heartbeats
from newsletter.work.claims import claim, insert_missing
from newsletter.work.models import Heartbeat
from tests.people import NOW
from tests.threads import at_once


def tags(count: int) -> None:
    with transaction() as session:
        session.add_all(Tag(name=f"tag {number:03}") for number in range(count))


def take(session: Session, limit: int, worker: str) -> list[int]:
    claimed = claim(
        session,
        Tag,
        Tag.id,
        where=[Tag.name.startswith("tag ")],
        order_by=[Tag.name],
        limit=limit,
        values={"name": literal(f"{worker} has ") + Tag.name},
        returning=[Tag.name],
    )
    assert all(name.startswith(f"{worker} has tag ") for _, name in claimed)
    return sorted(key for key, _ in claimed)


def test_two_workers_never_get_the_same_row(app: Flask) -> None:
    tags(60)

    def work(number: int) -> list[int]:
        mine: list[int] = []
        while True:
            with transaction() as session:
                got = take(session, 7, f"worker {number}")
                time.sleep(0.005)
            if not got:
                return mine
            mine += got

    taken = at_once(app, 3, work)
    assert sorted(row for rows in taken for row in rows) == list(range(1, 61))


def test_while_one_worker_holds_rows_another_takes_the_next_ones(app: Flask) -> None:
    if db.engine.dialect.name == "sqlite":
        return  # one writer at a time: the other one waits, which the test above shows
    tags(10)

    def work(_number: int) -> list[int]:
        with transaction() as session:
            return take(session, 4, "second")

    with transaction() as session:
        assert take(session, 4, "first") == [1, 2, 3, 4]
        assert at_once(app, 1, work) == [[5, 6, 7, 8]]


def test_a_claim_takes_the_first_in_order_and_never_more_than_asked(app: Flask) -> None:
    tags(30)
    with transaction() as session:
        assert take(session, 3, "one") == [1, 2, 3]
        assert take(session, 3, "one") == [4, 5, 6]
        assert len(take(session, 100, "one")) == 24
        assert take(session, 100, "one") == []


def add(session: Session, name: str) -> int:
    return insert_missing(session, Tag, [Tag.name], select(literal(name)).where(true()), unique=[Tag.name])


def test_a_row_is_added_once_and_the_count_is_of_new_ones(app: Flask) -> None:
    with transaction() as session:
        assert add(session, "calm") == 1
        assert add(session, "calm") == 0
    assert db.session.scalar(select(func.count()).select_from(Tag)) == 1


def test_a_row_from_many_at_once_is_added_once(app: Flask) -> None:
    def work(_number: int) -> int:
        with transaction() as session:
            new = add(session, "calm")
            time.sleep(0.02)
            return new

    assert sorted(at_once(app, 4, work)) == [0, 0, 0, 1]


def test_signs_of_life(app: Flask) -> None:
    assert heartbeats.last_beat(db.session()) is None
    with transaction() as session:
        heartbeats.beat(session, "one", NOW)
        heartbeats.beat(session, "other", NOW - timedelta(hours=1))
        heartbeats.beat(session, "one", NOW + timedelta(minutes=1))
    assert heartbeats.last_beat(db.session()) == NOW + timedelta(minutes=1)
    assert db.session.scalar(select(func.count()).select_from(Heartbeat)) == 2
