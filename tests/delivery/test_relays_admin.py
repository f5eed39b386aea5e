"""The mail servers in the back office: adding, changing, ordering, trying, forgetting; and who may not."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from newsletter import clock
from newsletter.accounts.models import AuditEntry
from newsletter.database.engine import db, transaction
from newsletter.delivery import jobs, relay_rows, routing
from newsletter.delivery.models import Relay, RelayDay
from newsletter.delivery.rules import Lane, Reply
from newsletter.settings import Smtp
from tests.accounts.people import signed_in
from tests.delivery.peer import Peer, free_port, serving

SECRET = "hunter2 and more"
FORM = {
    "host": "smtp.example.org",
    "port": "587",
    "security": "require",
    "username": "studio",
    "password": SECRET,
    "name": "",
    "at_once": "yes",
    "series": "yes",
    "to_many": "yes",
    "rate": "",
    "connections": "4",
    "daily_cap": "",
    "share": "",
    "warmup_name": "",
    "warmup_start": "",
    "warmup_numbers": "",
}
POSTS = ("test", "switch", "move", "try-now", "delete")


@pytest.fixture
def app(sqlite_app: Flask) -> Flask:
    """On one database: what the pages ask of it is asked on both in test_routing."""
    return sqlite_app


@pytest.fixture
def operator(app: Flask) -> FlaskClient:
    """A signed-in operator's browser."""
    return signed_in(app)


def add(operator: FlaskClient, **typed: str) -> int:
    """A relay added through the form; its number."""
    answer = operator.post("/admin/relays/new", data=FORM | typed)
    assert answer.status_code == 302, answer.text
    return max(row.id for row in relays())


def relays() -> list[Relay]:
    db.session.rollback()
    return db.session.query(Relay).order_by(Relay.priority, Relay.id).populate_existing().all()


def one(relay_id: int) -> Relay:
    return next(row for row in relays() if row.id == relay_id)


def words(operator: FlaskClient) -> str:
    """The list as it reads."""
    page = re.sub(r"<[^>]+>", " ", operator.get("/admin/relays").text)
    return re.sub(r"\s+", " ", page)


def use(app: Flask, monkeypatch: pytest.MonkeyPatch, smtp: Smtp | None) -> None:
    monkeypatch.setitem(app.extensions, "settings", replace(app.extensions["settings"], smtp=smtp))


def test_charlie_is_refused(operator: FlaskClient, app: Flask) -> None:
    number = add(operator)
    charlie = app.test_client()
    for path in ("/admin/relays", "/admin/relays/new", f"/admin/relays/{number}", "/admin/relays/dns"):
        assert charlie.get(path).location.startswith("/admin/sign-in")
    for verb in POSTS:
        assert charlie.post(f"/admin/relays/{number}/{verb}").status_code == 403
    assert charlie.post("/admin/relays/new", data=FORM | {"host": "evil.example"}).status_code == 403
    assert charlie.post(f"/admin/relays/{number}", data=FORM | {"host": "evil.example"}).status_code == 403
    assert [(row.host, row.enabled) for row in relays()] == [("smtp.example.org", True)]


def test_nothing_yet_says_where_the_emails_go(operator: FlaskClient) -> None:
    assert "No mail server yet" in words(operator)
    assert 'href="/admin/relays"' in operator.get("/admin/account").text, "the navigation leads there"


def test_2_9_added_and_used(operator: FlaskClient) -> None:
    number = add(operator, rate="2,5", daily_cap="4000", share="40", connections="50")
    row = one(number)
    assert (row.name, row.rate, row.daily_cap, row.share, row.connections) == (
        "smtp.example.org:587",
        2.5,
        4000,
        40,
        50,
    )
    with transaction() as session:
        [way] = routing.ways(session, clock.now())
    assert way.smtp == Smtp("smtp.example.org", 587, "studio", SECRET, implicit_tls=False, starttls="require")
    page = words(operator)
    assert "Takes mail" in page
    assert "2.5 a second (40% for one domain)" in page
    assert "of at most 4,000" in page


def test_a_password_is_sealed_and_never_shown_again(operator: FlaskClient) -> None:
    number = add(operator)
    assert SECRET not in one(number).password
    for path in ("/admin/relays", f"/admin/relays/{number}", "/admin/activity"):
        assert SECRET not in operator.get(path).text
    wrong = operator.post(f"/admin/relays/{number}", data=FORM | {"port": "x"})
    assert wrong.status_code == 400
    assert SECRET not in wrong.text


def test_changed_without_typing_the_password_again(operator: FlaskClient) -> None:
    number = add(operator)
    kept = one(number).password
    answer = operator.post(f"/admin/relays/{number}", data=FORM | {"password": "", "daily_cap": "9", "to_many": ""})
    assert answer.status_code == 302
    assert (one(number).password, one(number).daily_cap, one(number).to_many) == (kept, 9, False)


@pytest.mark.parametrize(
    "change", [{"host": "evil.example"}, {"port": "2525"}, {"security": "auto"}, {"username": "x"}]
)
def test_a_kept_password_goes_nowhere_else(operator: FlaskClient, change: dict[str, str]) -> None:
    """Whoever sits down at an open back office could otherwise have it sent to a server of their own."""
    number = add(operator)
    answer = operator.post(f"/admin/relays/{number}", data=FORM | {"password": ""} | change)
    assert answer.status_code == 400
    assert "Type the password too." in answer.text
    assert one(number).host == "smtp.example.org"
    assert operator.post(f"/admin/relays/{number}", data=FORM | change).status_code == 302


def test_without_a_user_name_no_password_is_kept(operator: FlaskClient) -> None:
    number = add(operator)
    operator.post(f"/admin/relays/{number}", data=FORM | {"username": "", "password": ""})
    assert (one(number).username, one(number).password) == ("", "")


def test_nonsense_is_refused_in_words(operator: FlaskClient) -> None:
    answer = operator.post("/admin/relays/new", data=FORM | {"port": "99999", "share": "20"})
    assert answer.status_code == 400
    assert "A number from 1 to 65535" in answer.text
    assert "A share of what?" in answer.text
    assert "2 fields want another look. Nothing was changed yet." in answer.text
    assert relays() == []


def test_two_of_one_name_would_be_one_in_every_story(operator: FlaskClient) -> None:
    add(operator)
    answer = operator.post("/admin/relays/new", data=FORM)
    assert answer.status_code == 400
    assert "a name of its own" in answer.text
    add(operator, name="the other account")
    assert [row.name for row in relays()] == ["smtp.example.org:587", "the other account"]


def test_2_9_a_warm_up_plan_is_shown_as_a_table_and_counted(operator: FlaskClient) -> None:
    today = relay_rows.today(clock.now())
    yesterday = today - timedelta(days=1)
    number = add(operator, warmup_name="own", warmup_numbers="50, 100; 200", warmup_start=yesterday.isoformat())
    with transaction() as session:
        session.add(RelayDay(relay_id=number, day=today, drawn=30, accepted=30))
    assert "Warming up: day 2 of 3, 30 of 100 sent today." in words(operator)
    form = operator.get(f"/admin/relays/{number}").text
    assert form.count('aria-current="date"') == 1
    assert ">200<" in form
    with transaction() as session:
        assert routing.draw(session, number, "worker", 500, clock.now()).emails == 70
    assert "Today’s emails are used up" in words(operator)


def test_a_preset_begins_today(operator: FlaskClient) -> None:
    row = one(add(operator, warmup_name="steady"))
    assert row.warmup_start == relay_rows.today(clock.now())
    assert row.warmup_plan[:4] == [50, 70, 98, 140]
    assert len(row.warmup_plan) == 21
    assert one(add(operator, name="old", warmup_name="", warmup_start="2026-01-01")).warmup_start is None


def test_2_8_a_resting_relay_says_until_when_and_why(operator: FlaskClient) -> None:
    number = add(operator)
    with transaction() as session:
        routing.failed(session, number, "535 5.7.8 <b>Wrong</b> password", clock.now())
    page = words(operator)
    assert "Resting until" in page
    assert "Because: 535 5.7.8 &lt;b&gt;Wrong&lt;/b&gt; password" in page
    operator.post(f"/admin/relays/{number}/try-now")
    assert "On trial after a rest" in words(operator)
    operator.post(f"/admin/relays/{number}", data=FORM | {"password": "the right one"})
    assert "Takes mail" in words(operator)


def test_2_8_what_was_slowed_down_is_told(operator: FlaskClient) -> None:
    number = add(operator)
    with transaction() as session:
        routing.slow_down(session, number, "slow.example", Reply(451, "4.7.0", "Too many"), clock.now())
    assert "1 domain asked for fewer emails slow.example: 4 a second" in words(operator)
    with transaction() as session:
        routing.slow_down(session, number, "", Reply(421, "4.7.0", "Too many"), clock.now())
    assert "It asked for fewer emails; now 10 a second." in words(operator)


def test_switched_off_and_on(operator: FlaskClient) -> None:
    number = add(operator)
    operator.post(f"/admin/relays/{number}/switch", data={"on": ""})
    assert not one(number).enabled
    page = words(operator)
    assert "Switched off" in page
    assert "No mail server in use takes these emails: At once, Series, To many." in page
    operator.post(f"/admin/relays/{number}/switch", data={"on": "yes"})
    assert "Takes mail" in words(operator)


def test_a_lane_that_nobody_takes_is_told(operator: FlaskClient) -> None:
    add(operator, to_many="")
    assert "No mail server in use takes these emails: To many." in words(operator)
    add(operator, name="second", at_once="", series="")
    assert "No mail server in use" not in words(operator)


def test_the_order_is_changed_step_by_step(operator: FlaskClient) -> None:
    first, second = add(operator, name="first"), add(operator, name="second")
    assert [row.priority for row in relays()] == [1, 2]
    operator.post(f"/admin/relays/{second}/move", data={"to": "earlier"})
    assert [row.priority for row in relays()] == [1, 1]
    assert "They share the load" in words(operator)
    operator.post(f"/admin/relays/{second}/move", data={"to": "earlier"})
    assert [row.id for row in relays()] == [second, first]
    operator.post(f"/admin/relays/{second}/move", data={"to": "later"})
    operator.post(f"/admin/relays/{second}/move", data={"to": "later"})
    assert [row.id for row in relays()] == [first, second]
    with transaction() as session:
        assert [way.name for way in routing.ways(session, clock.now())] == ["first"]


def test_deleted_with_all_that_was_kept(operator: FlaskClient) -> None:
    number = add(operator)
    with transaction() as session:
        routing.draw(session, number, "worker", 5, clock.now())
        routing.worked(session, number, 5, clock.now())
    assert operator.post(f"/admin/relays/{number}/delete").status_code == 302
    assert relays() == []
    for path in (f"/admin/relays/{number}", f"/admin/relays/{number}/delete"):
        assert operator.post(path).status_code == 404


def test_the_relay_of_smtp_url_has_limits_but_no_address_to_change(
    operator: FlaskClient, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(app, monkeypatch, Smtp("mx.example.org", 587, "studio", SECRET, implicit_tls=False, starttls="require"))
    assert "mx.example.org:587" in words(operator)
    [row] = relays()
    assert SECRET not in str(row.__dict__)
    assert 'name="host"' not in operator.get(f"/admin/relays/{row.id}").text
    assert (
        operator.post(f"/admin/relays/{row.id}", data=FORM | {"host": "evil.example", "rate": "7"}).status_code == 302
    )
    assert (one(row.id).host, one(row.id).rate) == ("mx.example.org", 7.0)
    assert operator.post(f"/admin/relays/{row.id}/delete").status_code == 400
    use(app, monkeypatch, None)
    assert "No mail server yet" in words(operator)
    assert operator.get(f"/admin/relays/{row.id}").status_code == 404


@pytest.mark.filterwarnings("ignore:Requiring AUTH")
def test_trying_the_connection_signs_in_and_sends_nothing(operator: FlaskClient) -> None:
    with serving(Peer(), sign_in=True) as peer:
        typed = {"host": "127.0.0.1", "port": str(peer.port), "security": "never"}
        good = add(operator, **typed, username="bob", password="right")
        bad = add(operator, **typed, name="wrong", username="bob", password="not this one")
        for number in (good, bad):
            with transaction() as session:
                routing.failed(session, number, "it was down", clock.now())
        said = operator.post(f"/admin/relays/{good}/test", follow_redirects=True).text
        assert "answers and lets us in. Nothing was sent." in said
        assert "On trial after a rest" in said, "a good try ends its rest"
        said = operator.post(f"/admin/relays/{bad}/test", follow_redirects=True).text
        assert "flash-problem" in said
        assert "535" in said
        assert peer.taken == []


def test_a_server_that_is_not_there_is_told_in_words(operator: FlaskClient) -> None:
    number = add(operator, host="127.0.0.1", port=str(free_port()), username="", password="")
    said = operator.post(f"/admin/relays/{number}/test", follow_redirects=True).text
    assert "flash-problem" in said
    assert "cannot be used" in said
    assert "Traceback" not in said


def test_a_password_of_another_secret_key_asks_to_be_typed_again(operator: FlaskClient) -> None:
    number = add(operator)
    with transaction() as session:
        session.get_one(Relay, number).password = "AAAA"
    assert "Type it again" in operator.post(f"/admin/relays/{number}/test", follow_redirects=True).text
    operator.post(f"/admin/relays/{number}", data=FORM)
    with transaction() as session:
        assert [way.lanes for way in routing.ways(session, clock.now())] == [tuple(Lane)]


def test_the_domains_records_are_there_to_copy(operator: FlaskClient) -> None:
    assert "Look again in a moment" in operator.get("/admin/relays/dns").text
    jobs.make_keys()
    page = operator.get("/admin/relays/dns").text
    assert "supple-rsa._domainkey.example.org" in page
    assert "v=DKIM1; k=ed25519; p=" in page
    assert "_dmarc.example.org" in page


def test_what_an_operator_does_is_in_the_audit_log_without_an_address(operator: FlaskClient) -> None:
    number = add(operator, host="127.0.0.1", port=str(free_port()), username="", password="")
    for verb in POSTS:
        operator.post(f"/admin/relays/{number}/{verb}")
    found = {row.action for row in db.session.query(AuditEntry) if row.subject == f"relay:{number}"}
    assert found == {"relay.added", "relay.tested", "relay.switched-off", "relay.moved", "relay.tried", "relay.deleted"}
    assert "Added a mail server" in operator.get("/admin/activity").text


def test_an_old_warm_up_does_not_hinder_a_change(operator: FlaskClient) -> None:
    number = add(operator, warmup_name="quick", warmup_start="2020-01-01")
    form = {"warmup_name": "quick", "warmup_start": "2020-01-01", "daily_cap": "5"}
    assert operator.post(f"/admin/relays/{number}", data=FORM | form).status_code == 302
    assert one(number).daily_cap == 5
