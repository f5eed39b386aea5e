"""Writes of pages and comments."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete
from sqlalchemy.orm import Session

from newsletter.errors import InputError, NotFound
from newsletter.landing import queries
from newsletter.landing.models import Comment, Page
from newsletter.landing.rules import CommentCheck, CommentState


@dataclass(frozen=True)
class Draft:
    """A page as an operator wrote it."""

    slug: str
    title: str
    summary: str
    body: str
    form_id: int | None = None
    video_url: str = ""
    position: int = 0
    public: bool = True


def save_page(session: Session, page: Page | None, draft: Draft, now: datetime) -> Page:
    """Keep a page, a new one when `page` is None; the day it was first published stays."""
    if page is None:
        page = Page(slug=draft.slug, title="", summary="", body="", updated_at=now)
        session.add(page)
    for name in ("slug", "title", "summary", "body", "form_id", "video_url", "position"):
        setattr(page, name, getattr(draft, name))
    page.published_at = (page.published_at or now) if draft.public else None
    page.updated_at = now
    session.flush()
    return page


def hold_comment(session: Session, page: Page, checked: CommentCheck, now: datetime) -> Comment:
    """Keep a reader's comment for the operator to look at; raises InputError when it was found wanting."""
    if checked.problems:
        raise InputError(" ".join(checked.problems.values()))
    comment = Comment(
        page_id=page.id,
        state=CommentState.HELD,
        name=checked.name,
        email=checked.email,
        email_key=checked.email_key,
        text=checked.text,
        created_at=now,
    )
    session.add(comment)
    session.flush()
    return comment


def judge_comment(session: Session, comment_id: int, state: CommentState) -> Comment:
    """Put a comment into a state; raises NotFound."""
    comment = session.get(Comment, comment_id)
    if comment is None:
        raise NotFound("This comment is not there any more.", remedy="Reload the list.")
    comment.state = state
    return comment


def forget(session: Session, subscriber_id: int) -> None:
    """Remove every comment written with a person's address."""
    key = queries.address_key(session, subscriber_id)
    session.execute(delete(Comment).where(Comment.email_key == key))
