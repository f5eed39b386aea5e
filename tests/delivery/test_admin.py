"""The outbox in the back office."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, select

from newsletter import addresses, clock
from newsletter.accounts.queries import audit_log
from newsletter.audience import actions as audience
from newsletter.audience.rules import Status
from newsletter.database.engine import db, transaction
from newsletter.delivery import actions, admin, handover, timeline
from newsletter.delivery.models import Delivery, Event, Relay
from newsletter.delivery.relay_rules import Source
from newsletter.delivery.rules import EventKind, Lane, Reply, State
from newsletter.tracking.models import Click, Link
from tests.accounts.people import signed_in

POSTS = ("cancel", "send-now", "send-again", "count-as-sent")


@pytest.fixture
def operator(app: Flask) -> FlaskClient:
    """A signed-in operator's browser."""
    return signed_in(app)


def plan(email: str = "alice@example.org", reason: str = "broadcast:1", lane: Lane = Lane.BULK, hours: int = 24) -> int:
    with transaction() as session:
        person = audience.remember(session, addresses.parse(email), source="test", now=clock.now())
        person.status, person.marketing = Status.CONFIRMED, True
        due = clock.now() + timedelta(hours=hours)
        actions.plan(session, reason=reason, subscriber_id=person.id, lane=lane, due_at=due, now=clock.now())
        session.flush()
        return session.query(Delivery.id).filter_by(reason=reason, subscriber_id=person.id).scalar()


def state(delivery_id: int) -> str:
    db.session.rollback()
    return db.session.get_one(Delivery, delivery_id, populate_existing=True).state


def make_unknown(delivery_id: int) -> None:
    with transaction() as session:
        lane = session.get_one(Delivery, delivery_id, populate_existing=True).lane
        handover.claim_due(session, "worker", clock.now() + timedelta(days=2), 10, Lane(lane))
        handover.begin_sending(session, [delivery_id], "worker")
        lost, named = [(delivery_id, Reply(0, text="lost"))], {delivery_id: "Hello"}
        handover.record(session, lost, relay="mx:25", subjects=named, now=clock.now())


def test_charlie_is_refused(client: FlaskClient) -> None:
    number = plan()
    assert client.get("/admin/ledger").location.startswith("/admin/sign-in")
    assert client.get(f"/admin/ledger/{number}").status_code == 302
    for verb in POSTS:
        assert client.post(f"/admin/ledger/{number}/{verb}").status_code == 403
    for path in ("decide", "pause", "go-on"):
        assert client.post(f"/admin/ledger/{path}").status_code == 403
    assert state(number) == State.PLANNED


def test_lists_filters_and_searches(operator: FlaskClient) -> None:
    plan("alice@example.org", "confirm:7", Lane.TRANSACTIONAL, hours=0)
    plan("bob@example.org", "broadcast:1")
    everything = operator.get("/admin/ledger").text
    assert "alice@example.org" in everything
    assert "Confirmation of a sign-up" in everything
    for query, seen, unseen in (
        ("q=ALICE", "alice@", "bob@"),
        ("kind=broadcast", "bob@", "alice@"),
        ("lane=0", "alice@", "bob@"),
        ("state=planned&q=bob", "bob@", "alice@"),
        ("reason=confirm:7", "alice@", "bob@"),
    ):
        page = operator.get(f"/admin/ledger?{query}").text
        assert seen in page, query
        assert unseen not in page, query
    assert "Nothing matches" in operator.get("/admin/ledger?state=unknown").text
    assert operator.get("/admin/ledger?state=nonsense&lane=x&kind=y").status_code == 200


def test_who_is_searched_for_never_stands_in_an_address(operator: FlaskClient) -> None:
    plan("alice@example.org", "broadcast:1")
    plan("bob@example.org", "broadcast:1")
    plan("bob@example.net", "broadcast:1")
    found = operator.post("/admin/ledger/find", data={"q": "bob@example.org", "state": "planned", "kind": "broadcast"})
    assert "bob" not in found.location
    page = operator.get(found.location).text
    for unseen in ("alice@", "bob@example.net"):
        assert unseen not in page
    assert page.count("bob@example.org") == 2, "the email, and the search that stays to be seen"
    links = re.findall(r'(?:href|action)="([^"]+)"', page)
    assert not [link for link in links if "bob" in link]
    everything = next(link for link in links if link.startswith("/admin/ledger?") and "state=" not in link)
    assert "alice@" not in operator.get(everything.replace("&amp;", "&")).text, "the search goes along"


def test_2_4_of_all_that_are_listed_only_those_who_were_searched_for(operator: FlaskClient) -> None:
    for who in ("alice@example.org", "bob@example.org"):
        make_unknown(plan(who))
    found = operator.post("/admin/ledger/find", data={"q": "bob@example.org", "state": "unknown"})
    page = operator.get(found.location).text
    sealed = re.search(r'<input type="hidden" name="q" value="([^"]+)"', page)
    assert sealed is not None
    chosen = {"q": sealed[1], "state": "unknown", "which": "all", "verdict": "sent"}
    assert "Count 1 email as sent?" in operator.get("/admin/ledger/decide", query_string=chosen).text
    forged = chosen | {"q": sealed[1][:-6] + "AAAAAA"}
    assert operator.get("/admin/ledger/decide", query_string=forged).status_code == 400, "never all of them"


def test_cancel_and_send_now(operator: FlaskClient) -> None:
    first, second = plan(), plan("bob@example.org")
    assert "Goes out" in operator.get(f"/admin/ledger/{first}").text
    operator.post(f"/admin/ledger/{first}/cancel")
    assert state(first) == State.CANCELED
    assert operator.post(f"/admin/ledger/{first}/cancel").status_code == 400
    assert operator.post(f"/admin/ledger/{first}/send-now").status_code == 400
    operator.post(f"/admin/ledger/{second}/send-now")
    assert db.session.get_one(Delivery, second, populate_existing=True).due_at <= clock.now()
    assert operator.post("/admin/ledger/9999/cancel").status_code == 404


def test_2_4_an_uncertain_email_waits_for_the_operator(operator: FlaskClient) -> None:
    first, second = plan(), plan("bob@example.org")
    make_unknown(first)
    page = operator.get(f"/admin/ledger/{first}").text
    assert "Did it arrive?" in page
    assert "mx:25: lost" in page
    operator.post(f"/admin/ledger/{first}/send-again")
    assert state(first) == State.PLANNED
    assert operator.post(f"/admin/ledger/{second}/send-again").status_code == 400
    make_unknown(first)
    operator.post(f"/admin/ledger/{first}/count-as-sent")
    assert state(first) == State.ACCEPTED


def test_the_room_of_an_email_gives_its_words(operator: FlaskClient, app: Flask) -> None:
    number = plan(reason="other:5")
    app.extensions["reason_words"] = {"other": lambda _session, reason: f"Words for {reason} <b>"}
    assert "Words for other:5 &lt;b&gt;" in operator.get(f"/admin/ledger/{number}").text


def relay(problem: str = "", name: str = "mx.example.org:25") -> None:
    with transaction() as session:
        made = Relay(name=name, source=Source.OPERATOR, host="mx.example.org", port=25, created_at=clock.now())
        made.problem, made.since = problem, clock.now() if problem else None
        made.retry_at = clock.now() + timedelta(minutes=4) if problem else None
        session.add(made)


def test_a_stopped_relay_is_told_on_top(operator: FlaskClient) -> None:
    plan()
    relay("It refuses our <b>sign-in</b>.")
    page = operator.get("/admin/ledger").text
    assert "It refuses our &lt;b&gt;sign-in&lt;/b&gt;." in page
    assert "Next try in" in page


def test_1_7_holding_a_lane_is_told_and_ends_with_a_press(operator: FlaskClient) -> None:
    """Pause everything: series and emails to many wait, confirmations and gifts still go."""
    plan()
    plan("bob@example.org", "confirm:7", Lane.TRANSACTIONAL)
    assert "Pause everything" in operator.get("/admin/ledger").text
    operator.post("/admin/ledger/pause")
    page = operator.get("/admin/ledger").text
    assert "Pause everything" not in page
    assert page.count("on hold.") == 2
    assert "The emails of series are on hold." in page
    later = clock.now() + timedelta(days=2)
    with transaction() as session:
        claimed = [one for lane in Lane for one in handover.claim_due(session, "worker", later, 10, lane)]
    assert [one.reason for one in claimed] == ["confirm:7"]
    assert operator.post("/admin/ledger/go-on", data={"what": "lane:1", "from": "overview"}).location == "/admin/"
    assert operator.get("/admin/ledger").text.count("on hold.") == 1
    assert operator.post("/admin/ledger/go-on").location == "/admin/ledger"
    assert "on hold" not in operator.get("/admin/ledger").text
    assert operator.post("/admin/ledger/go-on").status_code == 400
    done = [entry.action for entry, _ in db.session().execute(audit_log())][:3]
    assert done == ["sending.resumed", "sending.resumed", "sending.paused"]


def test_a_broadcast_on_hold_is_told_with_the_way_to_it(operator: FlaskClient) -> None:
    with transaction() as session:
        actions.hold(session, "broadcast:12", "More than 5% were <refused>.", clock.now())
    page = operator.get("/admin/ledger").text
    assert "More than 5% were &lt;refused&gt;." in page
    assert 'href="/admin/broadcasts/12"' in page
    assert operator.post("/admin/ledger/go-on", data={"what": "broadcast:12"}).status_code == 400


def several_unknown(many: int) -> list[int]:
    ids = [plan(f"reader{n}@example.org") for n in range(many)]
    with transaction() as session:
        handover.claim_due(session, "worker", clock.now() + timedelta(days=2), many, Lane.BULK)
        handover.begin_sending(session, ids, "worker")
        lost = [(one, Reply(0, text="lost")) for one in ids]
        handover.record(session, lost, relay="mx:25", subjects=dict.fromkeys(ids, "Hello"), now=clock.now())
    return ids


@pytest.mark.parametrize(("verdict", "to"), [("again", State.PLANNED), ("sent", State.ACCEPTED)])
def test_2_4_ticked_ones_are_decided_after_a_question(operator: FlaskClient, verdict: str, to: State) -> None:
    first, second, third = several_unknown(3)
    page = operator.get("/admin/ledger?state=unknown").text
    assert f'name="id" value="{first}"' in page
    asked = f"/admin/ledger/decide?verdict={verdict}&which=ticked&id={first}&id={second}&state=unknown"
    question = operator.get(asked).text
    assert "Up to 2 people may" in question
    assert {state(one) for one in (first, second, third)} == {State.UNKNOWN}
    form = {"verdict": verdict, "which": "ticked", "id": [first, second], "state": "unknown", "many": "2"}
    assert operator.post("/admin/ledger/decide", data=form).location == "/admin/ledger?state=unknown"
    assert [state(one) for one in (first, second, third)] == [to, to, State.UNKNOWN]
    assert operator.post("/admin/ledger/decide", data=form).status_code == 400  # decided already
    kinds = set(db.session().execute(select(Event.delivery_id, Event.kind, Event.detail)).all())
    kind = EventKind.AGAIN if verdict == "again" else EventKind.COUNTED
    assert kinds == {(first, kind, "By Alice Berg."), (second, kind, "By Alice Berg.")}
    entry, who = db.session().execute(audit_log()).first()  # type: ignore[misc]
    assert (entry.detail, who) == ({"emails": 2}, "Alice Berg")
    assert "An operator decided" in operator.get(f"/admin/ledger/{first}").text


def test_2_4_all_that_fit_are_decided_in_slices(operator: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin, "SLICE", 2)
    ids = several_unknown(5)
    other = plan("bob@example.org", "confirm:7", Lane.TRANSACTIONAL)
    asked = {"verdict": "sent", "which": "all", "state": "unknown", "reason": "broadcast:1"}
    assert "Up to 5 people may never have got theirs" in operator.get("/admin/ledger/decide", query_string=asked).text
    again = operator.post("/admin/ledger/decide", data=asked | {"many": "4"})  # one more became uncertain meanwhile
    assert "nothing was done yet" in again.text
    assert {state(one) for one in ids} == {State.UNKNOWN}
    operator.post("/admin/ledger/decide", data=asked | {"many": "5"})
    assert {state(one) for one in ids} == {State.ACCEPTED}
    assert state(other) == State.PLANNED
    assert "5 are counted as sent." in operator.get("/admin/ledger").text


def test_nothing_ticked_is_said(operator: FlaskClient) -> None:
    several_unknown(1)
    answer = operator.get("/admin/ledger/decide?verdict=again&which=ticked")
    assert answer.status_code == 400
    assert "No uncertain email is chosen." in answer.text
    assert operator.get("/admin/ledger/decide?verdict=again&which=ticked&id=99999999999999999999").status_code == 400


def test_one_email_tells_tries_clicks_and_decisions_in_one_query(operator: FlaskClient) -> None:
    number = plan()
    make_unknown(number)
    operator.post(f"/admin/ledger/{number}/send-again")
    with transaction() as session:
        handover.claim_due(session, "worker", clock.now() + timedelta(days=2), 10, Lane.BULK)
        handover.begin_sending(session, [number], "worker")
        full = [(number, Reply(452, "4.2.2", "4.2.2 <alice@example.org> over quota"))]
        handover.record(session, full, relay="mx:25", subjects={}, now=clock.now())
        session.add(Link(id=1, url="https://example.org/mat?a=1&b=2", digest="d"))
        session.flush()
        for robot in (True, False):
            session.add(Click(delivery_id=number, subscriber_id=1, link_id=1, at=clock.now(), robot=robot))
    page = operator.get(f"/admin/ledger/{number}").text
    order = [
        "Planned", "The answer was lost", "An operator decided: send it again", "By Alice Berg.",
        "Not now, said the mail server", "The mailbox is full.",
        "mx:25: 452 4.2.2 &lt;alice@example.org&gt; over quota", "A program opened a link",
        "https://example.org/mat?a=1&amp;b=2", "The reader pressed a link", "Is tried again",
    ]  # fmt: skip
    places = [page.index(words) for words in order]
    assert places == sorted(places)
    asked: list[str] = []
    connection = db.session().connection()
    event.listen(connection, "before_cursor_execute", lambda *given: asked.append(given[2]))
    assert len(timeline.lines(db.session(), number)) == 5
    assert len(asked) == 1
