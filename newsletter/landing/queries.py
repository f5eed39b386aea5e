"""Reads of pages and comments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session

from newsletter.accounts.models import Studio
from newsletter.audience.history import HistoryLine
from newsletter.audience.models import Subscriber
from newsletter.landing.models import Comment, Page
from newsletter.landing.rules import COMMENT_STATE_WORDS, CommentState
from newsletter.magnets import queries as magnets
from newsletter.signup.models import Form
from newsletter.web.paging import LIKE_ESCAPE, containing


def home(session: Session) -> Page | None:
    """The published page that comes first."""
    return session.scalar(_published().order_by(Page.position, Page.id).limit(1))


def published(session: Session, slug: str) -> Page | None:
    """The published page of that slug."""
    return session.scalar(_published().where(Page.slug == slug))


def all_published(session: Session) -> Sequence[Page]:
    """Every published page in its order."""
    return session.scalars(_published().order_by(Page.position, Page.id)).all()


def related(session: Session, page: Page, most: int = 3) -> Sequence[Page]:
    """Other published pages, the newest first."""
    found = _published().where(Page.id != page.id).order_by(Page.published_at.desc(), Page.id.desc())
    return session.scalars(found.limit(most)).all()


def _published() -> Select[Page]:
    return select(Page).where(Page.published_at.is_not(None))


def page(session: Session, page_id: int) -> Page | None:
    """The page with that id, published or not."""
    return session.get(Page, page_id)


def slug_taken(session: Session, slug: str, page_id: int | None) -> bool:
    """Whether another page has that slug."""
    found = select(Page.id).where(Page.slug == slug)
    return session.scalar(found.where(Page.id != page_id) if page_id else found) is not None


def forms(session: Session) -> Sequence[Form]:
    """Every sign-up form, for choosing one."""
    return session.scalars(select(Form).order_by(Form.name)).all()


def form_of(session: Session, page: Page) -> Form | None:
    """The sign-up form on a page."""
    return session.get(Form, page.form_id) if page.form_id else None


def video_url(session: Session, page: Page) -> str:
    """Where the video of a page is: its own, else the studio's, else nowhere ("")."""
    if page.video_url:
        return page.video_url
    return session.scalar(select(Studio.video_url).where(Studio.id == 1)) or ""


@dataclass(frozen=True)
class Gift:
    """What a form gives; `preview` is the hash of a picture of its first page, empty until it has been made."""

    title: str
    preview: str


def gift_of(session: Session, form: Form | None) -> Gift | None:
    """The gift behind a form, with the picture of its newest file."""
    magnet = magnets.magnet(session, form.magnet_id) if form and form.magnet_id else None
    if magnet is None:
        return None
    file = magnets.newest(session, magnet)
    return Gift(magnet.title, (file.preview_hash if file else None) or "")


def approved_comments(page: Page) -> Select[Comment]:
    """The comments that everyone sees under a page, the newest first."""
    found = select(Comment).where(Comment.page_id == page.id, Comment.state == CommentState.APPROVED)
    return found.order_by(Comment.created_at.desc(), Comment.id.desc())


def comments(state: CommentState | None, search: str) -> Select[Comment, Page]:
    """Comments with their pages for the operator, the newest first; `search` looks in name, address and text."""
    found = select(Comment, Page).join(Page, Page.id == Comment.page_id)
    if state is not None:
        found = found.where(Comment.state == state)
    if search:
        pattern = containing(search)
        columns = (Comment.name, Comment.email, Comment.text)
        found = found.where(or_(*(column.ilike(pattern, escape=LIKE_ESCAPE) for column in columns)))
    return found.order_by(Comment.created_at.desc(), Comment.id.desc())


def comment(session: Session, comment_id: int) -> Comment | None:
    """The comment with that id."""
    return session.get(Comment, comment_id)


def comments_by_state(session: Session) -> dict[str, int]:
    """How many comments there are in each state."""
    return dict(session.execute(select(Comment.state, func.count()).group_by(Comment.state)).all())


def pages(search: str) -> Select[Page]:
    """Every page for the operator, in the order of the site."""
    found = select(Page).order_by(Page.position, Page.id)
    if not search:
        return found
    pattern = containing(search)
    return found.where(or_(*(column.ilike(pattern, escape=LIKE_ESCAPE) for column in (Page.title, Page.slug))))


def _of_person(subscriber_id: int) -> Select[Comment, Page]:
    return (
        select(Comment, Page)
        .join(Page, Page.id == Comment.page_id)
        .join(Subscriber, Subscriber.email_key == Comment.email_key)
        .where(Subscriber.id == subscriber_id)
        .order_by(Comment.id)
    )


def address_key(session: Session, subscriber_id: int) -> str | None:
    """The address of a person as it is compared."""
    return session.scalar(select(Subscriber.email_key).where(Subscriber.id == subscriber_id))


def history(session: Session, subscriber_id: int) -> list[HistoryLine]:
    """What a person said under pages, found by their address."""
    found = session.execute(_of_person(subscriber_id))
    return [HistoryLine(said.created_at, "comment", _told(said, under)) for said, under in found]


def _told(said: Comment, under: Page) -> str:
    return f"Commented on “{under.title}” ({COMMENT_STATE_WORDS[CommentState(said.state)]})"


def held(session: Session, subscriber_id: int) -> dict[str, Any]:
    """Everything this room holds about a person: the comments written with their address."""
    found = session.execute(_of_person(subscriber_id))
    columns = ("name", "email", "text", "state", "created_at")
    return {
        "comments": [{"page": under.title} | {name: getattr(said, name) for name in columns} for said, under in found]
    }
