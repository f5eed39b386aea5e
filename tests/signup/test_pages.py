"""The doors of signing up: identical answers, guards, links that do not work."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from itertools import count

import pytest
from flask import Flask

from newsletter import clock, tokens
from newsletter.audience import actions as audience
from newsletter.database.engine import transaction
from newsletter.settings import current
from newsletter.signup import rules
from newsletter.signup.models import SignupAttempt
from newsletter.tokens import Purpose
from tests.signup.conftest import Visitor, person, reasons
from tests.statements import heard

ALICE, BOB, CHARLIE = "alice@example.org", "bob@example.org", "charlie@example.org"


def crowd(presses: int) -> None:
    """So many presses from everywhere, just now."""
    with transaction() as session:
        for n in range(presses):
            session.add(
                SignupAttempt(
                    at=clock.now(), ip_print=f"i{n}", address_print=f"a{n}", domain_print=f"d{n}", outcome="let in"
                )
            )


def test_1_1_the_answer_is_identical_for_every_address(visitor: Visitor, app: Flask) -> None:
    visitor.confirm(BOB)
    answers = set()
    for email in (ALICE, BOB, CHARLIE):
        browser = Visitor(app.test_client(), visitor.form_ids)
        posted = browser.sign_up(email)
        page = browser.client.get(posted.location).text
        answers.add((posted.status_code, posted.location, re.sub(r"csrf_token[^>]*", "", page.replace(email, "X"))))
    assert len(answers) == 1


def test_1_1_the_answer_is_as_quick_for_every_address(visitor: Visitor) -> None:
    """Every case is one write transaction, whose commit is what takes time; nothing is sent or made meanwhile."""
    visitor.confirm(BOB)
    with transaction() as session:
        audience.suppress(session, tokens.fingerprint(current().secret_key, CHARLIE), "complained", clock.now())
    commits: list[str] = []
    with heard("commit", lambda _connection: commits.append("commit")):
        for email, slug in (
            (ALICE, "stretches"),
            (ALICE, "stretches"),
            (BOB, "stretches"),
            (BOB, "hips"),
            (CHARLIE, "hips"),
        ):
            commits.clear()
            visitor.sign_up(email, slug)
            assert commits == ["commit"], (email, slug)


def test_the_thank_you_page_says_address_subject_and_sender(visitor: Visitor) -> None:
    visitor.sign_up(ALICE)
    page = visitor.client.get("/signup/thanks").text
    subject = visitor.emails(ALICE)[0]["subject"]
    for words in (ALICE, subject, "studio@example.org", 'action="/signup/resend"', "Wrong address"):
        assert words in page


def test_the_thank_you_page_works_without_a_cookie(visitor: Visitor) -> None:
    assert visitor.client.get("/signup/thanks").status_code == 200


def test_resend_obeys_the_cool_down_and_answers_the_same(visitor: Visitor) -> None:
    visitor.sign_up(ALICE)
    assert visitor.client.post("/signup/resend").location == "/signup/thanks?again=1"
    assert len(reasons(ALICE)) == 1
    with clock.standing_at(clock.now() + timedelta(minutes=11)):
        assert visitor.client.post("/signup/resend").location == "/signup/thanks?again=1"
    assert len(reasons(ALICE)) == 2


def test_resend_without_a_cookie_leads_back_to_the_form(visitor: Visitor) -> None:
    assert visitor.client.post("/signup/resend").location.endswith("/#form")


@pytest.mark.parametrize(
    "typed", ["", "alice", "alice@", "alice@example", "a@b@c.org", "alice@example.org\nbcc: x@y.org"]
)
def test_an_address_that_is_none_shows_the_form_again(visitor: Visitor, typed: str) -> None:
    answer = visitor.sign_up(typed)
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text


def test_1_10_honeypot(visitor: Visitor) -> None:
    assert visitor.sign_up(CHARLIE, website="http://spam").location == "/signup/thanks"
    assert person(CHARLIE) is None


def test_1_10_resend_is_no_way_around_the_guards(visitor: Visitor) -> None:
    visitor.sign_up(CHARLIE, website="http://spam")
    assert visitor.client.post("/signup/resend").location.endswith("/#form")
    assert person(CHARLIE) is None


def test_1_10_time_trap_asks_for_one_more_press(visitor: Visitor) -> None:
    answer = visitor.sign_up(CHARLIE, stamp=visitor.stamp(age=timedelta(0)))
    assert answer.status_code == 400
    assert CHARLIE in answer.text, "what was typed is still there"
    assert person(CHARLIE) is None


@pytest.mark.parametrize("stamp", ["", "nonsense"])
def test_1_10_a_missing_or_forged_stamp_is_refused(visitor: Visitor, stamp: str) -> None:
    assert visitor.sign_up(CHARLIE, stamp=stamp).status_code == 400
    assert person(CHARLIE) is None


def test_1_10_the_stamp_of_another_form_is_refused(visitor: Visitor) -> None:
    assert visitor.sign_up(CHARLIE, stamp=visitor.stamp("plain")).status_code == 400


def test_1_10_too_many_from_one_place(visitor: Visitor) -> None:
    answers = [visitor.sign_up(f"bob{n}@example{n}.org").status_code for n in range(rules.IP_HOUR + 1)]
    assert answers == [303] * rules.IP_HOUR + [429]


def test_1_10_under_attack_the_browser_works_first_and_a_proof_counts_once(visitor: Visitor) -> None:
    crowd(rules.ATTACK_TEN_MINUTES)
    asked = visitor.sign_up(ALICE)
    assert asked.status_code == 400
    challenge = re.search(r'name="challenge" value="([^"]+)', asked.text)[1]  # type: ignore[index]
    proof = next(str(n) for n in count() if rules.is_proof(challenge, str(n)))
    assert visitor.sign_up(ALICE, challenge=challenge, proof=proof).status_code == 303
    assert visitor.sign_up(BOB, challenge=challenge, proof=proof).status_code == 400
    assert visitor.sign_up(BOB, challenge="made up", proof=proof).status_code == 400
    assert person(BOB) is None


def test_1_10_the_same_guards_at_the_embedded_form(visitor: Visitor, app: Flask) -> None:
    app.config["WTF_CSRF_ENABLED"] = True  # in a frame on another site there is no cookie, so it must do without
    page = visitor.client.get("/embed/stretches")
    assert "frame-ancestors *" in page.headers["Content-Security-Policy"]
    assert "X-Frame-Options" not in page.headers
    assert visitor.client.post("/embed/stretches", data={"email": CHARLIE}).status_code == 400
    assert person(CHARLIE) is None
    visitor.client.post("/embed/stretches", data={"email": ALICE, "stamp": visitor.stamp(), "website": "x"})
    assert person(ALICE) is None
    answer = visitor.client.post("/embed/stretches", data={"email": ALICE, "stamp": visitor.stamp()})
    assert answer.status_code == 200
    assert person(ALICE) is not None


def test_1_10_the_same_guards_at_the_api(visitor: Visitor) -> None:
    told = visitor.client.get("/api/signup/stretches").json
    assert told is not None
    assert told["button"] == "Send it"
    assert visitor.client.post("/api/signup/stretches", json={"email": CHARLIE}).status_code == 400
    quick = visitor.client.post("/api/signup/stretches", json={"email": CHARLIE, "stamp": told["stamp"]})
    assert quick.status_code == 400
    robot = {"email": CHARLIE, "stamp": visitor.stamp(), "website": "x"}
    assert visitor.client.post("/api/signup/stretches", json=robot).status_code == 202
    assert person(CHARLIE) is None
    answer = visitor.client.post("/api/signup/stretches", json={"email": ALICE, "stamp": visitor.stamp()})
    assert (answer.status_code, list(answer.json or {})) == (202, ["message"])
    assert person(ALICE) is not None
    crowd(rules.FLOOD_TEN_MINUTES)
    flood = visitor.client.post("/api/signup/stretches", json={"email": BOB, "stamp": visitor.stamp()})
    assert flood.status_code == 429


def test_csrf_is_asked_for_on_the_page(visitor: Visitor, app: Flask) -> None:
    app.config["WTF_CSRF_ENABLED"] = True
    assert visitor.sign_up(CHARLIE).status_code == 400
    assert person(CHARLIE) is None


def test_1_4_opening_the_link_changes_nothing(visitor: Visitor) -> None:
    visitor.sign_up(ALICE)
    path = visitor.link(visitor.emails(ALICE)[0], "confirm")
    page = visitor.client.get(path)
    assert page.status_code == 200
    assert "data-press" not in page.text, "a fresh link must not press itself"
    assert visitor.client.head(path).status_code == 200
    assert person(ALICE).status == "pending"  # type: ignore[union-attr]


def test_1_4_an_older_link_may_press_itself(visitor: Visitor) -> None:
    visitor.sign_up(ALICE)
    path = visitor.link(visitor.emails(ALICE)[0], "confirm")
    fresh = visitor.client.get(path).text
    with clock.standing_at(clock.now() + timedelta(minutes=6)):
        old = visitor.client.get(path).text
    assert "press.js" not in fresh
    assert "press.js" in old


def test_pressing_twice_changes_nothing_more(visitor: Visitor) -> None:
    visitor.sign_up(ALICE)
    path = visitor.link(visitor.emails(ALICE)[0], "confirm")
    first = visitor.client.post(path, follow_redirects=True)
    before = reasons(ALICE)
    second = visitor.client.post(path, follow_redirects=True)
    opened = visitor.client.get(path, follow_redirects=True)
    assert (first.status_code, second.status_code) == (200, 200)
    assert "/download/" in opened.text, "an old link leads straight to the gift"
    assert reasons(ALICE) == before


def test_the_page_with_the_download_is_for_those_who_confirmed(visitor: Visitor) -> None:
    visitor.sign_up(ALICE)
    token = visitor.link(visitor.emails(ALICE)[0], "confirm").removeprefix("/confirm/")
    assert visitor.client.get(f"/confirmed/{token}").status_code == 410
    visitor.client.post(f"/confirm/{token}")
    assert "/download/" in visitor.client.get(f"/confirmed/{token}").text


def test_a_link_of_someone_purged_looks_expired(visitor: Visitor) -> None:
    gone = tokens.sign(current().secret_key, Purpose.CONFIRM, 4711, at=clock.now())
    visitor.sign_up(ALICE)
    path = visitor.link(visitor.emails(ALICE)[0], "confirm")
    with clock.standing_at(clock.now() + timedelta(days=31)):
        expired = visitor.client.get(path)
    missing = visitor.client.get(f"/confirm/{gone}")
    assert expired.status_code == missing.status_code == 410
    assert expired.text == missing.text, "no hint whether an address exists"


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("door", ["confirm", "confirmed", "unsubscribe", "preferences"])
def test_tampered_links_get_a_helpful_page(visitor: Visitor, door: str, method: str) -> None:
    for token in ("x", "A" * 33, tokens.sign(current().secret_key, Purpose.DOWNLOAD, 1, at=clock.now())):
        answer = visitor.client.open(f"/{door}/{token}", method=method)
        assert answer.status_code in ({405} if (door, method) == ("confirmed", "POST") else {410})
        assert "Traceback" not in answer.text


def test_1_11_sign_up_succeeds_while_the_worker_and_mail_are_down(visitor: Visitor) -> None:
    assert visitor.sign_up(ALICE).status_code == 303
    assert len(reasons(ALICE)) == 1, "the email waits in the ledger"


def test_the_api_speaks_json_when_it_refuses(visitor: Visitor) -> None:
    answer = visitor.client.post("/api/signup/stretches", data="not json", content_type="application/json")
    assert answer.status_code == 400
    assert "error" in json.loads(answer.text)


def test_an_unknown_form_is_not_found(visitor: Visitor) -> None:
    assert visitor.client.post("/signup/nothing", data={}).status_code == 404
