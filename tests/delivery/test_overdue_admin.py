"""Emails that came too late, in the back office (semantics 3.16)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from newsletter import clock
from newsletter.accounts.queries import audit_log
from newsletter.database.engine import db, transaction
from newsletter.delivery import jobs, overdue_admin
from newsletter.delivery.models import Delivery, Event
from newsletter.delivery.rules import OVERDUE, EventKind, Lane, State
from tests.accounts.people import signed_in
from tests.people import ALICE, BOB, note_writer, person, planned, register


@pytest.fixture
def operator(app: Flask) -> FlaskClient:
    """A signed-in operator's browser, on a site where a room writes tales."""
    register(app, {"tale": note_writer(marketing=True)})
    return signed_in(app)


def late(*addresses: str, reason: str = "tale:1") -> list[int]:
    """Emails to these people that were due three days ago and that the worker has found too late."""
    due = clock.now() - timedelta(days=3)
    with transaction() as session:
        for address in addresses:
            planned(session, person(session, address), reason=reason, lane=Lane.SEQUENCE, due_at=due, now=due)
    send()
    db.session.rollback()
    return list(db.session.scalars(select(Delivery.id).where(Delivery.due_at == OVERDUE).order_by(Delivery.id)))


def send() -> None:
    while jobs.send_due():
        pass


def states() -> list[str]:
    db.session.rollback()
    found = select(Delivery.state).order_by(Delivery.id)
    return [str(state) for state in db.session.scalars(found)]


def page(client: FlaskClient, path: str = "/admin/ledger/overdue") -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def test_3_16_the_list_says_who_what_and_since_when(operator: FlaskClient) -> None:
    late(ALICE, BOB)
    told = page(operator)
    assert all(words in told for words in (ALICE, BOB, "tale:1", "3 days ago", "48 hours"))
    assert "2 emails of series are too late" in page(operator, "/admin/ledger")
    assert "2 emails of series are too late" in page(operator, "/admin/")


def test_3_16_one_is_sent_after_all(operator: FlaskClient) -> None:
    first, _ = late(ALICE, BOB)
    answer = operator.post("/admin/ledger/overdue", data={"verdict": f"send:{first}"}, follow_redirects=True)
    assert "1 email goes out now" in answer.get_data(as_text=True)
    send()
    assert states() == [State.ACCEPTED, State.PLANNED]
    noted = db.session.execute(select(Event.delivery_id, Event.kind, Event.detail)).all()
    assert noted == [(first, EventKind.LATE, "By Alice Berg.")]


def test_3_16_one_is_left_out(operator: FlaskClient) -> None:
    first, _ = late(ALICE, BOB)
    answer = operator.post("/admin/ledger/overdue", data={"verdict": f"skip:{first}"}, follow_redirects=True)
    assert "1 email is left out" in answer.get_data(as_text=True)
    send()
    assert states() == [State.CANCELED, State.PLANNED]
    assert "too late" in db.session.get_one(Delivery, first).state_why


def test_3_16_those_that_are_ticked(operator: FlaskClient) -> None:
    ids = late(ALICE, BOB, "dora@example.org")
    operator.post("/admin/ledger/overdue", data={"verdict": "send", "id": [str(one) for one in ids[:2]]})
    send()
    assert states() == [State.ACCEPTED, State.ACCEPTED, State.PLANNED]


@pytest.mark.parametrize(("verdict", "state"), [("send:all", State.ACCEPTED), ("skip:all", State.CANCELED)])
def test_3_16_all_of_them_slice_by_slice(
    operator: FlaskClient, verdict: str, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overdue_admin, "SLICE", 2)
    late(*(f"reader{number}@example.org" for number in range(5)))
    operator.post("/admin/ledger/overdue", data={"verdict": verdict, "many": "5"})
    send()
    assert states() == [state] * 5
    actions = {entry.action for entry, _ in db.session.execute(audit_log())}
    assert ("overdue.sent" if state is State.ACCEPTED else "overdue.skipped") in actions


def test_3_16_all_means_as_many_as_were_shown(operator: FlaskClient) -> None:
    late(ALICE, BOB)
    answer = operator.post("/admin/ledger/overdue", data={"verdict": "skip:all", "many": "1"})
    assert answer.status_code == 400
    assert "number has changed" in answer.get_data(as_text=True)
    assert states() == [State.PLANNED] * 2


@pytest.mark.parametrize("form", [{}, {"verdict": "send"}, {"verdict": "send:999"}, {"verdict": "burn:1"}])
def test_nothing_chosen_changes_nothing(operator: FlaskClient, form: dict[str, str]) -> None:
    late(ALICE)
    assert operator.post("/admin/ledger/overdue", data=form).status_code == 400
    assert states() == [State.PLANNED]


def test_only_what_is_held_can_be_decided_about(operator: FlaskClient) -> None:
    with transaction() as session:
        planned(session, person(session, ALICE), reason="tale:1", due_at=clock.now() + timedelta(days=1))
    (waiting,) = db.session.scalars(select(Delivery.id)).all()
    for verdict in ("send", "skip"):
        assert operator.post("/admin/ledger/overdue", data={"verdict": f"{verdict}:{waiting}"}).status_code == 400
    assert states() == [State.PLANNED]


def test_3_17_two_late_ones_of_one_reader_still_go_on_two_days(operator: FlaskClient) -> None:
    late(ALICE)
    late(ALICE, reason="tale:2")
    operator.post("/admin/ledger/overdue", data={"verdict": "send:all", "many": "2"})
    send()
    assert sorted(states()) == [State.ACCEPTED, State.PLANNED]


def test_from_its_own_page_it_goes_whatever_the_day_has(operator: FlaskClient) -> None:
    (first,) = late(ALICE)
    told = page(operator, f"/admin/ledger/{first}")
    assert "Waits for you: it is late" in told
    assert operator.post(f"/admin/ledger/{first}/send-now").status_code == 302
    send()
    assert states() == [State.ACCEPTED]


def test_nothing_late_is_said_so(operator: FlaskClient) -> None:
    assert "Nothing is late" in page(operator)


def test_charlie_is_refused(sqlite_app: Flask) -> None:
    charlie = sqlite_app.test_client()
    assert charlie.get("/admin/ledger/overdue").status_code == 302
    assert charlie.post("/admin/ledger/overdue", data={"verdict": "send:1"}).status_code in {302, 401, 403}
