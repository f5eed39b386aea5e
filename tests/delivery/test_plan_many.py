"""Planning for many: as cheap as the rows themselves, and still each person once for each reason."""

from __future__ import annotations

import re
import time
from itertools import combinations
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, inspect, select
from sqlalchemy.orm import Session

import newsletter
from newsletter.audience import queries as audience
from newsletter.audience.models import Subscriber
from newsletter.database.engine import db, transaction
from newsletter.delivery import actions
from newsletter.delivery.models import Delivery, Tally, in_state
from newsletter.delivery.rules import Lane, State
from tests.people import NOW, person, planned
from tests.threads import at_once

PEOPLE = 30


def crowd() -> None:
    with transaction() as session:
        for number in range(PEOPLE):
            person(session, f"person{number}@example.org")


def plan(session: Session, reason: str = "broadcast:1", *, but: int = 0) -> int:
    """For everybody, or for those with a higher id."""
    everyone = audience.reachable().where(Subscriber.id > but)
    return actions.plan_many(session, reason=reason, subscribers=everyone, lane=Lane.BULK, due_at=NOW, now=NOW)


def counted() -> tuple[int, int]:
    """How many rows the ledger has, and how many the tally says."""
    return (
        db.session.scalar(select(func.count()).select_from(Delivery)) or 0,
        db.session.scalar(select(Tally.count).where(Tally.batch == "broadcast:1")) or 0,
    )


def test_2_1_planned_again_nobody_has_two_and_those_who_were_missing_get_one(app: Flask) -> None:
    crowd()
    with transaction() as session:
        assert plan(session, but=10) == PEOPLE - 10
    with transaction() as session:
        assert plan(session) == 10
        assert plan(session) == 0
    assert counted() == (PEOPLE, PEOPLE)


def test_2_1_what_the_transaction_did_before_stays_when_somebody_has_one_already(app: Flask) -> None:
    """On PostgreSQL the first try fails as a whole; only that is taken back."""
    crowd()
    with transaction() as session:
        planned(session, session.get_one(Subscriber, 1), reason="broadcast:1")
    with transaction() as session:
        session.get_one(Subscriber, 2).first_name = "Bob"
        session.flush()
        assert plan(session) == PEOPLE - 1
    db.session.remove()
    assert db.session.get_one(Subscriber, 2).first_name == "Bob"
    assert counted()[0] == PEOPLE


def test_2_5_planned_by_two_workers_at_once_everybody_has_one(app: Flask) -> None:
    crowd()

    def work(_number: int) -> int:
        with transaction() as session:
            new = plan(session)
            time.sleep(0.05)  # the other one meets rows that are not committed yet
            return new

    assert sorted(at_once(app, 2, work)) == [0, PEOPLE]
    assert counted() == (PEOPLE, PEOPLE)


def test_rows_in_some_states_are_those_whichever_way_it_is_said(app: Flask) -> None:
    """The words of partial indexes name states that are meant or, of many, those that are not."""
    with transaction() as session:
        someone = person(session)
        for state in State:
            planned(session, someone, reason=f"broadcast:{state.value}")
            one = select(Delivery).where(Delivery.reason == f"broadcast:{state.value}")
            session.scalars(one).one().state = state
    for many in range(1, len(State)):
        for states in combinations(State, many):
            found = set(db.session.scalars(select(Delivery.state).where(in_state(*states))))
            assert found == set(states)


@pytest.mark.parametrize("name", ["waiting", "leased", "tried", "past", "unsettled"])
def test_no_index_of_the_ledger_asks_for_a_list_of_more_than_two(name: str) -> None:
    """A planned row that is in none of them paid four fifths of itself for one list of five (SQLite)."""
    table = Delivery.__table__
    (index,) = (one for one in table.indexes if one.name == f"ix_deliveries_{name}")  # type: ignore[attr-defined]
    words = str(index.dialect_options["sqlite"]["where"])
    assert [listed for listed in re.findall(r"IN \(([^)]*)\)", words) if listed.count(",") > 1] == []


def test_a_reader_is_never_deleted_so_the_ledger_needs_no_foreign_key_to_them(app: Flask) -> None:
    """Erasing and merging empty the row. To check a key for each row planned costs PostgreSQL twice the row itself."""
    referred = {key["referred_table"] for key in inspect(db.engine).get_foreign_keys("deliveries")}
    assert referred == set()
    rooms = Path(newsletter.__file__).parent
    deleting = re.compile(
        r"delete\(\s*(?:Subscriber|person|reader|subscriber|keep|drop)\s*\)|DELETE\s+FROM\s+subscribers\b", re.I
    )
    assert [path.name for path in rooms.rglob("*.py") if deleting.search(path.read_text())] == []
