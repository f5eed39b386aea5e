"""The door of clicks: it leads where our emails lead and nowhere else, and counts those who do not mind."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text
from werkzeug.test import TestResponse

from newsletter import tokens
from newsletter.database.engine import db
from newsletter.errors import Busy
from newsletter.settings import current
from newsletter.tokens import Purpose
from newsletter.tracking import pages, rules
from newsletter.tracking.models import Click
from tests.people import NOW
from tests.statements import questions
from tests.tracking.conftest import HIPS, MOVES, PHONE, Post


def open_link(client: FlaskClient, path: str, method: str = "GET", **headers: str) -> TestResponse:
    said = {"User-Agent": PHONE} | {name.replace("_", "-"): value for name, value in headers.items()}
    return client.open(path, method=method, headers=said)


def kept(app: Flask) -> list[Click]:
    assert app.extensions["clicks"].flush()
    db.session.rollback()
    return list(db.session.scalars(select(Click).order_by(Click.id)))


@time_machine.travel(NOW, tick=False)
def test_a_link_leads_where_the_email_says_and_is_counted(app: Flask, client: FlaskClient, post: Post) -> None:
    answer = open_link(client, f"/c/{post.token()}/{rules.base36(post.moves)}")
    assert (answer.status_code, answer.headers["Location"]) == (302, MOVES)
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Robots-Tag"] == "noindex"
    assert "Set-Cookie" not in answer.headers
    (click,) = kept(app)
    told = (click.delivery_id, click.subscriber_id, click.link_id, click.at, click.robot)
    assert told == (post.to_alice, post.alice, post.moves, NOW, False)


def test_every_link_of_an_email_has_its_own_number(client: FlaskClient, post: Post) -> None:
    found = {
        open_link(client, f"/c/{post.token()}/{rules.base36(link)}").headers["Location"]
        for link in (post.moves, post.hips)
    }
    assert found == {MOVES, HIPS}


def test_a_link_is_good_for_ever(client: FlaskClient, post: Post) -> None:
    old = post.token(sent_at=datetime(1999, 1, 1, tzinfo=UTC))
    assert open_link(client, f"/c/{old}/{rules.base36(post.moves)}").headers["Location"] == MOVES


def test_head_gets_the_same_answer_and_counts_as_a_program(app: Flask, client: FlaskClient, post: Post) -> None:
    answer = open_link(client, f"/c/{post.token()}/{rules.base36(post.moves)}", "HEAD")
    assert (answer.status_code, answer.headers["Location"], answer.data) == (302, MOVES, b"")
    assert [click.robot for click in kept(app)] == [True]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_else_opens_the_door(app: Flask, client: FlaskClient, post: Post, method: str) -> None:
    answer = open_link(client, f"/c/{post.token()}/{rules.base36(post.moves)}", method)
    assert answer.status_code == 405
    assert kept(app) == []


@pytest.mark.parametrize(
    ("headers", "robot"),
    [
        ({}, False),
        ({"Sec_Purpose": "prefetch"}, True),
        ({"X_Moz": "prefetch"}, True),
        ({"Purpose": "preview"}, True),
        ({"User_Agent": "curl/8.5.0"}, True),
        ({"User_Agent": ""}, True),
    ],
)
def test_programs_are_led_on_and_marked(
    app: Flask, client: FlaskClient, post: Post, headers: dict[str, str], *, robot: bool
) -> None:
    answer = open_link(client, f"/c/{post.token()}/{rules.base36(post.moves)}", **headers)
    assert answer.headers["Location"] == MOVES
    assert [click.robot for click in kept(app)] == [robot]


def test_opened_while_the_email_is_on_its_way_is_a_program(app: Flask, client: FlaskClient, post: Post) -> None:
    with time_machine.travel(NOW + timedelta(seconds=4), tick=False):
        open_link(client, f"/c/{post.token(sent_at=NOW)}/{rules.base36(post.moves)}")
    with time_machine.travel(NOW + timedelta(seconds=6), tick=False):
        open_link(client, f"/c/{post.token(sent_at=NOW, bob=True)}/{rules.base36(post.moves)}")
    assert {click.subscriber_id: click.robot for click in kept(app)} == {post.alice: True, post.bob: False}


def test_a_browser_that_asks_not_to_be_tracked_is_led_on_and_not_recorded(
    app: Flask, client: FlaskClient, post: Post
) -> None:
    answer = open_link(client, f"/c/{post.token()}/{rules.base36(post.moves)}", Sec_GPC="1")
    assert answer.headers["Location"] == MOVES
    assert kept(app) == []


def paths_to_nowhere(post: Post) -> list[str]:
    token, number = post.token(), rules.base36(post.moves)
    secret = current().secret_key
    foreign = tokens.sign("x" * 40, Purpose.CLICK, post.to_alice, post.alice, at=NOW)
    other = tokens.sign(secret, Purpose.UNSUBSCRIBE, post.alice, 0, at=NOW)
    short = tokens.sign(secret, Purpose.CLICK, post.to_alice, at=NOW)
    long = tokens.sign(secret, Purpose.CLICK, post.to_alice, post.alice, 1, at=NOW)
    bad = [token[:-1], token + "A", token.swapcase(), "x", foreign, other, short, long, "https:", "evil.example"]
    numbers = ["0", "00" + number, "zzzzzz", "zzzzzzzzzzzz", number + "z", "-1", "evil.example", "%0d%0aLocation:x"]
    return [f"/c/{one}/{number}" for one in bad] + [f"/c/{token}/{one}" for one in numbers]


def test_a_damaged_or_unknown_link_gets_a_page_in_words_and_never_leads_anywhere(
    app: Flask, client: FlaskClient, post: Post
) -> None:
    for path in paths_to_nowhere(post):
        answer = open_link(client, path)
        assert answer.status_code == 410, path
        assert "Location" not in answer.headers, path
        assert "This link is incomplete or was changed on its way." in answer.text
        assert answer.headers["X-Robots-Tag"] == "noindex"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert kept(app) == []


@pytest.mark.parametrize("query", ["?url=https://evil.example/", "?next=//evil.example", "?_external=1&_scheme=data"])
def test_no_open_redirect(client: FlaskClient, post: Post, query: str) -> None:
    answer = open_link(client, f"/c/{post.token()}/{rules.base36(post.moves)}{query}", Host="evil.example")
    assert answer.headers["Location"] == MOVES


def test_no_address_stands_in_a_link(post: Post) -> None:
    """Neither the reader's nor where it leads."""
    made = rules.address("http://localhost:8000", post.token(), post.moves)
    assert "example" not in made
    assert "@" not in made


def test_the_door_has_a_limit(client: FlaskClient, post: Post) -> None:
    path = f"/c/{post.token()}/{rules.base36(post.moves)}"
    codes = [open_link(client, path).status_code for _ in range(601)]
    assert set(codes[:600]) == {302}
    assert codes[600] == 429


def test_a_busy_database_never_delays_or_fails_a_redirect(app: Flask, client: FlaskClient, post: Post) -> None:
    recorder = app.extensions["clicks"]
    write, recorder._write = recorder._write, _busy
    assert open_link(client, f"/c/{post.token()}/{rules.base36(post.moves)}").headers["Location"] == MOVES
    assert recorder.flush() is False
    recorder._write = write
    assert [click.subscriber_id for click in kept(app)] == [post.alice]


def _busy(_seen: object) -> None:
    raise Busy("The database did not answer in time.")


def test_a_redirect_does_not_wait_for_the_one_writer(app: Flask, post: Post) -> None:
    """Another connection holds the write lock of SQLite, as a worker does; a redirect that wrote would take 10 s."""
    if db.engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL has many writers")
    with db.engine.connect().execution_options(writes=True) as other:
        other.execute(text("SELECT 1"))
        began = datetime.now(UTC)
        answer = open_link(app.test_client(), f"/c/{post.token()}/{rules.base36(post.moves)}")
        assert answer.headers["Location"] == MOVES
        assert datetime.now(UTC) - began < timedelta(seconds=8)
        other.rollback()
    assert len(kept(app)) == 1


def test_a_link_that_was_followed_once_works_while_the_database_is_away(
    app: Flask, client: FlaskClient, post: Post
) -> None:
    path = f"/c/{post.token()}/{rules.base36(post.moves)}"
    assert open_link(client, path).headers["Location"] == MOVES
    assert app.extensions["clicks"].flush()
    with questions() as asked:
        assert open_link(client, path, Sec_GPC="1").headers["Location"] == MOVES  # a click would be written meanwhile
    assert asked == []


def test_the_links_that_are_known_do_not_pile_up(
    app: Flask, client: FlaskClient, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "MOST_KNOWN", 1)
    for link, url in ((post.moves, MOVES), (post.hips, HIPS), (post.hips, HIPS), (post.moves, MOVES)):
        assert open_link(client, f"/c/{post.token()}/{rules.base36(link)}").headers["Location"] == url
        assert app.extensions["known_links"] == {link: url}
