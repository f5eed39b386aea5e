"""Subscribers in the back office, as Alice's browser meets them."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from newsletter import clock
from newsletter.accounts.models import AuditEntry
from newsletter.addresses import parse
from newsletter.audience import actions, queries
from newsletter.audience.rules import Status
from newsletter.database.engine import db, transaction
from tests.accounts.people import signed_in


def make_bob() -> int:
    """Bob, confirmed, with a name that means harm to a careless page or spreadsheet."""
    now = clock.now()
    with transaction() as session:
        bob = actions.remember(session, parse("bob@example.org"), source="form: stretches", now=now)
        bob.first_name = "=HYPERLINK(<b>Bob</b>)"
        consent = actions.record_consent(
            session,
            subscriber_id=bob.id,
            form_id=1,
            email=bob.email,
            marketing=True,
            wording="Send me the sheet & a workout.",
            wording_version="v7",
            page_url="http://localhost:8000/p/stretches",
            ip="192.0.2.7",
            user_agent="Browser/1.0 <script>",
            requested_at=now,
            confirmation_sent_at=now,
        )
        actions.confirm(session, consent, now)
        actions.add_tag(session, bob.id, "tight hips", now)
        return bob.id


@pytest.fixture
def alice(app: Flask) -> FlaskClient:
    return signed_in(app)


@pytest.fixture
def bob(alice: FlaskClient) -> int:
    return make_bob()


def log() -> list[str]:
    return list(db.session().scalars(select(AuditEntry.action).where(AuditEntry.subject.startswith("subscriber"))))


def test_before_the_first_sign_up_the_list_says_what_to_do(alice: FlaskClient) -> None:
    assert "Nobody here yet" in alice.get("/admin/subscribers").text


def test_the_list_shows_people_and_escapes_what_they_typed(alice: FlaskClient, bob: int) -> None:
    page = alice.get("/admin/subscribers").text
    assert "bob@example.org" in page
    assert "&lt;b&gt;Bob&lt;/b&gt;" in page
    assert "<b>Bob" not in page
    assert f'href="/admin/subscribers/{bob}"' in page


@pytest.mark.parametrize(
    ("query", "there"),
    [("q=bob%40", True), ("q=%25", False), ("q=_", False), ("status=pending", False), ("tag=tight+hips", True)],
)
def test_the_list_searches_and_filters(alice: FlaskClient, bob: int, query: str, there: bool) -> None:
    assert ("bob@example.org" in alice.get(f"/admin/subscribers?{query}").text) is there


@pytest.mark.parametrize(("searched", "there"), [("BOB@example", True), ("nobody@", False), ("bob", True)])
def test_who_is_searched_for_never_stands_in_an_address(
    alice: FlaskClient, bob: int, searched: str, there: bool
) -> None:
    found = alice.post("/admin/subscribers/find", data={"q": searched, "sort": "oldest", "tag": "tight hips"})
    assert "@" not in found.location
    assert "%40" not in found.location
    page = alice.get(found.location).text
    assert ("bob@example.org" in page) is there
    assert f'value="{searched}"' in page
    assert '<option value="oldest" selected' in page
    links = re.findall(r'(?:href|action)="([^"]+)"', page)
    assert not [link for link in links if "@" in link or "%40" in link]
    file = alice.post("/admin/subscribers/export", data={"q": searched}).text
    assert ("bob@example.org" in file) is there


def test_a_search_for_an_address_has_pages(alice: FlaskClient) -> None:
    with transaction() as session:
        for number in range(30):
            actions.remember(session, parse(f"p{number}@example.org"), source="test", now=clock.now())
        actions.remember(session, parse("p0@example.net"), source="test", now=clock.now())
    page = alice.get(alice.post("/admin/subscribers/find", data={"q": "@example.org"}).location).text
    link = re.search(r'rel="next" href="([^"]+)"', page)
    assert link is not None
    assert "example" not in link[1]
    second = alice.get(link[1].replace("&amp;", "&")).text
    assert "Page 2 of 2 (30 in all)" in second


def test_the_pager_keeps_the_search_and_leads_nowhere_else(alice: FlaskClient) -> None:
    with transaction() as session:
        for number in range(30):
            actions.remember(session, parse(f"p{number}@example.org"), source="test", now=clock.now())
    page = alice.get("/admin/subscribers?q=p&_external=1&_scheme=javascript&page=1").text
    link = re.search(r'rel="next" href="([^"]+)"', page)
    assert link is not None
    assert link[1] == "/admin/subscribers?q=p&amp;_external=1&amp;_scheme=javascript&amp;page=2"
    assert "Page 2 of 2" in alice.get("/admin/subscribers?q=p&page=2").text
    assert "Page 2 of 2" in alice.get("/admin/subscribers?page=999").text


def test_a_person_is_shown_with_consent_and_history_in_one(alice: FlaskClient, bob: int) -> None:
    page = alice.get(f"/admin/subscribers/{bob}").text
    for words in (
        "Send me the sheet &amp; a workout.",
        "192.0.2.7",
        "Browser/1.0 &lt;script&gt;",
        "/p/stretches",
        "v7",
    ):
        assert words in page
    told = [page.index(words) for words in ("Tagged “tight hips”", "Confirmed the address", "Asked for the gift")]
    assert min(told) > 0


def test_nobody_is_a_page_that_says_so(alice: FlaskClient) -> None:
    for path in ("/admin/subscribers/99", "/admin/subscribers/99/unsubscribe", "/admin/subscribers/99/export"):
        answer = alice.get(path) if path.endswith("99") else alice.post(path)
        assert answer.status_code == 404
        assert "no such subscriber" in answer.text


def test_tags_come_and_go(alice: FlaskClient, bob: int) -> None:
    assert alice.post(f"/admin/subscribers/{bob}/tags", data={"tag": " Class on  Monday "}).status_code == 302
    assert queries.tag_names(db.session(), bob) == ["class on monday", "tight hips"]
    alice.post(f"/admin/subscribers/{bob}/tags/remove", data={"tag": "tight hips"})
    assert queries.tag_names(db.session(), bob) == ["class on monday"]
    alice.post(f"/admin/subscribers/{bob}/tags", data={"tag": "  "})
    assert queries.tag_names(db.session(), bob) == ["class on monday"]
    assert log() == ["subscriber.tagged", "subscriber.untagged"]


def test_details_are_corrected(alice: FlaskClient, bob: int) -> None:
    data = {"first_name": "Robert", "last_name": "Lund", "timezone": "Europe/Lisbon"}
    assert alice.post(f"/admin/subscribers/{bob}/details", data=data).status_code == 302
    assert "Robert Lund" in alice.get(f"/admin/subscribers/{bob}").text
    assert alice.post(f"/admin/subscribers/{bob}/details", data=data | {"timezone": "Nowhere"}).status_code == 400


def test_a_field_is_set_by_hand(alice: FlaskClient, bob: int) -> None:
    place = f"/admin/subscribers/{bob}/fields"
    assert alice.post(place, data={"field_name": "Birthday", "field_value": "1990-05-17"}).status_code == 302
    page = alice.get(f"/admin/subscribers/{bob}").text
    assert "<dt>birthday</dt><dd>1990-05-17</dd>" in page
    assert log() == ["subscriber.field_set"]
    refused = alice.post(place, data={"field_name": "status", "field_value": "confirmed"})
    assert (refused.status_code, "not a field of your own" in refused.text) == (400, True)


def test_bob_is_unsubscribed_and_his_consent_kept_as_withdrawn(alice: FlaskClient, bob: int) -> None:
    assert alice.post(f"/admin/subscribers/{bob}/unsubscribe").status_code == 302
    person = queries.subscriber(db.session(), bob)
    assert person is not None
    assert (person.status, person.marketing) == (Status.UNSUBSCRIBED, False)
    assert queries.consents(db.session(), bob)[0].withdrawn_at is not None
    assert "Withdrawn" in alice.get(f"/admin/subscribers/{bob}").text


def test_4_everything_held_about_bob_is_downloaded(alice: FlaskClient, bob: int) -> None:
    assert alice.get(f"/admin/subscribers/{bob}/export").status_code == 405
    answer = alice.post(f"/admin/subscribers/{bob}/export")
    assert answer.headers["Content-Disposition"] == f'attachment; filename="subscriber-{bob}.json"'
    held = json.loads(answer.text)
    assert held["person"]["email"] == "bob@example.org"
    assert held["consents"][0]["ip"] == "192.0.2.7"
    assert log() == ["subscriber.exported"]


def test_4_bob_is_erased_only_with_the_word(alice: FlaskClient, bob: int) -> None:
    answer = alice.post(f"/admin/subscribers/{bob}/erase", data={"word": ""})
    assert answer.status_code == 400
    assert "Nothing was erased" in answer.text
    assert alice.post(f"/admin/subscribers/{bob}/erase", data={"word": "Erase "}).status_code == 302
    page = alice.get(f"/admin/subscribers/{bob}").text
    assert "bob@example.org" not in page
    assert "Somebody who asked to be forgotten" in page
    assert "bob@example.org" not in alice.get("/admin/subscribers?status=erased").text
    assert "bob@example.org" not in alice.get("/admin/activity").text
    assert log() == ["subscriber.erased"]


def test_4_two_records_of_bob_become_one_with_the_stricter_consent(alice: FlaskClient, bob: int) -> None:
    with transaction() as session:
        other = actions.remember(session, parse("bob@example.net"), source="import", now=clock.now())
        actions.unsubscribe(session, other.id, "by the link", clock.now())
    page = f"/admin/subscribers/{bob}/merge"
    assert alice.post(page, data={"address": "nobody@example.org"}).status_code == 400
    assert alice.post(page, data={"address": "bob@example.org"}).status_code == 400, "with himself"
    assert alice.post(page, data={"address": "bob@example.net"}).status_code == 302
    shown = alice.get(f"/admin/subscribers/{bob}").text
    assert "unsubscribed" in shown
    assert "bob@example.net" not in alice.get(f"/admin/subscribers/{other.id}").text
    assert "subscriber.merged" in log()


def test_a_person_is_added_by_hand(alice: FlaskClient) -> None:
    assert alice.get("/admin/subscribers/add").status_code == 200
    assert alice.post("/admin/subscribers/add", data={"email": "bob@example.org"}).status_code == 400
    data = {"email": "bob@example.org", "first_name": "Bob", "attest": "Asked me after class on 3 March."}
    answer = alice.post("/admin/subscribers/add", data=data)
    assert answer.status_code == 302
    assert "Asked me after class on 3 March." in alice.get(answer.location).text
    again = alice.post("/admin/subscribers/add", data=data)
    assert again.status_code == 400
    assert "here already" in again.text


def test_the_file_opens_safely_in_a_spreadsheet(alice: FlaskClient, bob: int) -> None:
    assert alice.get("/admin/subscribers/export").status_code in {404, 405}
    answer = alice.post("/admin/subscribers/export", data={"q": "bob"})
    assert re.fullmatch(
        r'attachment; filename="subscribers-\d{4}-\d\d-\d\d\.csv"', answer.headers["Content-Disposition"]
    )
    assert answer.mimetype == "text/csv"
    rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert [row["email"] for row in rows] == ["bob@example.org"]
    assert rows[0]["first_name"] == "'=HYPERLINK(<b>Bob</b>)"
    assert rows[0]["tags"] == "tight hips"
    assert list(csv.reader(io.StringIO(alice.post("/admin/subscribers/export", data={"q": "nobody"}).text)))[1:] == []
    entries = db.session().scalars(select(AuditEntry.action)).all()
    assert entries.count("subscribers.exported") == 2
