"""Looking ahead a moment at a time: the slices are the whole, whoever works them out."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from newsletter import clock
from newsletter.accounts import actions as accounts
from newsletter.audience import actions as audience
from newsletter.database.engine import db, transaction
from newsletter.forecast import actions, looking, outlooks, records
from newsletter.forecast.calendar import AHEAD
from newsletter.forecast.models import Outlook, OutlookPart, SentDay
from newsletter.forecast.outlooks import Snapshot
from newsletter.forecast.queries import forecast, stretch
from newsletter.forecast.records import Marks
from newsletter.sequences.models import Sequence
from tests.sequences.conftest import MONDAY, at, join, person, run


@pytest.fixture
def readers(app: Flask, series: int) -> int:
    """Ten readers in three zones who joined a series."""
    for number in range(10):
        join(series, person(f"Reader{number}", ["", "America/New_York", "Asia/Tokyo"][number % 3]))
    return series


def look(patience: float = 60.0, *, later: float = 0, anew: bool = False) -> looking.Looked:
    with clock.standing_at(MONDAY + timedelta(seconds=later)):
        found = looking.look(patience, anew=anew)
    db.session.rollback()
    return found


def counted(outlook: Snapshot) -> Counter[str]:
    found = select(OutlookPart.item, func.sum(OutlookPart.people)).where(OutlookPart.outlook_id == outlook.id)
    return Counter({item: int(people) for item, people in db.session.execute(found.group_by(OutlookPart.item))})


def test_3_21_the_slices_add_up_to_the_forecast(readers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "FIRST", 3)
    monkeypatch.setattr(looking, "MOST", 3)
    looked = look()
    assert looked.done
    parts = db.session.scalar(select(func.count(OutlookPart.id)))
    whole = Counter((row.step, row.at) for row in forecast(db.session(), MONDAY, AHEAD))
    keys = {f"step:{row.id}": row.key for row in records.sequences.steps(db.session(), readers)}
    found: Counter[tuple[str | None, object]] = Counter()
    for day, item in db.session.execute(select(OutlookPart.day, OutlookPart.item).distinct()):
        for who in outlooks.readers(db.session(), looked.outlook, day, item):
            found[keys[item], outlooks.moment(looked.outlook, who.minute)] += 1
    assert found == whole
    assert parts is not None
    assert parts > len(counted(looked.outlook))


def test_a_look_goes_on_where_the_last_one_stopped(readers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "FIRST", 4)
    steady, working = [0.0], looking._slice

    def slow(*given: Any) -> Any:
        steady[0] += 1.0  # a second for a slice, so there is no time for another
        return working(*given)

    monkeypatch.setattr(looking, "monotonic", lambda: steady[0])
    monkeypatch.setattr(looking, "_slice", slow)
    shares = []
    for _ in range(3):
        looked = look(0.5)
        shares.append((looked.done, looked.share))
    assert [done for done, _ in shares] == [False, False, True]
    assert shares[0][1] < shares[1][1]
    assert sum(counted(looked.outlook).values()) == 30


def test_two_who_look_at_once_count_nobody_twice(readers: int) -> None:
    session, marks = db.session(), Marks("a", "b")
    with transaction() as writing:
        actions.begin(writing, marks, MONDAY)
    outlook = outlooks.newest(session, done=False)
    assert outlook is not None
    rows, last = stretch(session, outlook.begun_at, outlook.until, 0, 4)
    zone = looking.accounts.zone_of(looking.accounts.studio(session))
    kept = []
    for _ in range(2):
        with transaction() as writing:
            kept.append(actions.add(writing, outlook, rows, last, zone, 0.1, MONDAY))
    assert kept == [True, False]
    assert sum(counted(outlook).values()) == len(rows)


def test_what_holds_is_taken_as_it_is(readers: int) -> None:
    first = look()
    assert look(later=60).outlook.id == first.outlook.id
    join(readers, person("Zoe"))
    second = look(later=61)
    assert second.outlook.id != first.outlook.id, "somebody joined"
    with transaction() as session:
        session.get_one(Sequence, readers).min_gap_hours = 30
    third = look(later=62)
    assert third.outlook.id != second.outlook.id, "an operator changed the series"
    with transaction() as session:
        accounts.ensure_studio(session).timezone = "Asia/Tokyo"
    fourth = look(later=63)
    assert fourth.outlook.id != third.outlook.id, "days begin at another moment"
    assert look(later=64, anew=True).outlook.id != fourth.outlook.id, "asked for"
    assert db.session.scalar(select(func.count(Outlook.id))) == 1
    assert look(later=3600).outlook.begun_at == MONDAY + timedelta(hours=1), "time went on"


@pytest.mark.parametrize(
    ("seconds", "age", "same_data", "holds"),
    [
        (0.1, 60, True, True),
        (0.1, 60, False, False),
        (20, 60, False, True),
        (20, 401, False, False),
        (20, 901, True, False),
    ],
)
def test_a_large_list_is_not_worked_out_with_every_email(
    seconds: float, age: int, same_data: bool, holds: bool
) -> None:
    outlook = Snapshot(1, "a", "b", MONDAY, MONDAY, 0, seconds, MONDAY)
    marks = Marks("a", "b" if same_data else "c")
    assert outlooks.holds(outlook, marks, MONDAY + timedelta(seconds=age)) is holds
    assert not outlooks.holds(outlook, Marks("x", "b"), MONDAY)


def test_while_a_new_one_grows_the_old_one_is_shown(readers: int) -> None:
    first = look()
    join(readers, person("Zoe"))
    meanwhile = look(0.0, later=60)
    assert not meanwhile.done
    assert meanwhile.outlook.id == first.outlook.id
    assert look(later=61).done


def test_an_unfinished_one_is_not_waited_for_forever(readers: int) -> None:
    look(0.0)
    assert not look(0.0, later=60).done
    looked = look(later=3600)
    assert looked.done
    assert looked.outlook.begun_at == MONDAY + timedelta(hours=1)


def test_a_large_day_is_counted_once(readers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    run(at("2026-03-06T23:00"))
    monkeypatch.setattr(looking, "WORTH_KEEPING", -1.0)
    zone = looking.accounts.zone_of(looking.accounts.studio(db.session()))
    days = [at(f"2026-03-0{number}T00:00").date() for number in range(2, 7)]
    now = at("2026-03-06T12:00")
    first = looking.look_back(days, zone, now)
    kept = db.session.scalar(select(func.count(SentDay.day.distinct())))
    assert kept == 4, "today is not over"
    again = looking.look_back(days, zone, now)
    assert sorted(map(repr, again.cells)) == sorted(map(repr, first.cells))
    assert first.done
    assert sum(cell.people for cell in first.cells) == 20
    monkeypatch.setattr(records, "sent", lambda *_, **__: pytest.fail("counted again"))
    assert looking.look_back(days[:4], zone, now).done


def test_counting_back_stops_in_time(readers: int) -> None:
    zone = looking.accounts.zone_of(looking.accounts.studio(db.session()))
    days = [MONDAY.date() - timedelta(days=number) for number in range(9, -1, -1)]
    behind = looking.look_back(days, zone, MONDAY, 0.0)
    assert (behind.done, behind.share, behind.cells) == (False, 0, [])


@pytest.mark.parametrize(
    ("tag", "by_hour", "each"),
    [("", False, 0.04), ("", True, 3.0), ("yoga", False, 0.009), ("yoga", False, 0.3), ("yoga", True, 0.04)],
)
def test_the_past_is_counted_a_moment_at_a_time_and_comes_to_an_end(
    readers: int, monkeypatch: pytest.MonkeyPatch, tag: str, by_hour: bool, each: float
) -> None:
    """However long each day (or hour) takes: days of 0.04 seconds were begun anew with every look, for ever."""
    run(at("2026-03-04T18:00"))
    with transaction() as session:
        for number in range(1, 6):
            audience.add_tag(session, number, "yoga", MONDAY)
    steady, counting, now = [0.0], records.sent, at("2026-03-04T18:00")
    zone = looking.accounts.zone_of(looking.accounts.studio(db.session()))
    days = [now.date()] if by_hour else [at("2026-01-25T00:00").date() + timedelta(days=number) for number in range(42)]
    whole = looking.look_back(days, zone, now, tag=tag, by_hour=by_hour)
    everybody = {("", False): 10, ("", True): 7, ("yoga", False): 5, ("yoga", True): 4}  # Tokyo's morning was before
    assert sum(cell.people for cell in whole.cells) == everybody[tag, by_hour]

    def slow(*given: Any, **more: Any) -> Any:
        steady[0] += each
        return counting(*given, **more)

    monkeypatch.setattr(looking, "monotonic", lambda: steady[0])
    monkeypatch.setattr(records, "sent", slow)
    shares = []
    for _ in range(30):
        began = steady[0]
        behind = looking.look_back(days, zone, now, 0.5, tag=tag, by_hour=by_hour)
        shares.append(behind.share)
        assert steady[0] - began < 0.5 + 4 * each, "up to three of them are too young to be kept"
        if behind.done:
            break
    assert shares == sorted(set(shares)), "each look shows more than the one before"
    assert behind.done
    assert sorted(map(repr, behind.cells)) == sorted(map(repr, whole.cells))


def test_a_count_by_tag_is_kept_no_longer_than_what_is_ahead(readers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    run(at("2026-03-04T18:00"))
    monkeypatch.setattr(looking, "WORTH_KEEPING", -1.0)
    zone = looking.accounts.zone_of(looking.accounts.studio(db.session()))

    def people(minutes: int, tag: str = "yoga") -> int:
        now = at("2026-03-06T18:00") + timedelta(minutes=minutes)
        found = looking.look_back([at("2026-03-04T00:00").date()], zone, now, tag=tag)
        return sum(cell.people for cell in found.cells)

    assert people(0) == 0, "there is no such tag"
    counts = []
    for number, minutes in ((1, 0), (2, 14), (4, 15)):
        with transaction() as session:
            audience.add_tag(session, number, "yoga", MONDAY)
        counts.append(people(minutes))
    assert counts == [1, 1, 3]
    with transaction() as session:
        audience.add_tag(session, 1, "other", MONDAY)
    assert [people(15, "other"), people(15, ""), people(15)] == [1, 7, 3], "each is a count of its own"


def test_who_looks_while_another_works_sees_what_there_is(readers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fifty people who open the calendar at once do not work out the same readers fifty times."""
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(looking, "_slice", lambda *_: pytest.fail("worked out twice"))
        with looking._WORKING:
            looked = look()
        assert (looked.done, looked.share, counted(looked.outlook)) == (False, 0, Counter())
        assert db.session.scalar(select(func.count(Outlook.id))) == 0
    first = look()
    assert first.done
    join(readers, person("Zoe"))
    with looking._WORKING:
        looked = look(later=60)
    assert (looked.done, looked.outlook.id) == (False, first.outlook.id)
    assert look(later=61).done, "the lock is given back"
