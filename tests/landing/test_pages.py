"""The public site, as a visitor, a search engine and a spammer meet it."""

from __future__ import annotations

import gzip
import json
import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text

from newsletter import clock, tokens
from newsletter.accounts import actions as accounts
from newsletter.database.engine import db, transaction
from newsletter.landing import actions, queries, rules
from newsletter.landing.actions import Draft
from newsletter.landing.models import Comment, Page
from newsletter.landing.rules import CommentState
from newsletter.magnets.models import Magnet
from newsletter.settings import current
from newsletter.signup.models import Form
from newsletter.tokens import Purpose
from newsletter.web.limits import limiter
from tests.people import ALICE, BOB, NOW, person

SITE = "http://localhost:8000"
SAID = {"name": "Alice", "email": ALICE, "text": "Open book felt wonderful."}
SAY = "/p/tight-upper-back/comments"


def stamped(page_id: int = 1, seconds: int = 5) -> dict[str, str]:
    """A comment on a page that was opened so many seconds ago."""
    at = clock.now() - timedelta(seconds=seconds)
    return SAID | {"stamp": tokens.sign(current().secret_key, Purpose.FORM, page_id, 0, at=at)}


def comments() -> list[Comment]:
    db.session.rollback()
    return list(db.session.scalars(select(Comment).order_by(Comment.id)))


def meta(html: str, name: str) -> str:
    found = re.search(rf'<meta (?:property|name)="{re.escape(name)}" content="([^"]*)"', html)
    assert found, name
    return unescape(found[1])


def test_the_front_page_shows_article_form_moves_and_comments(client: FlaskClient, page: Page) -> None:
    html = client.get("/").text
    assert html.count("<h1>") == 1
    assert f"<h1>{page.title}</h1>" in html
    assert html.count('action="/signup/stretches"') == 2  # near the top and at the end
    assert re.search(r'<input[^>]+name="email"[^>]+type="email"|<input[^>]+type="email"', html)
    assert html.count("/figures/open-book-moving.svg") == 1
    assert "Leave a comment" in html
    assert '<a href="/p/tight-hips">Hips</a>' in html
    assert "Secret" not in html


def test_every_id_is_there_once_and_every_label_has_its_field(client: FlaskClient, page: Page) -> None:
    html = client.get("/").text
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert sorted(ids) == sorted(set(ids))
    for target in re.findall(r'\b(?:for|aria-labelledby|aria-describedby)="([^"]+)"', html):
        assert set(target.split()) <= set(ids)


def test_search_engines_and_networks_find_what_they_ask_for(client: FlaskClient, page: Page) -> None:
    html = client.get("/p/tight-upper-back").text
    assert f'<link rel="canonical" href="{SITE}/">' in html
    assert meta(html, "og:title") == page.title
    assert meta(html, "og:description") == meta(html, "description") == page.summary
    assert meta(html, "og:url") == f"{SITE}/"
    picture = meta(html, "og:image")
    assert picture == f"{SITE}/p/tight-upper-back/card.png"
    answer = client.get(picture.removeprefix(SITE))
    assert (answer.content_type, answer.data[:8]) == ("image/png", b"\x89PNG\r\n\x1a\n")
    (data,) = re.findall(r'<script type="application/ld\+json">(.*?)</script>', html, re.DOTALL)
    article = json.loads(data)
    assert (article["@type"], article["headline"], article["mainEntityOfPage"]) == ("Article", page.title, f"{SITE}/")
    assert article["datePublished"] == NOW.isoformat()


def test_another_page_is_its_own_canonical(client: FlaskClient, page: Page) -> None:
    assert f'<link rel="canonical" href="{SITE}/p/tight-hips">' in client.get("/p/tight-hips").text


@pytest.mark.parametrize(
    "path", ["/p/secret", "/p/nothing", "/p/%00", "/p/Tight%20", "/p/secret/card.png", "/p/nothing/card.png"]
)
def test_what_is_not_published_is_not_there(client: FlaskClient, page: Page, path: str) -> None:
    assert client.get(path).status_code == 404


def test_an_empty_site_says_so(client: FlaskClient) -> None:
    answer = client.get("/")
    assert answer.status_code == 404
    assert "nothing published here yet" in answer.text


def test_no_page_carries_inline_code_or_asks_anyone_else(client: FlaskClient, page: Page) -> None:
    answer = client.get("/")
    scripts = re.findall(r"<script([^>]*)>(.*?)</script>", answer.text, re.DOTALL)
    assert all("src=" in given or "application/ld+json" in given for given, _ in scripts)
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=\"", answer.text)
    loaded = re.findall(r'(?:src|srcset|action)="([^"]+)"|<link[^>]+stylesheet"[^>]+href="([^"]+)"', answer.text)
    assert loaded
    assert all((one or other).startswith("/") for one, other in loaded)
    assert "script-src 'self';" in answer.headers["Content-Security-Policy"]


def test_a_title_cannot_break_out_of_the_page(app: Flask, client: FlaskClient) -> None:
    nasty = 'A </script><script>alert("x")</script> & title'
    with transaction() as session:
        actions.save_page(session, None, Draft("x", nasty, nasty, "Text.", position=0), NOW)
    html = client.get("/").text
    assert "<script>alert" not in html
    (data,) = re.findall(r'<script type="application/ld\+json">(.*?)</script>', html, re.DOTALL)
    assert json.loads(data)["headline"] == nasty


def test_a_browser_that_has_the_page_gets_no_second_copy(client: FlaskClient, page: Page) -> None:
    first = client.get("/")
    assert first.headers["Cache-Control"] == "private, no-cache"
    again = client.get("/", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    with transaction() as session:
        checked = rules.check_comment("Bob", BOB, "New.")
        actions.hold_comment(session, page, checked, NOW).state = CommentState.APPROVED
    assert client.get("/", headers={"If-None-Match": first.headers["ETag"]}).status_code == 200


def test_another_visitor_never_gets_this_visitors_form_key(app: Flask, client: FlaskClient, page: Page) -> None:
    app.config["WTF_CSRF_ENABLED"] = True
    mark = client.get("/").headers["ETag"]
    assert client.get("/", headers={"If-None-Match": mark}).status_code == 304
    assert app.test_client().get("/", headers={"If-None-Match": mark}).status_code == 200


def test_a_comment_is_held_and_then_shown_as_plain_text(client: FlaskClient, page: Page) -> None:
    text = "<b>Bold</b> & <script>alert(1)</script>\n[link](javascript:x)"
    answer = client.post(SAY, data=stamped() | {"text": text}, follow_redirects=True)
    assert "Your comment is with us" in answer.text
    assert "Bold" not in answer.text
    (kept,) = comments()
    assert (kept.state, kept.name, kept.email, kept.text) == (CommentState.HELD, "Alice", ALICE, text)
    with transaction() as session:
        actions.judge_comment(session, kept.id, CommentState.APPROVED)
    html = client.get("/").text
    assert "&lt;b&gt;Bold&lt;/b&gt; &amp; &lt;script&gt;" in html
    assert ALICE not in html


def test_a_wrong_comment_comes_back_with_its_words_and_what_is_wrong(client: FlaskClient, page: Page) -> None:
    answer = client.post(SAY, data=stamped() | {"email": "alice@"})
    assert answer.status_code == 400
    assert "Open book felt wonderful." in answer.text
    assert 'id="comment-email-wrong"' in answer.text
    assert 'value="alice@"' in answer.text
    assert comments() == []


def test_required_fields_are_marked(client: FlaskClient, page: Page) -> None:
    html = client.get("/").text
    for name in ("name", "email", "text"):
        assert re.search(rf'id="comment-{name}"[^>]*\brequired\b', html)
    assert "will not be published" in html


def test_charlie_who_fills_the_hidden_field_is_thanked_and_not_kept(client: FlaskClient, page: Page) -> None:
    answer = client.post(SAY, data=stamped() | {"website": "https://pills.example"}, follow_redirects=True)
    assert "Your comment is with us" in answer.text
    assert comments() == []


def test_charlie_who_advertises_is_told_no(client: FlaskClient, page: Page) -> None:
    many = " ".join(f"https://pills{n}.example" for n in range(3))
    assert client.post(SAY, data=stamped() | {"text": many}).status_code == 400
    assert comments() == []


def test_charlie_who_presses_and_presses_must_wait(client: FlaskClient, page: Page) -> None:
    limiter.enabled = True
    answers = [client.post(SAY, data=stamped()).status_code for _ in range(6)]
    assert answers[:4] == [303] * 4
    assert answers[4:] == [429, 429]
    assert len(comments()) == 4


@pytest.mark.parametrize("data", [SAID, {"seconds": 0}, {"page_id": 2}], ids=["no stamp", "at once", "another page's"])
def test_a_comment_quicker_than_a_person_asks_for_one_more_press(
    client: FlaskClient, page: Page, data: dict[str, Any]
) -> None:
    answer = client.post(SAY, data=data if data is SAID else stamped(**data))
    assert answer.status_code == 400
    assert SAID["text"] in answer.text, "what was written is still there"
    assert comments() == []


def test_charlie_without_the_forms_key_is_refused(app: Flask, client: FlaskClient, page: Page) -> None:
    app.config["WTF_CSRF_ENABLED"] = True
    assert client.post(SAY, data=stamped()).status_code == 400
    assert comments() == []
    key = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/").text)
    assert key
    assert client.post(SAY, data=stamped() | {"csrf_token": key[1]}).status_code == 303


def test_no_comment_under_a_page_that_is_not_published(client: FlaskClient, page: Page) -> None:
    assert client.post("/p/secret/comments", data=stamped()).status_code == 404


def test_many_comments_come_in_pages(client: FlaskClient, page: Page) -> None:
    with transaction() as session:
        for n in range(27):
            checked = rules.check_comment(f"Reader {n:02}", BOB, f"Comment {n:02}.")
            made = actions.hold_comment(session, page, checked, NOW + timedelta(minutes=n))
            made.state = CommentState.APPROVED
    first, second = client.get("/").text, client.get("/?page=2").text
    assert "Comment 26." in first
    assert "Comment 01." not in first
    assert "Comment 01." in second


def set_video(page: Page, url: str) -> None:
    with transaction() as session:
        session.get_one(Page, page.id).video_url = url


@pytest.mark.parametrize(
    ("url", "shown", "to"),
    [
        ("", 'class="moves-list"', "/#moves"),
        ("https://films.example/1", 'href="https://films.example/1"', "https://films.example/1"),
        ("/static/film.mp4", '<video controls preload="none"', "/static/film.mp4"),
        ("javascript:alert(1)", 'class="moves-list"', "/#moves"),
    ],
)
def test_the_video_or_the_moves(client: FlaskClient, page: Page, url: str, shown: str, to: str) -> None:
    set_video(page, url)
    html = client.get("/").text
    assert shown in html
    assert "<iframe" not in html
    assert "javascript:" not in html
    answer = client.get("/video")
    assert (answer.status_code, answer.headers["Location"]) == (302, to)


def test_the_studios_video_stands_in_for_the_pages_own(client: FlaskClient, page: Page) -> None:
    with transaction() as session:
        accounts.ensure_studio(session).video_url = "https://films.example/studio"
    assert client.get("/video").headers["Location"] == "https://films.example/studio"
    set_video(page, "https://films.example/page")
    assert client.get("/video").headers["Location"] == "https://films.example/page"


def test_the_gifts_own_page_is_shown_once_it_is_made(client: FlaskClient, page: Page) -> None:
    assert "drawn-sheet" in client.get("/").text
    with transaction() as session:
        magnet = Magnet(slug="m", title="Four stretches", file_name="m.pdf", created_at=NOW, updated_at=NOW)
        session.add(magnet)
        session.flush()
        session.get_one(Form, page.form_id).magnet_id = magnet.id
    assert "“Four stretches” as a PDF" in client.get("/").text


def test_a_drawing_is_kept_for_good_under_its_own_address(client: FlaskClient, page: Page) -> None:
    (address,) = set(re.findall(r'src="(/figures/cat-cow-moving\.svg\?v=\w+)"', client.get("/").text))
    answer = client.get(address)
    assert "immutable" in answer.headers["Cache-Control"]
    assert gzip.decompress(answer.data).startswith(b"<svg")
    assert "immutable" not in client.get("/figures/cat-cow.svg?v=old").headers["Cache-Control"]
    assert client.get("/figures/nothing.svg").status_code == 404


def test_robots_and_sitemap(client: FlaskClient, page: Page) -> None:
    robots = client.get("/robots.txt")
    assert "Disallow: /admin" in robots.text
    assert f"Sitemap: {SITE}/sitemap.xml" in robots.text
    sitemap = client.get("/sitemap.xml").text
    assert re.findall(r"<loc>([^<]+)</loc>", sitemap) == [f"{SITE}/", f"{SITE}/p/tight-hips"]
    assert client.get("/favicon.ico").status_code == 301


def test_4_erasing_a_person_takes_their_comments_along(app: Flask, page: Page) -> None:
    with transaction() as session:
        alice = person(session, ALICE)
        for name, address in (("Alice", "Alice@Example.org"), ("Bob", BOB)):
            actions.hold_comment(session, page, rules.check_comment(name, address, "Hello."), NOW)
    assert [line.kind for line in queries.history(db.session(), alice.id)] == ["comment"]
    (own,) = queries.held(db.session(), alice.id)["comments"]
    assert (own["name"], own["page"]) == ("Alice", page.title)
    with transaction() as session:
        actions.forget(session, alice.id)
    assert [kept.name for kept in comments()] == ["Bob"]


def test_the_problem_page_needs_no_database(sqlite_app: Flask) -> None:
    with transaction() as session:
        for table in ("comments", "pages", "studio"):
            session.execute(text(f"DROP TABLE {table}"))
    answer = sqlite_app.test_client().get("/")
    assert answer.status_code == 503
    assert "One moment, please" in answer.text
    assert "Your Studio" in answer.text
    assert "no such table" not in answer.text


def test_related_pages_are_offered_but_never_a_draft_or_the_page_itself(client: FlaskClient, page: Page) -> None:
    related = client.get("/").text.partition("More to move with")[2]
    assert 'href="/p/tight-hips"' in related
    assert "secret" not in related
    assert page.title not in client.get("/").text.partition('class="related-list"')[2].partition("</ul>")[0]
