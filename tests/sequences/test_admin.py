"""Series in the back office."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from newsletter import clock
from newsletter.accounts import actions as accounts
from newsletter.accounts.models import AuditEntry
from newsletter.audience.rules import Status
from newsletter.database.engine import db, transaction
from newsletter.messages.source import parse
from newsletter.sequences.rules import EnrollmentState
from tests.sequences.conftest import at, emails, enrollment, join, person, run, sequence, step, turn

PASSWORD = "long enough to be hard to guess"


@pytest.fixture
def operator(sqlite_app: Flask) -> FlaskClient:
    """A signed-in operator's browser."""
    with transaction() as session:
        accounts.create_operator(session, "coach@example.org", PASSWORD, clock.now())
    client = sqlite_app.test_client()
    answer = client.post("/admin/sign-in", data={"email": "coach@example.org", "password": PASSWORD})
    assert answer.status_code == 302
    return client


def audited() -> list[str]:
    db.session.rollback()
    return list(db.session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)))


def words(subject: str = "Hello", body: str = "Some words.", preheader: str = "") -> dict[str, str]:
    return {"subject": subject, "preheader": preheader, "body": body}


def test_charlie_the_stranger_is_refused(sqlite_app: Flask, series: int) -> None:
    charlie, number = sqlite_app.test_client(), step(series, "hello").id
    own = f"/admin/sequences/{series}"
    for path in ("/admin/sequences", own, f"{own}/steps/{number}", f"{own}/steps/{number}/frame"):
        assert charlie.get(path).location.startswith("/admin/sign-in"), path
    alice = person("Alice")
    join(series, alice)
    for path in ("people", f"people/{alice}/stop", f"steps/{number}", f"steps/{number}/frame"):
        assert charlie.post(f"{own}/{path}", data=words("Mine")).status_code == 403, path
    assert parse(step(series, "hello").source).subject == "Hello"
    assert enrollment(alice).state == EnrollmentState.ACTIVE


def test_the_list_counts_people(operator: FlaskClient, series: int) -> None:
    for name in ("Alice", "Bob"):
        join(series, person(name))
    page = operator.get("/admin/sequences").text
    assert "Core series" in page
    assert "3 emails" in page
    assert "<dd>2</dd>" in page
    assert "Nothing matches" in operator.get("/admin/sequences?q=hips").text


def test_3_4_a_series_says_its_waits_in_words(operator: FlaskClient, series: int) -> None:
    alice = person("Alice")
    join(series, alice)
    turn(at("2026-03-04T07:00"))
    turn(at("2026-03-04T07:00"))
    page = operator.get(f"/admin/sequences/{series}").text
    assert "2 days after joining, 7:00–9:00, in the reader&#39;s zone" in page
    assert "24 hours later, weekdays, in the reader&#39;s zone" in page
    assert "1 person waits for it" in page
    assert "Sent 1 time" in page
    assert "alice@example.org" in page
    assert "alice@" not in operator.get(f"/admin/sequences/{series}?q=bob").text
    assert "alice@" not in operator.get(f"/admin/sequences/{series}?state=finished").text


def test_2_14_a_preview_is_made_by_the_code_that_sends(operator: FlaskClient, series: int) -> None:
    own = f"/admin/sequences/{series}/steps/{step(series, 'more').id}"
    assert "More for Alice" in operator.get(own).text
    assert "More for you" in operator.get(f"{own}?reader=nameless").text
    assert "Hello Alice." in operator.get(f"{own}?view=text").text
    frame = operator.get(f"{own}/frame?reader=nameless")
    assert "Hello there." in frame.text
    assert "sandbox" in frame.headers["Content-Security-Policy"]
    db.session.rollback()
    assert "/unsubscribe/" in frame.text
    assert emails(0) == [], "it never touches the ledger"


def test_typed_words_are_shown_without_being_kept(operator: FlaskClient, series: int) -> None:
    frame = f"/admin/sequences/{series}/steps/{step(series, 'hello').id}/frame"
    assert "Fresh &amp; new" in operator.post(frame, data=words(body="Fresh & new")).text
    broken = operator.post(frame, data=words(body="one\n\n{{ subscriber.shoe }}"))
    assert "line 3" in broken.text
    assert "shoe" in broken.text
    assert "Hello" in parse(step(series, "hello").source).body


def test_3_2_new_words_go_to_whoever_has_not_got_the_email(operator: FlaskClient, series: int) -> None:
    alice = person("Alice")
    join(series, alice)
    own = f"/admin/sequences/{series}/steps/{step(series, 'hello').id}"
    typed = words("Quote: “it's” #1", "Line one\r\n\r\n- a\r\n- b\r\n", "Pre: header")
    assert operator.post(own, data=typed).status_code == 302
    kept = parse(step(series, "hello").source)
    assert (kept.subject, kept.preheader) == ("Quote: “it's” #1", "Pre: header")
    assert kept.body == "Line one\n\n- a\n- b\n"
    assert audited() == ["operator.created", "series.reworded"]
    turn(at("2026-03-04T07:00"))
    assert emails(alice)[0].subject == "Quote: “it's” #1"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (words(subject=" "), "subject is empty"),
        (words(body=""), "no text"),
        (words(body="one\n\n{{ subscriber.shoe }}"), "line 3"),
        (words(body="{% for x in y %}"), "line 1"),
        (words(body="{{ subscriber.first_name.upper() }}"), "line 1"),  # fails for a reader without a name
        (words(body="![](figure:handstand-on-a-horse)"), "handstand"),
    ],
)
def test_words_that_cannot_become_an_email_are_refused_and_not_lost(
    operator: FlaskClient, series: int, typed: dict[str, str], said: str
) -> None:
    own = f"/admin/sequences/{series}/steps/{step(series, 'hello').id}"
    before = step(series, "hello").source
    answer = operator.post(own, data=typed)
    assert answer.status_code == 400
    assert said in answer.text
    if typed["body"]:
        assert typed["body"].splitlines()[-1].split("'")[0] in answer.text, "what was typed is still there"
    assert step(series, "hello").source == before


def test_one_person_joins_by_hand(operator: FlaskClient, series: int) -> None:
    own = f"/admin/sequences/{series}"
    alice = person("Alice")
    assert operator.post(f"/admin/sequences/{series}/people", data={"email": "ALICE@example.org"}).status_code == 302
    joined = enrollment(alice)
    assert (joined.source, joined.state) == ("operator", EnrollmentState.ACTIVE)
    operator.post(f"/admin/sequences/{series}/people", data={"email": "alice@example.org"})
    assert "nobody gets it twice" in operator.get(own).text
    assert audited().count("series.joined") == 1


def test_charlie_who_left_cannot_be_let_in(operator: FlaskClient, series: int) -> None:
    person("Charlie", status=Status.UNSUBSCRIBED, marketing=False)
    own = f"/admin/sequences/{series}"
    operator.post(f"/admin/sequences/{series}/people", data={"email": "charlie@example.org"})
    assert "They cannot get this series: unsubscribed." in operator.get(own).text
    assert operator.post(f"/admin/sequences/{series}/people", data={"email": "nobody@example.org"}).status_code == 400
    assert operator.post(f"/admin/sequences/{series}/people", data={"email": "not an address"}).status_code == 400


def test_one_person_is_stopped_by_hand(operator: FlaskClient, series: int) -> None:
    alice = person("Alice")
    join(series, alice)
    assert operator.post(f"/admin/sequences/{series}/people/{alice}/stop").status_code == 302
    stopped = enrollment(alice)
    assert (stopped.state, stopped.ended_why) == (EnrollmentState.EXITED, "stopped by hand")
    assert operator.post(f"/admin/sequences/{series}/people/{alice}/stop").status_code == 404
    run(at("2026-03-20T00:00"))
    assert emails(alice) == []


def test_what_does_not_exist_is_not_found(operator: FlaskClient, series: int) -> None:
    other = sequence(series).id + 1
    for path in (f"{other}", f"{series}/steps/999", f"{other}/steps/1"):
        assert operator.get(f"/admin/sequences/{path}").status_code == 404, path
    assert operator.post(f"/admin/sequences/{series}/steps/999", data=words()).status_code == 404


def test_csrf_is_asked_of_every_form(operator: FlaskClient, sqlite_app: Flask, series: int) -> None:
    sqlite_app.config["WTF_CSRF_ENABLED"] = True
    number = step(series, "hello").id
    for path in ("people", "people/1/stop", f"steps/{number}", f"steps/{number}/frame"):
        assert operator.post(f"/admin/sequences/{series}/{path}", data=words()).status_code == 400


def test_an_empty_house_says_where_series_come_from(operator: FlaskClient) -> None:
    assert "No series yet" in operator.get("/admin/sequences").text
