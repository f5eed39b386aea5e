"""Writing pages and letting comments through."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from newsletter.accounts.models import AuditEntry, Operator
from newsletter.database.engine import db, transaction
from newsletter.landing import actions, rules
from newsletter.landing.models import Comment, Page
from newsletter.landing.rules import CommentState
from tests.people import ALICE, BOB, NOW

Desk = tuple[FlaskClient, Operator]
WRITTEN = {
    "slug": "tight-neck",
    "title": "A tight neck",
    "summary": "Three small moves.",
    "body": "Slowly.\n\n::moves cat-cow::",
    "video_url": "",
    "form_id": "",
    "position": "5",
}


def comment(page: Page, name: str, address: str, state: CommentState = CommentState.HELD) -> int:
    with transaction() as session:
        made = actions.hold_comment(session, page, rules.check_comment(name, address, f"{name} was here."), NOW)
        made.state = state
        return made.id


def state_of(comment_id: int) -> str:
    db.session.rollback()
    return db.session.get_one(Comment, comment_id).state


def test_a_stranger_writes_nothing(app: Flask, page: Page) -> None:
    charlie = app.test_client()
    held = comment(page, "Charlie", BOB)
    assert charlie.get("/admin/pages").status_code == 302
    for path in (
        "/admin/pages/new",
        f"/admin/pages/{page.id}",
        "/admin/pages/preview",
        f"/admin/comments/{held}/approve",
    ):
        assert charlie.post(path, data=WRITTEN).status_code == 403
    assert state_of(held) == CommentState.HELD


def test_pages_are_listed_and_searched(operator: Desk, page: Page) -> None:
    desk, _ = operator
    every = desk.get("/admin/pages").text
    assert "front page" in every
    assert "draft" in every
    found = desk.get("/admin/pages?q=hip").text
    assert "Hips" in found
    assert page.title not in found
    assert "Nothing found" in desk.get("/admin/pages?q=100%25").text


def test_a_new_page_is_a_draft_until_a_tick_publishes_it(operator: Desk, page: Page, client: FlaskClient) -> None:
    desk, alice = operator
    assert desk.get("/admin/pages/new").status_code == 200
    answer = desk.post("/admin/pages/new", data=WRITTEN)
    assert answer.status_code == 303
    assert client.get("/p/tight-neck").status_code == 404
    desk.post(answer.headers["Location"], data=WRITTEN | {"public": "yes", "title": "A tight  neck,\nagain"})
    assert "<h1>A tight neck, again</h1>" in client.get("/p/tight-neck").text
    entry = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "page.saved")).first()
    assert entry is not None
    assert entry.operator_id == alice.id


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"slug": "tight-hips"}, "Another page has this address already."),
        ({"slug": "Tight Neck!"}, "Small letters"),
        ({"body": "![x](figure:headstand)"}, "There is no picture called headstand"),
        ({"body": "::moves cat-cow headstand::"}, "There is no picture called headstand"),
        ({"video_url": "javascript:alert(1)"}, "starts with https://"),
        ({"title": ""}, "needs a title"),
    ],
)
def test_a_page_that_cannot_be_shown_is_not_saved(
    operator: Desk, page: Page, change: dict[str, str], told: str
) -> None:
    desk, _ = operator
    answer = desk.post("/admin/pages/new", data=WRITTEN | change)
    assert answer.status_code == 400
    assert told in answer.text
    assert "Three small moves." in answer.text
    db.session.rollback()
    assert db.session.scalar(select(Page).where(Page.summary == "Three small moves.")) is None


def test_a_page_keeps_its_first_day(operator: Desk, page: Page) -> None:
    desk, _ = operator
    desk.post(f"/admin/pages/{page.id}", data=WRITTEN | {"public": "yes"})
    db.session.rollback()
    kept = db.session.get_one(Page, page.id)
    assert kept.published_at == NOW
    assert kept.updated_at > NOW
    assert desk.get("/admin/pages/9999").status_code == 404


def test_a_preview_shows_the_draft_and_keeps_nothing(operator: Desk, page: Page) -> None:
    desk, _ = operator
    answer = desk.post("/admin/pages/preview", data=WRITTEN | {"form_id": str(page.form_id)})
    assert "<h1>A tight neck</h1>" in answer.text
    assert "This is a preview" in answer.text
    db.session.rollback()
    assert db.session.scalar(select(Page).where(Page.slug == "tight-neck")) is None


def test_comments_are_filtered_and_searched(operator: Desk, page: Page) -> None:
    desk, _ = operator
    comment(page, "Alice", ALICE)
    comment(page, "Bob", BOB, CommentState.APPROVED)
    waiting = desk.get("/admin/comments").text
    assert "Alice was here." in waiting
    assert "Bob was here." not in waiting
    assert "Bob was here." in desk.get("/admin/comments?state=approved").text
    both = desk.get("/admin/comments?state=all&q=WAS+HERE").text
    assert "Alice was here." in both
    assert "Bob was here." in both
    assert "Bob was here." not in desk.get(f"/admin/comments?state=all&q={ALICE}").text
    assert "Nothing found" in desk.get("/admin/comments?state=all&q=%25").text


def test_who_is_searched_for_never_stands_in_an_address(operator: Desk, page: Page) -> None:
    desk, _ = operator
    held = comment(page, "Alice", ALICE)
    comment(page, "Bob", BOB)
    assert 'method="post" action="/admin/comments/find"' in desk.get("/admin/comments").text
    found = desk.post("/admin/comments/find", data={"q": ALICE, "state": "all"})
    shown = desk.get(found.location).text
    assert "Alice was here." in shown
    assert "Bob was here." not in shown
    assert f'value="{ALICE}"' in shown
    links = [found.location, *re.findall(r'(?:href|action)="([^"]+)"', shown)]
    assert not [link for link in links if "@" in link or "%40" in link]
    judging = next(link for link in links if f"/{held}/approve" in link).replace("&amp;", "&")
    assert "Bob was here." not in desk.get(desk.post(judging).location).text, "the search stays after a verdict"


def test_a_search_for_an_address_has_pages(operator: Desk, page: Page) -> None:
    desk, _ = operator
    for number in range(30):
        comment(page, f"P{number}", f"p{number}@example.org")
    comment(page, "Bob", "bob@example.net")
    first = desk.get(desk.post("/admin/comments/find", data={"q": "@example.org"}).location).text
    link = re.search(r'rel="next" href="([^"]+)"', first)
    assert link is not None
    assert "example" not in link[1]
    assert "Page 2 of 2 (30 in all)" in desk.get(link[1].replace("&amp;", "&")).text


def test_a_comment_is_approved_removed_and_brought_back(operator: Desk, page: Page, client: FlaskClient) -> None:
    desk, _ = operator
    held = comment(page, "Alice", ALICE)
    for verb, state, seen in (
        ("approve", CommentState.APPROVED, True),
        ("remove", CommentState.REMOVED, False),
        ("restore", CommentState.HELD, False),
    ):
        answer = desk.post(f"/admin/comments/{held}/{verb}?state=all")
        assert answer.headers["Location"] == "/admin/comments?state=all"
        assert state_of(held) == state
        assert ("Alice was here." in client.get("/").text) == seen
    assert desk.post("/admin/comments/9999/approve").status_code == 404
    assert desk.post(f"/admin/comments/{held}/publish").status_code == 404
