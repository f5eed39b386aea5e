"""The back office of this room: pages to write, comments to let through."""

from __future__ import annotations

from collections.abc import Mapping

from flask import flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from newsletter import clock, settings
from newsletter.accounts import actions as accounts
from newsletter.accounts.gate import admin_blueprint, current_operator
from newsletter.database.engine import db, transaction
from newsletter.errors import NotFound
from newsletter.figures.exercises import EXERCISES
from newsletter.landing import actions, article, queries, rules, showing
from newsletter.landing.actions import Draft
from newsletter.landing.models import Page
from newsletter.landing.rules import COMMENT_STATE_WORDS, CommentState
from newsletter.web import searching
from newsletter.web.paging import Listing, list_page

bp = admin_blueprint("landing_admin", __name__, "/admin")

VERDICTS = {
    "approve": (CommentState.APPROVED, "The comment is on the page now."),
    "remove": (CommentState.REMOVED, "The comment is gone from the page. You find it under “removed”."),
    "restore": (CommentState.HELD, "The comment waits for you again."),
}


@bp.get("/pages")
def pages() -> str:
    """Every page of the site."""
    search = rules.tidy_line(request.args.get("q", ""))
    listing = list_page(db.session(), queries.pages(search))
    home = queries.home(db.session())
    return render_template("landing/admin_pages.html", listing=listing, search=search, home=home)


@bp.route("/pages/new", methods=["GET", "POST"])
def new_page() -> str | Response | tuple[str, int]:
    """Write a new page."""
    if request.method == "POST":
        return _save(None)
    return _editor(None, _empty(), {})


@bp.route("/pages/<int:page_id>", methods=["GET", "POST"])
def edit_page(page_id: int) -> str | Response | tuple[str, int]:
    """Change a page."""
    page = queries.page(db.session(), page_id)
    if page is None:
        raise NotFound("There is no such page.", remedy="Choose one from the list.")
    if request.method == "POST":
        return _save(page)
    return _editor(page, _draft_of(page), {})


@bp.post("/pages/preview")
def preview_page() -> str:
    """The page as it would look, without saving it."""
    draft = _typed(request.form)
    page = Page(updated_at=clock.now(), published_at=None)
    for name in ("slug", "title", "summary", "body", "form_id", "video_url"):
        setattr(page, name, getattr(draft, name))
    shown = showing.context(db.session(), page, settings.current().base_url)
    nothing: Listing[object] = Listing([], 1, 0)
    return render_template("landing/preview.html", **shown, comments=nothing, typed_comment=rules.NO_COMMENT)


def _save(page: Page | None) -> Response | tuple[str, int]:
    draft = _typed(request.form)
    page_id = page.id if page else None
    problems = rules.check_page(draft.slug, draft.title, draft.summary, draft.video_url, draft.body)
    unknown = [key for key in article.figure_keys(draft.body) if key not in EXERCISES]
    if "body" not in problems and unknown:
        problems["body"] = (
            f"There is no picture called {', '.join(unknown)}. There are: {', '.join(sorted(EXERCISES))}."
        )
    if "slug" not in problems and queries.slug_taken(db.session(), draft.slug, page_id):
        problems["slug"] = "Another page has this address already."
    if problems:
        return _editor(page, draft, problems), 400
    with transaction() as session:
        kept = actions.save_page(session, session.get(Page, page_id) if page_id else None, draft, clock.now())
        _record(session, "page.saved", f"page:{kept.id}")
    flash("Saved. The page is on the site." if draft.public else "Saved as a draft: nobody but you sees it.")
    return redirect(url_for(".edit_page", page_id=kept.id), 303)


def _editor(page: Page | None, draft: Draft, problems: dict[str, str]) -> str:
    return render_template(
        "landing/admin_page.html",
        page=page,
        draft=draft,
        problems=problems,
        forms=queries.forms(db.session()),
        exercises=EXERCISES,
        base_url=settings.current().base_url,
    )


def _empty() -> Draft:
    forms = queries.forms(db.session())
    return Draft("", "", "", "", form_id=forms[0].id if forms else None, position=1, public=False)


def _draft_of(page: Page) -> Draft:
    return Draft(
        page.slug,
        page.title,
        page.summary,
        page.body,
        form_id=page.form_id,
        video_url=page.video_url,
        position=page.position,
        public=page.published_at is not None,
    )


def _typed(fields: Mapping[str, str]) -> Draft:
    form_id, position = fields.get("form_id", ""), fields.get("position", "").strip()
    known = {form.id for form in queries.forms(db.session())}
    return Draft(
        slug=fields.get("slug", "").strip().lower(),
        title=rules.tidy_line(fields.get("title", "")),
        summary=rules.tidy_line(fields.get("summary", "")),
        body=rules.tidy_text(fields.get("body", "")),
        form_id=int(form_id) if form_id.isdecimal() and int(form_id) in known else None,
        video_url=fields.get("video_url", "").strip(),
        position=min(int(position), 9999) if position.isascii() and position.isdecimal() else 0,
        public=fields.get("public") == "yes",
    )


@bp.get("/comments")
def comments() -> str:
    """What readers said, the waiting ones first to choose from."""
    asked = request.args.get("state", CommentState.HELD)
    state = CommentState(asked) if asked in set(CommentState) else None
    search = rules.tidy_line(searching.asked())
    session = db.session()
    return render_template(
        "landing/admin_comments.html",
        listing=list_page(session, queries.comments(state, search), scalars=False),
        counts=queries.comments_by_state(session),
        state=state,
        search=search,
        query=searching.in_address(search),
        states=CommentState,
        STATE_WORDS=COMMENT_STATE_WORDS,
    )


@bp.post("/comments/find")
def find_comments() -> Response:
    """Search the comments; an address that is looked for never stands in the page's own address."""
    return searching.shown("landing_admin.comments", also=("state",))


@bp.post("/comments/<int:comment_id>/<any(approve, remove, restore):verb>")
def judge(comment_id: int, verb: str) -> Response:
    """Approve, remove or bring back a comment."""
    state, told = VERDICTS[verb]
    with transaction() as session:
        actions.judge_comment(session, comment_id, state)
        _record(session, f"comment.{state}", f"comment:{comment_id}")
    flash(told)
    back = {name: request.args[name] for name in ("state", "q", "page") if name in request.args}
    return redirect(url_for(".comments", **back), 303)  # type: ignore[arg-type]


def _record(session: Session, action: str, subject: str) -> None:
    accounts.record(session, action, by=current_operator().id, now=clock.now(), subject=subject)
