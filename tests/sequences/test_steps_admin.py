"""One step of a series in the back office: its words, how they read to whom, what it does and when, and new ones."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from newsletter import clock
from newsletter.audience import actions as audience
from newsletter.database.engine import db, transaction
from newsletter.messages.source import parse
from newsletter.sequences import models
from tests.sequences.conftest import at, emails, join, person, step, turn

WEEK = ["0", "1", "2", "3", "4", "5", "6"]


def words(subject: str = "Hello", body: str = "Some words.", preheader: str = "") -> dict[str, str]:
    return {"edit": "reword", "version": "1", "subject": subject, "preheader": preheader, "body": body}


def timed(**changed: Any) -> dict[str, Any]:
    """When a step goes, as its form sends it."""
    fields = {
        "version": "1",
        "amount": "2",
        "unit": "days",
        "counts_from": "previous",
        "window_start": "",
        "window_end": "",
    }
    return fields | {"day": WEEK} | changed


def steps_of(series: int) -> list[models.Step]:
    db.session.rollback()
    found = select(models.Step).where(models.Step.sequence_id == series, models.Step.deleted_at.is_(None))
    return list(db.session.scalars(found.order_by(models.Step.position)))


def test_charlie_the_stranger_is_refused(sqlite_app: Flask, series: int) -> None:
    charlie, number = sqlite_app.test_client(), step(series, "hello").id
    own = f"/admin/sequences/{series}/steps"
    for path in ("/new", f"/{number}", f"/{number}/frame"):
        assert charlie.get(f"{own}{path}").location.startswith("/admin/sign-in"), path
    for path in ("/new", f"/{number}", f"/{number}/change", "/frame"):
        assert charlie.post(f"{own}{path}", data=words("Mine")).status_code == 403, path
    assert parse(step(series, "hello").source).subject == "Hello"


def test_csrf_is_asked_of_every_form(operator: FlaskClient, sqlite_app: Flask, series: int) -> None:
    sqlite_app.config["WTF_CSRF_ENABLED"] = True
    number = step(series, "hello").id
    for path in ("/new", f"/{number}", f"/{number}/change", "/frame"):
        assert operator.post(f"/admin/sequences/{series}/steps{path}", data=words()).status_code == 400, path


def test_2_14_a_preview_is_made_by_the_code_that_sends(operator: FlaskClient, series: int) -> None:
    number = step(series, "more").id
    own = f"/admin/sequences/{series}/steps/{number}"
    assert "More for Alice" in operator.get(own).text
    assert "More for you" in operator.get(f"{own}?reader=nameless").text
    assert "Hello Alice." in operator.get(f"{own}?view=text").text
    frame = operator.get(f"/admin/sequences/{series}/steps/{number}/frame?reader=nameless")
    assert "Hello there." in frame.text
    assert "sandbox" in frame.headers["Content-Security-Policy"]
    db.session.rollback()
    assert "/unsubscribe/" in frame.text
    assert emails(0) == [], "it never touches the ledger"


def test_2_14_as_any_reader_found_by_name_or_address(operator: FlaskClient, series: int) -> None:
    bob, charlie = person("Bob", last_name="Baker"), person("Charlie")
    with transaction() as session:
        audience.purge(session, charlie, forget=[], now=clock.now())
    more = step(series, "more").id
    own, find = f"/admin/sequences/{series}/steps/{more}", f"/admin/sequences/{series}/steps/{more}/find"
    assert "Bob Baker (bob@example.org)" not in operator.get(own).text, "offered are those who are in the series"
    for asked in ("bob@EXAM", "bob b", "BAKER"):
        found = operator.post(find, data={"who": asked, "view": "text"})
        assert found.location == f"{own}?view=text&reader={bob}#look-head", "the only one is taken at once"
    assert "Hello Bob." in operator.get(found.location).text
    for nobody in ("zzz", "charlie"):  # the erased are nobody any more
        page = operator.post(find, data={"who": nobody}, follow_redirects=True).text
        assert "Nobody has that in their name or address." in page
        assert "Charlie (" not in page
    frame = operator.get(f"{own}/frame?reader={bob}")
    assert "Hello Bob." in frame.text
    for nobody in (str(charlie), "999999", "-1", "²", "1" * 40):
        assert "Hello Alice." in operator.get(f"{own}/frame?reader={nobody}").text
    join(series, bob)
    assert "Bob Baker (bob@example.org)" in operator.get(own).text


def test_no_address_stands_in_the_pages_own_address_or_its_links(operator: FlaskClient, series: int) -> None:
    bob, bobby = person("Bob", last_name="Baker"), person("Kobob", last_name="Baker")
    own = f"/admin/sequences/{series}/steps/{step(series, 'more').id}"
    answer = operator.post(f"{own}/find", data={"who": "bob@example.org"})
    assert "@" not in answer.location
    assert "%40" not in answer.location
    page = operator.get(answer.location).text
    links = re.findall(r'(?:href|src|action)="([^"]+)"', page)
    for reader in (bob, bobby):
        assert any(f"reader={reader}" in link for link in links), "both are offered, and the search goes on with them"
    assert not [link for link in links if "@" in link or "%40" in link or "bob" in link]
    assert 'value="bob@example.org"' in page, "the search stays to be seen"
    assert '<form class="step-search" method="post"' in page


def test_typed_words_are_shown_without_being_kept(operator: FlaskClient, series: int) -> None:
    frame = f"/admin/sequences/{series}/steps/frame"
    assert "Fresh &amp; new" in operator.post(frame, data=words(body="Fresh & new")).text
    broken = operator.post(frame, data=words(body="one\n\n{{ subscriber.shoe }}"))
    assert "line 3" in broken.text
    assert "shoe" in broken.text
    assert "Hello" in parse(step(series, "hello").source).body


def test_3_2_new_words_go_to_whoever_has_not_got_the_email(operator: FlaskClient, series: int) -> None:
    alice = person("Alice")
    join(series, alice)
    number = step(series, "hello").id
    typed = words("Quote: “it's” #1", "Line one\r\n\r\n- a\r\n- b\r\n", "Pre: header") | {"step": str(number)}
    asked = operator.post(f"/admin/sequences/{series}/steps/{number}", data=typed)
    assert (asked.status_code, asked.location) == (307, f"/admin/sequences/{series}/edits")
    assert operator.post(asked.location, data=typed).status_code == 200  # the difference, before anything is kept
    assert parse(step(series, "hello").source).subject == "Hello"
    assert operator.post(f"{asked.location}/apply", data=typed).status_code == 302
    kept = parse(step(series, "hello").source)
    assert (kept.subject, kept.preheader) == ("Quote: “it's” #1", "Pre: header")
    assert kept.body == "Line one\n\n- a\n- b\n"
    turn(at("2026-03-04T07:00"))
    assert emails(alice)[0].subject == "Quote: “it's” #1"


WRONG_WORDS = [
    (words(subject=" "), "subject is empty"),
    (words(body=""), "no text"),
    (words(body="one\n\n{{ subscriber.shoe }}"), "line 3"),
    (words(body="{% for x in y %}"), "line 1"),
    (words(body="{{ subscriber.first_name.upper() }}"), "line 1"),  # fails for a reader without a name
    (words(body="![](figure:handstand-on-a-horse)"), "handstand"),
]


@pytest.mark.parametrize(("typed", "said"), WRONG_WORDS)
def test_words_that_cannot_become_an_email_are_refused_and_not_lost(
    operator: FlaskClient, series: int, typed: dict[str, str], said: str
) -> None:
    before, number = step(series, "hello").source, step(series, "hello").id
    own = f"/admin/sequences/{series}/steps"
    changed = operator.post(f"{own}/{number}", data=typed | {"step": str(number)})
    added = operator.post(f"{own}/new", data=typed | timed(edit="add", kind="email", after=str(number)))
    for answer in (changed, added):
        assert answer.status_code == 400
        assert said in answer.text
        if typed["body"]:
            assert typed["body"].splitlines()[-1].split("'")[0] in answer.text, "what was typed is still there"
    assert step(series, "hello").source == before
    assert len(steps_of(series)) == 3


def test_the_way_to_a_new_step_begins_with_its_kind(operator: FlaskClient, series: int) -> None:
    own, hello = f"/admin/sequences/{series}/steps/new", step(series, "hello").id
    page = operator.get(f"{own}?after={hello}").text
    assert "after email 1" in page
    for kind in ("email", "wait", "condition", "tag", "move", "end"):
        assert f"kind={kind}" in page
        form = operator.get(f"{own}?after={hello}&kind={kind}")
        assert form.status_code == 200, kind
        assert 'name="amount"' in form.text
    assert "comes first" in operator.get(f"{own}?after=999").text
    assert "What happens here?" in operator.get(f"{own}?kind=dance").text


NEW_STEPS: list[tuple[dict[str, Any], str, dict[str, Any]]] = [
    ({"kind": "wait", "amount": "3"}, "Wait", {}),
    (
        {"kind": "condition", "if_kind": "clicked", "if_clicked": "hello", "then": "", "else": "last"},
        "If they pressed a link in email 1 “Hello”",
        {"if": {"clicked": "hello"}, "then": "", "else": "last"},
    ),
    (
        {"kind": "condition", "if_kind": "field", "if_field": "city", "if_is": "equals", "if_text": "Rome"}
        | {"if_not": "yes", "then": "end", "else": ""},
        "If they have a field “city” that is not “Rome”",
        {"if": {"field": "city", "is": "equals", "value": "Rome", "not": True}, "then": "end", "else": ""},
    ),
    (
        {"kind": "tag", "add": "warm,  very warm ,warm", "remove": "cold"},
        "The reader gets “warm” and “very warm” and loses “cold”",
        {"add": ["warm", "very warm"], "remove": ["cold"]},
    ),
    ({"kind": "move", "to_sequence": "after"}, "They change over to the series “Afterwards”", {"to": "after"}),
    ({"kind": "end"}, "The series ends here", {}),
]


@pytest.mark.parametrize(("typed", "shown", "config"), NEW_STEPS)
def test_steps_of_every_kind_are_added(
    operator: FlaskClient, series: int, typed: dict[str, Any], shown: str, config: dict[str, Any]
) -> None:
    with transaction() as session:
        session.add(models.Sequence(slug="after", name="Afterwards", created_at=clock.now()))
    form = timed(edit="add", after=str(step(series, "hello").id), amount="0") | typed
    asked = operator.post(f"/admin/sequences/{series}/steps/new", data=form)
    assert (asked.status_code, asked.location) == (307, f"/admin/sequences/{series}/edits")
    assert operator.post(asked.location, data=form).status_code == 302
    made = steps_of(series)[1]
    assert (made.kind, made.config) == (typed["kind"], config)
    assert shown in operator.get(f"/admin/sequences/{series}").text
    page = operator.get(f"/admin/sequences/{series}/steps/{made.id}").text
    assert shown.split(" “")[0] in page
    assert 'name="edit" value="change"' in page


def test_3_1_a_step_keeps_its_id_when_its_time_changes(operator: FlaskClient, series: int) -> None:
    number = step(series, "more").id
    form = timed(edit="change", step=str(number), amount="36", unit="hours", day=["0", "2"])
    form |= {"window_start": "22:00", "window_end": "06:00"}
    asked = operator.post(f"/admin/sequences/{series}/steps/{number}/change", data=form)
    assert asked.status_code == 307
    assert operator.post(asked.location, data=form).status_code == 302
    page = operator.get(f"/admin/sequences/{series}").text
    assert "36 hours later, Mondays and Wednesdays 22:00–6:00, in the reader&#39;s zone" in page
    kept = step(series, "more")
    assert (kept.id, kept.delay_amount, kept.delay_unit, kept.weekdays) == (number, 36, "hours", 0b101)
    shown = operator.get(f"/admin/sequences/{series}/steps/{number}").text
    assert "Elapsed time: 36 hours after the email before was sent" in shown


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"window_start": "07:00", "window_end": "07:00"}, "begins and ends at the same time"),
        ({"window_start": "07:00"}, "only one end"),
        ({"day": []}, "No day of the week is allowed"),
        ({"amount": "-1"}, "is not understood"),
        ({"amount": "99999"}, "longer than ten years"),
    ],
)
def test_3_6_times_that_cannot_be_are_refused_and_not_lost(
    operator: FlaskClient, series: int, changed: dict[str, Any], said: str
) -> None:
    number = step(series, "more").id
    form = timed(edit="change", step=str(number), counts_from="enrollment") | changed
    answer = operator.post(f"/admin/sequences/{series}/steps/{number}/change", data=form)
    assert answer.status_code == 400
    assert said in answer.text
    assert '<option value="enrollment" selected>' in answer.text, "what was typed is still there"
    assert step(series, "more").delay_amount == 2


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"kind": "condition", "if_kind": "tag", "if_tag": " "}, "they have the tag what?"),
        ({"kind": "condition", "if_kind": "mood"}, "nothing that can be asked"),
        ({"kind": "condition", "if_kind": "tag", "if_tag": "x", "then": "", "else": "hello"}, "lead forward"),
        ({"kind": "tag", "add": "", "remove": ""}, "No tag is named"),
        ({"kind": "tag", "add": "a", "remove": "a"}, "both added and taken away"),
        ({"kind": "tag", "add": "x" * 81}, "too long"),
        ({"kind": "move", "to_sequence": ""}, "No series is chosen"),
        ({"kind": "dance"}, "what kind of step"),
    ],
)
def test_steps_that_make_no_sense_are_refused(
    operator: FlaskClient, series: int, typed: dict[str, Any], said: str
) -> None:
    form = timed(edit="add", after=str(step(series, "hello").id)) | typed
    answer = operator.post(f"/admin/sequences/{series}/steps/new", data=form)
    assert answer.status_code == 400
    assert said in answer.text
    assert len(steps_of(series)) == 3


def test_what_does_not_exist_is_not_found(operator: FlaskClient, series: int) -> None:
    for path in (f"{series}/steps/999", f"{series + 1}/steps/1", f"{series + 1}/steps/new"):
        assert operator.get(f"/admin/sequences/{path}").status_code == 404, path
    for path in ("999", "999/change"):
        assert operator.post(f"/admin/sequences/{series}/steps/{path}", data=words()).status_code == 404, path
