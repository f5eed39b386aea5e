"""The operator's list of emails: filters, pages that go on along an index, and how it does with many."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, insert, select, update

from newsletter import clock
from newsletter.audience.models import Subscriber
from newsletter.database.engine import db, transaction
from newsletter.delivery import health, ledger
from newsletter.delivery.ledger import Filters
from newsletter.delivery.models import Delivery, Tally
from newsletter.delivery.rules import ENDED, PARKED, Lane, State
from tests.people import NOW, person


def fill(reason: str, lane: Lane, states: list[State], *, subject: str = "") -> None:
    """Emails of one reason to one reader each, in these states, counted as the ledger does."""
    with transaction() as session:
        known = session.scalars(select(Subscriber.id).order_by(Subscriber.id)).all()
        people = list(known) + [person(session, f"reader{n}@example.org").id for n in range(len(known), len(states))]
        rows = [
            {
                "reason": reason, "subscriber_id": people[n], "lane": int(lane), "state": state, "state_why": "",
                "due_at": NOW + timedelta(minutes=n), "planned_at": NOW, "message_id": f"<{reason}.{n}@example.org>",
                "subject": subject, "attempts": 0, "first_tried_at": NOW + timedelta(seconds=n),
                "lease_until": NOW if state in {State.CLAIMED, State.SENDING} else None,
                "ended_at": NOW + timedelta(minutes=n) if state in ENDED else None,
            }
            for n, state in enumerate(states)
        ]  # fmt: skip
        session.execute(insert(Delivery), rows)
        batch = reason if lane == Lane.BULK else f"lane:{int(lane)}"
        for state in set(states):
            found = session.get(Tally, (batch, state)) or Tally(batch=batch, state=state, count=0)
            found.count += states.count(state)
            session.add(found)


def walk(asked: Filters) -> list[int]:
    """The ids of every page in turn."""
    seen: list[int] = []
    after = ""
    for _ in range(100):
        page = ledger.page(db.session(), asked, after)
        seen += [row.id for row, _ in page.rows]
        if not page.older:
            return seen
        after = page.older
    raise AssertionError("the list does not end")


@pytest.mark.parametrize("state", list(State))
def test_each_state_is_listed_once_and_whole(app: Flask, state: State) -> None:
    fill("broadcast:1", Lane.BULK, [state, State.PLANNED, State.ACCEPTED] * 20)
    wanted = set(db.session().scalars(select(Delivery.id).where(Delivery.state == state)))
    seen = walk(Filters(state=state))
    assert len(seen) == len(set(seen))
    assert set(seen) == wanted


def test_what_waits_is_listed_in_the_order_it_goes_out_and_what_ended_latest_first(app: Flask) -> None:
    fill("broadcast:1", Lane.BULK, [State.PLANNED, State.ACCEPTED] * 3)
    fill("confirm:1", Lane.TRANSACTIONAL, [State.PLANNED])
    waiting = [row for row, _ in ledger.page(db.session(), Filters(state="planned")).rows]
    assert [row.lane for row in waiting] == [0, 2, 2, 2]
    assert [row.due_at for row in waiting[1:]] == sorted(row.due_at for row in waiting[1:])
    ended = [row.ended_at for row, _ in ledger.page(db.session(), Filters(state="accepted")).rows]
    assert ended == sorted(ended, reverse=True)


@pytest.mark.parametrize(
    ("asked", "many"),
    [
        (Filters(), 70),
        (Filters(reason="broadcast:1"), 60),
        (Filters(reason="broadcast:1", state="unknown"), 20),
        (Filters(reason="broadcast:2", state="accepted"), 0),
        (Filters(lane="0"), 10),
        (Filters(kind="broadcast"), 60),
        (Filters(kind="confirm", state="accepted"), 10),
        (Filters(search="stretch"), 60),
        (Filters(search="READER3@example.org"), 2),
        (Filters(search="reader3@"), 2),
        (Filters(search="er3"), 12),
        (Filters(search="%"), 0),
        (Filters(search="nobody"), 0),
        (Filters(state="nonsense", lane="x", kind="y"), 70),
    ],
)
def test_every_filter_lists_what_fits_on_any_number_of_pages(app: Flask, asked: Filters, many: int) -> None:
    fill("broadcast:1", Lane.BULK, [State.UNKNOWN, State.PLANNED, State.CANCELED] * 20, subject="Time to stretch")
    fill("confirm:1", Lane.TRANSACTIONAL, [State.ACCEPTED] * 10, subject="Please confirm")
    seen = walk(asked)
    assert len(seen) == len(set(seen)) == many


def test_half_an_address_that_fits_many_people_leaves_out_nobody(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "PEOPLE", 5)
    fill("broadcast:1", Lane.BULK, [State.UNKNOWN] * 30)
    for search in ("@example.org", "EXAMPLE.org", "reader"):
        assert len(walk(Filters(search=search))) == 30
        assert ledger.count_uncertain(db.session(), Filters(search=search)) == 30
    assert len(walk(Filters(search="reader7@"))) == 1


def test_a_search_stops_now_and_then_and_finds_everything_in_the_end(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "LOOK", 10)
    fill("broadcast:1", Lane.BULK, [State.ACCEPTED] * 45, subject="Time to stretch")
    fill("confirm:1", Lane.TRANSACTIONAL, [State.ACCEPTED] * 45, subject="Please confirm")
    first = ledger.page(db.session(), Filters(search="stretch"))
    assert first.looked
    assert not first.rows  # the confirmations are the newer ones
    assert len(walk(Filters(search="stretch"))) == 45


@pytest.mark.parametrize("after", ["x", "1~2", "-1", "99999999999999999999", "2026-01-01~1", "٣", "~"])
def test_a_place_that_is_nonsense_is_the_top(app: Flask, after: str) -> None:
    fill("broadcast:1", Lane.BULK, [State.ACCEPTED] * 3)
    for asked in (Filters(), Filters(state="accepted")):
        assert len(ledger.page(db.session(), asked, after).rows) in {0, 3}


def test_totals_are_read_and_not_counted(app: Flask) -> None:
    fill("broadcast:1", Lane.BULK, [State.ACCEPTED, State.UNKNOWN])
    fill("magnet:1", Lane.TRANSACTIONAL, [State.ACCEPTED])
    with transaction() as session:
        session.add(Tally(batch="relay:mx:25", state=State.ACCEPTED, count=99))
    session = db.session()
    assert health.totals(session) == {State.ACCEPTED: 2, State.UNKNOWN: 1}
    assert health.totals(session, lane=Lane.TRANSACTIONAL) == {State.ACCEPTED: 1}
    assert health.totals(session, reason="broadcast:1") == {State.ACCEPTED: 1, State.UNKNOWN: 1}
    assert health.attempts_made(session) == {("mx:25", "accepted"): 99}


def test_the_latest_emails_to_many_are_offered_by_number(app: Flask) -> None:
    for number in (2, 10, 9):
        fill(f"broadcast:{number}", Lane.BULK, [State.ACCEPTED, State.PLANNED])
    assert ledger.batches(db.session()) == ["broadcast:10", "broadcast:9", "broadcast:2"]


def test_the_age_of_each_lane_leaves_out_what_is_on_hold_or_not_due(app: Flask) -> None:
    fill("broadcast:1", Lane.BULK, [State.PLANNED, State.DEFERRED])
    fill("confirm:1", Lane.TRANSACTIONAL, [State.ACCEPTED])
    assert health.oldest_due(db.session(), NOW + timedelta(hours=1)) == {Lane.BULK: NOW}
    assert health.oldest_due(db.session(), NOW - timedelta(hours=1)) == {}
    with transaction() as session:
        session.execute(update(Delivery).values(due_at=PARKED))
    assert health.oldest_due(db.session(), clock.now()) == {}


ASKED = [
    Filters(),
    *(Filters(state=state) for state in State),
    Filters(reason="broadcast:1"),
    Filters(reason="broadcast:1", state="unknown"),
    Filters(lane="0"),
    Filters(search="stretch"),
    Filters(search="reader3@example.org"),
]


def plans(ask: Callable[[], object]) -> list[str]:
    """How the database means to answer each question about deliveries, when it believes that there are many."""
    asked: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        asked.append((statement, parameters))

    connection = db.session().connection()
    event.listen(connection, "before_cursor_execute", note)
    ask()
    event.remove(connection, "before_cursor_execute", note)
    lite = connection.dialect.name == "sqlite"
    for way in () if lite else ("seqscan", "bitmapscan", "sort"):
        connection.exec_driver_sql(f"SET LOCAL enable_{way} = off")
    explain = "EXPLAIN QUERY PLAN " if lite else "EXPLAIN "
    return [
        "\n".join(str(row[-1]) for row in connection.exec_driver_sql(explain + statement, parameters))
        for statement, parameters in asked
        if "deliveries" in statement.partition("FROM")[2]
    ]


@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_the_list_goes_along_an_index_and_sorts_nothing(app: Flask, asked: Filters) -> None:
    fill("broadcast:1", Lane.BULK, [State.UNKNOWN, State.PLANNED, State.ACCEPTED, State.DEFERRED] * 20)
    first = ledger.page(db.session(), asked)
    told = plans(lambda: ledger.page(db.session(), asked, first.older))
    assert told
    for plan in told:
        if asked.state or asked.reason:  # else the table itself is the way, in the order of its ids
            assert "SCAN deliveries" not in plan.replace("SCAN deliveries USING INDEX", ""), plan
        assert "Seq Scan on deliveries" not in plan, plan
        if "@" not in asked.search:  # the few emails of one person are sorted
            assert "USE TEMP B-TREE FOR ORDER BY" not in plan, plan
            assert "->  Sort" not in plan, plan
            assert not plan.startswith("Sort"), plan


def test_the_figures_of_the_back_office_go_along_indexes(app: Flask) -> None:
    fill("broadcast:1", Lane.BULK, [State.UNKNOWN, State.PLANNED, State.ACCEPTED, State.SENDING] * 20)
    session = db.session()
    asked: list[Callable[[], object]] = [
        lambda: health.oldest_due(session, NOW),
        lambda: health.stuck(session, NOW),
        lambda: health.ended_since(session, [State.ACCEPTED], NOW),
        lambda: health.next_out(session, 6),
        lambda: ledger.uncertain(session, Filters()),
        lambda: ledger.count_uncertain(session, Filters()),
    ]
    for ask in asked:
        for plan in plans(ask):
            assert "ix_deliveries_" in plan, plan
