"""Links of marketing emails get numbers once, and addresses for each reader that lead where the email says."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from newsletter import clock
from newsletter.accounts import actions as accounts
from newsletter.audience.models import Subscriber
from newsletter.database.engine import db, transaction
from newsletter.delivery import counting, jobs
from newsletter.delivery.letters import Letter, studio_in_mail
from newsletter.delivery.models import Delivery, MailboxMessage
from newsletter.delivery.opening import Opened, open_email
from newsletter.messages.compiling import compile_message
from newsletter.messages.images import Image
from newsletter.messages.source import parse
from newsletter.tracking import rules
from newsletter.tracking.models import Click, Link
from tests.accounts.people import make_alice
from tests.people import ALICE, BOB, NOW, note_writer, person, planned, register
from tests.statements import questions

MOVES, HIPS = "https://example.org/moves?day=3&again=yes#hips", "https://example.org/hips"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Version/17.5 Safari/604.1"


def letter(body: str, *, marketing: bool = True) -> Letter:
    def no_pictures(source: str) -> Image:
        raise AssertionError(source)

    source = parse(f"---\nsubject: A note\n---\n{body}\n")
    studio = studio_in_mail(db.session())
    return Letter(compile_message(source, studio, image=no_pictures, marketing=marketing), marketing=marketing)


@pytest.fixture
def note(app: Flask) -> Letter:
    """An email with two links, one of them twice."""
    return letter(f"Do [the moves]({MOVES}), then [hips]({HIPS}), then [the moves]({MOVES}) again.")


def test_links_get_their_numbers_in_order_and_keep_them(note: Letter) -> None:
    tails = counting.tails([note, note])[note.compiled.links]
    ids = dict(db.session.execute(select(Link.url, Link.id)).all())
    assert [rules.base36(ids[link]) for link in note.compiled.links] == list(tails)
    assert {MOVES, HIPS} <= ids.keys()
    other = letter(f"[hips]({HIPS})")
    assert counting.tails([other])[other.compiled.links][0] == tails[note.compiled.links.index(HIPS)]


def test_a_message_that_is_known_costs_one_read_and_no_write(note: Letter) -> None:
    counting.tails([note])
    with questions() as asked:
        counting.tails([note, note])
    assert [statement.split()[0] for statement, _ in asked] == ["SELECT"]


def test_many_messages_do_not_pile_up(note: Letter, app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "MOST_KNOWN", 1)
    notes = [note, *(letter(f"[Day {day}](https://example.org/{day})") for day in range(4))]
    for one in notes:
        assert counting.tails([one, note]).keys() == {one.compiled.links, note.compiled.links}
    assert len(app.extensions["counted_links"]) <= 3


def test_what_is_not_marketing_is_not_counted(app: Flask) -> None:
    assert counting.tails([letter(f"[hips]({HIPS})", marketing=False)]) == {}
    assert counting.tails([]) == {}
    assert db.session.scalars(select(Link)).all() == []


def test_nothing_is_counted_while_it_is_switched_off(note: Letter) -> None:
    alice = make_alice()
    with transaction() as session:
        accounts.change_settings(session, {"track_clicks": False}, by=alice.id, now=NOW)
    with questions() as asked:
        assert counting.tails([note]) == {}
    assert {statement.split()[0] for statement, _ in asked} == {"SELECT"}


def test_every_address_in_the_email_leads_where_it_says_and_is_counted_once(
    app: Flask, client: FlaskClient, note: Letter
) -> None:
    with transaction() as session:
        reader = person(session).id
    tails = counting.tails([note])[note.compiled.links]
    sent_at = NOW - timedelta(days=2)
    clicks = counting.addresses(tails, delivery_id=77, subscriber_id=reader, now=sent_at)
    links = {"unsubscribe": "http://localhost:8000/unsubscribe/x", "preferences": "http://localhost:8000/preferences/x"}
    email = note.compiled.render({"clicks": clicks, "links": links, "subscriber": {}})
    own = [unescape(found) for found in re.findall(r'href="(http://localhost:8000/c/[^"]+)"', email.html)]
    assert all(address in clicks for address in own)
    led = [client.get(address, headers={"User-Agent": PHONE}).headers["Location"] for address in own]
    assert (led.count(MOVES), led.count(HIPS)) == (2, 1)
    assert all(link not in email.html for link in (MOVES, MOVES.replace("&", "&amp;"), HIPS))
    assert app.extensions["clicks"].flush()
    db.session.rollback()
    told = db.session.execute(select(Click.delivery_id, Click.subscriber_id).distinct()).all()
    assert [tuple(row) for row in told] == [(77, reader)]
    assert db.session.get_one(Subscriber, reader).email not in email.html


OFFER = f"""\
---
subject: An offer
---
Do [the moves]({MOVES}), [write to us](mailto:studio@example.org) or [change your emails]({{{{ links.preferences }}}}).
"""


def sent() -> dict[str, Opened]:
    """The same offer to Alice and Bob, as it lies in the built-in mailbox."""
    with transaction() as session:
        for reader in (person(session, ALICE), person(session, BOB)):
            planned(session, reader, reason="offer:1")
    with clock.standing_at(NOW):
        while jobs.send_due():
            pass
    db.session.rollback()
    taken = db.session.execute(select(MailboxMessage.recipient, MailboxMessage.content)).all()
    return {recipient: open_email(content) for recipient, content in taken}


def test_each_reader_gets_addresses_of_their_own_that_lead_to_the_same_page(app: Flask, client: FlaskClient) -> None:
    register(app, {"offer": note_writer(OFFER, marketing=True)})
    emails = sent()
    own = {who: re.findall(r"http://localhost:8000/c/[\w-]+/[0-9a-z]+", email.html) for who, email in emails.items()}
    assert own.keys() == {ALICE, BOB}
    assert set(own[ALICE]).isdisjoint(own[BOB])
    for who, email in emails.items():
        assert set(own[who]) == set(re.findall(r"http://localhost:8000/c/[\w-]+/[0-9a-z]+", email.text))
        assert "mailto:studio@example.org" in email.html
        assert "http://localhost:8000/preferences/" in email.html
    for address in (own[ALICE][0], own[BOB][0]):
        assert client.get(address, headers={"User-Agent": PHONE}).headers["Location"] == MOVES
    assert app.extensions["clicks"].flush()
    db.session.rollback()
    pressed = set(db.session.execute(select(Click.delivery_id, Click.subscriber_id, Click.robot)).all())
    assert pressed == {(one.id, one.subscriber_id, False) for one in db.session.scalars(select(Delivery))}


@pytest.mark.parametrize("marketing", [False, True])
def test_links_go_straight_in_mail_that_was_asked_for_and_when_it_is_switched_off(
    app: Flask, *, marketing: bool
) -> None:
    alice = make_alice()
    with transaction() as session:
        accounts.change_settings(session, {"track_clicks": not marketing}, by=alice.id, now=NOW)
    register(app, {"offer": note_writer(OFFER, marketing=marketing)})
    for email in sent().values():
        assert f'href="{MOVES.replace("&", "&amp;")}"' in email.html
        assert "/c/" not in email.html + email.text
