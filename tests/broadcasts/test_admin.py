"""Writing, previewing and queueing an email in the back office."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from newsletter import addresses, clock
from newsletter.accounts import actions as accounts
from newsletter.accounts.models import AuditEntry
from newsletter.audience import actions as audience
from newsletter.audience.models import Subscriber
from newsletter.audience.rules import Status
from newsletter.broadcasts import jobs, running, starts
from newsletter.broadcasts.models import Broadcast
from newsletter.broadcasts.rules import read_source
from newsletter.database.engine import db, transaction
from newsletter.delivery import actions as delivery
from newsletter.delivery import jobs as sending
from newsletter.delivery import queries as ledger
from newsletter.delivery.models import Delivery, MailboxMessage, Tally, Trial
from newsletter.delivery.opening import open_email
from newsletter.delivery.rules import Reply
from newsletter.web.isolation import SANDBOX
from newsletter.worker import take_turn
from tests.accounts.people import signed_in

WORDS = {
    "subject": "Ten calm minutes",
    "preheader": "For tired shoulders",
    "body": "Hello {{ subscriber.first_name or 'you' }}.\n\nBreathe.",
}
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def operator(app: Flask) -> FlaskClient:
    """A signed-in operator's browser."""
    return signed_in(app)


def person(email: str, *tags: str, first_name: str = "") -> int:
    with transaction() as session:
        found = audience.remember(session, addresses.parse(email), source="test", now=clock.now())
        found.status, found.marketing, found.first_name = Status.CONFIRMED, True, first_name
        session.flush()
        for tag in tags:
            audience.add_tag(session, found.id, tag, clock.now())
        return found.id


def draft(operator: FlaskClient, **words: str) -> int:
    location = operator.post("/admin/broadcasts", data={"start": "empty"}).location
    number = int(location.split("/")[-2])
    operator.post(f"/admin/broadcasts/{number}", data=WORDS | words)
    return number


def found(number: int) -> Broadcast:
    db.session.rollback()
    return db.session.get_one(Broadcast, number, populate_existing=True)


GETS = ("", "/new", "/1", "/1/edit", "/1/aim", "/1/frame", "/1/progress")
POSTS = (
    *("", "/1", "/preview", "/check", "/1/aim", "/1/queue", "/1/cancel", "/1/take-back", "/1/copy", "/1/delete"),
    *("/1/pause", "/1/resume"),
)


def test_charlie_sees_and_changes_nothing(client: FlaskClient) -> None:
    for path in GETS:
        assert client.get(f"/admin/broadcasts{path}").location.startswith("/admin/sign-in"), path
    for path in POSTS:
        assert client.post(f"/admin/broadcasts{path}", data=WORDS).status_code == 403, path
    assert db.session.scalar(select(func.count(Broadcast.id))) == 0


def test_from_the_empty_sheet_to_the_ledger(operator: FlaskClient) -> None:
    assert "Write your first email" in operator.get("/admin/broadcasts").text
    alice = person("alice@example.org", "yoga")
    person("bob@example.org")
    number = draft(operator)
    answer = operator.post(f"/admin/broadcasts/{number}", data=WORDS | {"then": "aim"})
    assert answer.location.endswith(f"/{number}/aim")
    assert "yoga (1)" in operator.get(f"/admin/broadcasts/{number}/aim").text
    operator.post(f"/admin/broadcasts/{number}/aim", data={"to": "tag", "tag": "yoga", "when": "now"})
    last = operator.get(f"/admin/broadcasts/{number}").text
    assert "1 person tagged yoga" in last
    assert audited()[-1] == ("broadcast.aimed", {"audience": "tag:yoga", "when": "at once"})
    assert "Send it now" in last
    operator.post(f"/admin/broadcasts/{number}/queue")
    while jobs.start_due():
        pass
    assert db.session.scalars(select(Delivery.subscriber_id)).all() == [alice]
    assert found(number).state == "started"
    assert "waiting" in operator.get(f"/admin/broadcasts/{number}").text
    assert "being sent" in operator.get("/admin/broadcasts").text
    assert [entry.action for entry in db.session.scalars(select(AuditEntry))][-1] == "broadcast.queued"


def test_queued_for_tomorrow_taken_back_and_called_off(operator: FlaskClient) -> None:
    person("alice@example.org")
    number = draft(operator)
    tomorrow = (clock.now() + timedelta(days=1)).date().isoformat()
    operator.post(
        f"/admin/broadcasts/{number}/aim", data={"to": "all", "when": "later", "date": tomorrow, "time": "07:00"}
    )
    assert "Queue it for tomorrow at 07:00" in operator.get(f"/admin/broadcasts/{number}").text
    operator.post(f"/admin/broadcasts/{number}/queue")
    assert found(number).state == "queued"
    assert operator.get(f"/admin/broadcasts/{number}/edit").status_code == 302
    assert operator.post(f"/admin/broadcasts/{number}", data=WORDS).status_code == 400
    operator.post(f"/admin/broadcasts/{number}/take-back")
    assert found(number).state == "draft"
    operator.post(f"/admin/broadcasts/{number}/queue")
    operator.post(f"/admin/broadcasts/{number}/cancel")
    assert found(number).state == "canceled"
    again = operator.post(f"/admin/broadcasts/{number}/copy").location
    assert found(int(again.split("/")[-2])).source == found(number).source
    assert operator.post(f"/admin/broadcasts/{number}/delete").status_code == 400


def test_one_person_by_address(operator: FlaskClient) -> None:
    bob = person("bob@example.org")
    number = draft(operator)
    aim = f"/admin/broadcasts/{number}/aim"
    assert "Nobody with this address" in operator.post(aim, data={"to": "person", "person": "x@example.org"}).text
    operator.post(aim, data={"to": "person", "person": " BOB@example.org "})
    assert found(number).audience == f"person:{bob}"
    with transaction() as session:
        audience.unsubscribe(session, bob, "left", clock.now())
    assert "may not get it: unsubscribed" in operator.post(aim, data={"to": "person", "person": "bob@example.org"}).text


IMPOSSIBLE_AIMS = (
    ({"when": "later", "date": "2001-01-01", "time": "07:00"}, "This moment is over"),
    ({"when": "later", "date": "soon", "time": "07:00"}, "cannot be read"),
    ({"when": "later", "date": "9999-12-31", "time": ""}, "cannot be read"),
    ({"to": "tag", "tag": ""}, "No tag was chosen"),
)


def test_a_moment_or_audience_that_cannot_be(operator: FlaskClient) -> None:
    number = draft(operator)
    for form, words in IMPOSSIBLE_AIMS:
        answer = operator.post(f"/admin/broadcasts/{number}/aim", data={"to": "all"} | form)
        assert answer.status_code == 400, form
        assert words in answer.text, form
    assert found(number).send_at is None


def test_3_5_a_time_that_the_clocks_skip_is_told(operator: FlaskClient) -> None:
    with transaction() as session:
        accounts.ensure_studio(session).timezone = "Europe/Berlin"
    number = draft(operator)
    moment = clock.now().replace(year=clock.now().year + 1, month=3, day=31)
    sunday = (moment - timedelta(days=(moment.weekday() + 1) % 7)).date()
    answer = operator.post(
        f"/admin/broadcasts/{number}/aim",
        data={"to": "all", "when": "later", "date": sunday.isoformat(), "time": "02:30"},
        follow_redirects=True,
    )
    assert "The clocks skip 02:30 that night, so it goes out 03:00." in answer.text


def test_every_starting_point_makes_a_draft_that_can_be_sent(operator: FlaskClient) -> None:
    person("alice@example.org")
    assert len(starts.shipped()) >= 6
    page = operator.get("/admin/broadcasts/new").text
    for start in starts.shipped():
        assert start.text.subject in page.replace("&#39;", "'")
        location = operator.post("/admin/broadcasts", data={"start": f"shipped:{start.key}"}).location
        number = int(location.split("/")[-2])
        assert read_source(found(number).source) == start.text
        assert "Send it now" in operator.get(f"/admin/broadcasts/{number}").text, start.key
    location = operator.post("/admin/broadcasts", data={"start": f"earlier:{number}"}).location
    assert found(int(location.split("/")[-2])).source == found(number).source
    assert operator.post("/admin/broadcasts", data={"start": "earlier:9999"}).status_code == 404
    assert operator.post("/admin/broadcasts", data={"start": "shipped:../../system/confirm"}).status_code == 302


def test_2_14_a_preview_escapes_a_hostile_first_name_and_cannot_run_anything(operator: FlaskClient) -> None:
    mallory = person("bob@example.org", first_name=HOSTILE)
    answer = operator.post("/admin/broadcasts/preview", data=WORDS | {"reader": str(mallory)})
    assert HOSTILE not in answer.text
    assert "&lt;script&gt;" in answer.text
    policy = answer.headers["Content-Security-Policy"]
    assert f"sandbox {SANDBOX}" in policy
    assert "script-src 'none'" in policy
    assert "frame-ancestors 'self'" in policy
    number = draft(operator, subject=HOSTILE, body=f"{HOSTILE}\n\nText")
    for path in ("", "/edit", "/aim"):
        assert HOSTILE not in operator.get(f"/admin/broadcasts/{number}{path}").text
    assert HOSTILE not in operator.get("/admin/broadcasts").text
    assert "sandbox" in operator.get(f"/admin/broadcasts/{number}/frame").headers["Content-Security-Policy"]
    assert db.session.scalar(select(func.count(Delivery.id))) == 0


def test_the_text_version_and_the_inbox_line(operator: FlaskClient) -> None:
    alice = person("alice@example.org", first_name="Alice")
    answer = operator.post("/admin/broadcasts/check", data=WORDS | {"reader": str(alice)}).json
    assert answer is not None
    assert (answer["subject"], answer["preheader"]) == ("Ten calm minutes", "For tired shoulders")
    assert "Hello Alice." in answer["text"]
    assert answer["notes"] == []
    button = operator.post("/admin/broadcasts/check", data=WORDS | {"body": "[Book](https://){.button}"}).json
    assert button is not None
    assert "no address yet" in button["notes"][0]
    nameless = operator.post("/admin/broadcasts/check", data=WORDS | {"reader": "nameless"}).json
    assert nameless is not None
    assert "Hello you." in nameless["text"]


BROKEN: tuple[tuple[dict[str, str], int | None, str], ...] = (
    ({"body": "one\n\n{{ subscriber.frist_name }}"}, 3, "Did you mean 'first_name'?"),
    ({"body": "one\n{% if subscriber.first_name %}"}, 2, "line 2"),
    ({"body": "![](figure:nothing)"}, 1, "no picture 'figure:nothing'"),
    ({"body": "  "}, None, "no text yet"),
    ({"subject": ""}, None, "subject is empty"),
    ({"subject": "{{ subscriber.frist_name }}"}, None, "The subject or the preheader"),
)


def test_a_broken_template_gives_a_sentence_with_the_line(operator: FlaskClient) -> None:
    number = draft(operator)
    for words, line, told in BROKEN:
        answer = operator.post("/admin/broadcasts/check", data=WORDS | words).json
        assert answer is not None
        assert told in answer["problem"], words
        assert answer.get("line") == line, words
        frame = operator.post("/admin/broadcasts/preview", data=WORDS | words)
        assert frame.status_code == 200, words
        assert "sandbox" in frame.headers["Content-Security-Policy"]
        operator.post(f"/admin/broadcasts/{number}", data=WORDS | words)
        assert operator.get(f"/admin/broadcasts/{number}/frame").status_code == 200, words
        assert "Send it now" not in operator.get(f"/admin/broadcasts/{number}").text, words
        assert operator.post(f"/admin/broadcasts/{number}/queue").status_code == 400, words


def test_2_14_a_test_reaches_the_operator_and_not_the_ledger(operator: FlaskClient) -> None:
    alice = person("alice@example.org", first_name="Alice")
    number = draft(operator)
    answer = operator.post(
        f"/admin/broadcasts/{number}", data=WORDS | {"then": "test", "reader": str(alice)}, follow_redirects=True
    )
    assert "on its way to alice@example.org" in answer.text
    assert db.session.scalar(select(func.count(MailboxMessage.id))) == 0  # nothing is sent inside a request
    assert sending.send_trials() == 1
    assert sending.send_trials() == 0
    message = db.session.scalars(select(MailboxMessage)).one()
    opened = open_email(message.content)
    assert message.recipient == "alice@example.org"
    assert opened.subject == "[Test] Ten calm minutes"
    assert "Hello Alice." in opened.text
    assert db.session.scalar(select(func.count(Delivery.id))) == 0
    assert db.session.scalar(select(func.count(Trial.id))) == 0


def test_2_14_leaving_by_a_link_in_a_test_ends_nothing(operator: FlaskClient) -> None:
    alice = person("alice@example.org")
    number = draft(operator)
    operator.post(f"/admin/broadcasts/{number}", data=WORDS | {"then": "test", "reader": str(alice)})
    sending.send_trials()
    opened = open_email(db.session.scalars(select(MailboxMessage.content)).one())
    link = next(value for name, value in opened.headers if name == "List-Unsubscribe").split(">")[0].strip("<")
    operator.post(link.removeprefix("http://localhost:8000"), data={"List-Unsubscribe": "One-Click"})
    db.session.rollback()
    assert db.session.get_one(Subscriber, alice, populate_existing=True).status == Status.CONFIRMED


def test_a_test_that_cannot_go_out_says_why(operator: FlaskClient) -> None:
    number = draft(operator)
    operator.post(f"/admin/broadcasts/{number}", data=WORDS | {"then": "test"})
    for tried in range(5):
        with clock.standing_at(clock.now() + timedelta(minutes=2 * tried)), transaction() as session:
            (trial,) = delivery.claim_trials(session, clock.now())
            delivery.record_trial(session, trial, Reply(421, text="Too busy <today>"), clock.now())
    assert ledger.trial_problem(db.session(), "alice@example.org") == "421 Too busy <today>"
    assert "421 Too busy &lt;today&gt;" in operator.get(f"/admin/broadcasts/{number}/edit").text
    with clock.standing_at(clock.now() + timedelta(days=1)), transaction() as session:
        assert delivery.claim_trials(session, clock.now()) == []


def test_the_desk_offers_the_reader_s_name_as_it_is_written_in_the_text(operator: FlaskClient) -> None:
    page = operator.get(f"/admin/broadcasts/{draft(operator)}/edit").text
    assert 'data-insert="{{ subscriber.first_name or &#34;there&#34; }}"' in page


def test_search_filter_and_delete(operator: FlaskClient) -> None:
    first, second = draft(operator), draft(operator, subject="100% calm")
    page = operator.get("/admin/broadcasts?q=100%25").text
    assert "100% calm" in page
    assert "Ten calm" not in page
    assert "Nothing matches" in operator.get("/admin/broadcasts?state=queued").text
    operator.post(f"/admin/broadcasts/{second}/delete")
    assert operator.get(f"/admin/broadcasts/{second}").status_code == 404
    assert operator.get(f"/admin/broadcasts/{first}/edit").status_code == 200


def started(operator: FlaskClient, *people: str) -> int:
    for name in people or ("alice", "bob"):
        person(f"{name}@example.org")
    number = draft(operator)
    operator.post(f"/admin/broadcasts/{number}/queue")
    while jobs.start_due():
        pass
    return number


def audited() -> list[tuple[str, dict[str, object]]]:
    db.session.rollback()
    return [(entry.action, entry.detail) for entry in db.session.scalars(select(AuditEntry).order_by(AuditEntry.id))]


def test_2_10_pause_go_on_and_call_off_with_the_reason_on_record(operator: FlaskClient) -> None:
    number = started(operator)
    page = f"/admin/broadcasts/{number}"
    shown = operator.get(page).text
    assert "0 of 2 sent" in shown
    assert "2 people wait for their turn." in shown
    operator.post(f"/admin/broadcasts/{number}/pause", data={"why": "A typo, ask bob@example.org <b>"})
    assert found(number).state == "paused"
    shown = operator.get(page).text
    assert "Paused by Alice Berg: A typo, ask bob at example.org &lt;b&gt;" in shown
    assert "2 people wait until you go on." in shown
    assert "Pause it" not in shown
    operator.post(f"/admin/broadcasts/{number}/resume")
    assert found(number).state == "started"
    operator.post(f"{page}/cancel", data={"why": "Too late"})
    assert found(number).state == "canceled"
    assert "Called off; nobody got it" in operator.get(page).text
    assert audited()[-3:] == [
        ("broadcast.paused", {"why": "A typo, ask bob at example.org <b>"}),
        ("broadcast.resumed", {}),
        ("broadcast.canceled", {"why": "Too late"}),
    ]


def test_2_10_buttons_of_an_old_page_change_nothing(operator: FlaskClient) -> None:
    number = started(operator)
    page = f"/admin/broadcasts/{number}"
    assert operator.post(f"{page}/resume").status_code == 400
    operator.post(f"{page}/cancel")
    assert "not being sent" in operator.post(f"{page}/pause", follow_redirects=True).text
    for press in ("cancel", "resume", "take-back"):
        assert operator.post(f"{page}/{press}").status_code == 400, press
    assert found(number).state == "canceled"
    assert [action for action, _ in audited()][-1] == "broadcast.canceled"


def test_2_10_how_far_it_is_stands_on_the_page_and_alone_for_the_script(operator: FlaskClient) -> None:
    number = started(operator, "alice", "bob", "dora")
    page = f"/admin/broadcasts/{number}"
    with transaction() as session:
        for state, many in (("accepted", 1200), ("rejected", 12), ("unknown", 3), ("planned", 2000)):
            session.merge(Tally(batch=f"broadcast:{number}", state=state, count=many))
        session.get_one(Broadcast, number).rate = 600.0
    whole, alone = operator.get(page).text, operator.get(f"/admin/broadcasts/{number}/progress").text
    assert f'data-progress="{page}/progress"' in whole
    assert "progress.js" in whole
    for text in (whole, alone):
        assert "1,200 of 3,215 sent" in text
        assert "600 a minute, about 3 minutes left." in text
        assert f"/admin/ledger?reason=broadcast:{number}&amp;state=rejected" in text
        assert f"/admin/ledger?reason=broadcast:{number}&amp;state=unknown" in text
        assert 'style="' not in text
    assert "<html" not in alone
    assert "1,200 of 3,215, 12 refused, 3 uncertain" in operator.get("/admin/broadcasts").text


def test_2_11_while_it_is_proved_it_can_still_be_taken_back(operator: FlaskClient) -> None:
    person("alice@example.org")
    number = draft(operator)
    operator.post(f"/admin/broadcasts/{number}/queue")
    with transaction() as session:
        running.begin(session, number, clock.now())
    page = operator.get(f"/admin/broadcasts/{number}").text
    assert "Checking everybody’s email before the first one leaves" in page
    assert "Take back and change" in page
    operator.post(f"/admin/broadcasts/{number}/take-back")
    assert (found(number).state, found(number).started_at) == ("draft", None)


def test_2_10_what_came_of_it_when_all_is_done(operator: FlaskClient) -> None:
    number = started(operator)
    take_turn()
    page = operator.get(f"/admin/broadcasts/{number}").text
    assert "Done: all 2 have it" in page
    assert "progress.js" not in page
    assert "Call off" not in page
