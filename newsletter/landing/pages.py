"""The public site: articles, comments, the video's short link, and what search engines and social networks ask for."""

from __future__ import annotations

import hashlib
import re

from flask import Blueprint, Response, abort, make_response, redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response as AnyResponse

from newsletter import clock, settings
from newsletter.accounts import queries as accounts
from newsletter.database.engine import db, transaction
from newsletter.errors import InputError, NotFound
from newsletter.figures.exercises import EXERCISES
from newsletter.landing import actions, article, card, drawings, queries, rules, showing
from newsletter.landing.models import Page
from newsletter.landing.rules import CommentCheck, VideoKind
from newsletter.signup import guards
from newsletter.web.limits import limiter
from newsletter.web.paging import list_page

bp = Blueprint("landing", __name__)

A_YEAR = "public, max-age=31536000, immutable"
AN_HOUR = "public, max-age=3600"
# What differs in every answer and says nothing: without these two the same page is the same text.
_PASSING = re.compile(r'name="(?:stamp|csrf_token)" value="[^"]*"')


@bp.get("/")
def home() -> Response:
    """The page that comes first."""
    page = queries.home(db.session())
    if page is None:
        raise NotFound("There is nothing published here yet.", remedy="Come back soon.")
    return _show(page)


@bp.get("/p/<slug>")
def show(slug: str) -> Response:
    """A published page."""
    return _show(_published(slug))


@bp.post("/p/<slug>/comments")
@limiter.limit("4/minute;20/hour")
def comment(slug: str) -> AnyResponse:
    """Hold a reader's comment for the operator."""
    page = _published(slug)
    typed = request.form
    checked = rules.check_comment(typed.get("name", ""), typed.get("email", ""), typed.get("text", ""))
    try:
        guards.check_stamp(typed.get("stamp", ""), *_comments_of(page))
    except InputError as problem:
        checked.problems.setdefault("text", f"{problem.happened} {problem.remedy}")
    if checked.problems:
        answer = _show(page, checked)
        answer.status_code = 400
        return answer
    # A robot fills every field it finds, also the one no person sees; it gets the same thanks and nothing is kept.
    if not typed.get("website"):
        with transaction() as write:
            actions.hold_comment(write, page, checked, clock.now())
    return redirect(url_for(".show", slug=slug, said=1, _anchor="comments"), 303)


@bp.get("/p/<slug>/card.png")
def social_card(slug: str) -> Response:
    """The picture that social networks show for a page."""
    page = _published(slug)
    key = next((key for key in article.figure_keys(page.body) if key in EXERCISES), "cat-cow")
    answer = make_response(card.png(page.title, accounts.studio(db.session()).name, drawings.drawing_of(key)))
    answer.content_type = "image/png"
    return _kept(answer, AN_HOUR)


@bp.get("/figures/<name>.svg")
def figure(name: str) -> Response:
    """A drawn exercise: `cat-cow`, with `-moving` and `-dark` after it as wanted."""
    answer = make_response(drawings.packed(name, settings.current().data_dir / "figures"))
    answer.content_type = "image/svg+xml"
    answer.headers["Content-Encoding"] = "gzip"
    # The drawing carries its own animation; opened by itself it must be let, inside a page it is only an image.
    answer.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'"
    return _kept(answer, A_YEAR if request.args.get("v") == drawings.mark() else AN_HOUR)


@bp.get("/video")
def video() -> AnyResponse:
    """The short link on the printed gift: the studio's video, or the drawn moves until there is one."""
    page = queries.home(db.session())
    clip = rules.clip(queries.video_url(db.session(), page) if page else "", settings.current().base_url)
    return redirect(url_for(".home", _anchor="moves") if clip.kind is VideoKind.NONE else clip.url, 302)


@bp.get("/robots.txt")
def robots() -> Response:
    """What search engines may look at."""
    closed = ("/admin", "/mailbox", "/confirm/", "/download/", "/preferences/", "/signup/", "/unsubscribe/")
    lines = ["User-agent: *", *(f"Disallow: {path}" for path in closed)]
    lines.append(f"Sitemap: {settings.current().base_url}/sitemap.xml")
    answer = make_response("\n".join(lines) + "\n")
    answer.content_type = "text/plain; charset=utf-8"
    return _kept(answer, AN_HOUR)


@bp.get("/sitemap.xml")
def sitemap() -> Response:
    """Every published page, for search engines."""
    base_url = settings.current().base_url
    pages = queries.all_published(db.session())
    found = [(showing.canonical(page, pages[0], base_url), page.updated_at.date().isoformat()) for page in pages]
    answer = make_response(render_template("landing/sitemap.xml", pages=found))
    answer.content_type = "application/xml"
    return _kept(answer, AN_HOUR)


@bp.get("/favicon.ico")
def favicon() -> AnyResponse:
    """For browsers that ask for the old name."""
    return redirect(url_for("static", filename="images/favicon.svg"), 301)


def _published(slug: str) -> Page:
    page = queries.published(db.session(), slug) if rules.is_slug(slug) else None
    if page is None:
        abort(404)
    return page


def _show(page: Page, checked: CommentCheck = rules.NO_COMMENT) -> Response:
    shown = showing.context(db.session(), page, settings.current().base_url)
    comments = list_page(db.session(), queries.approved_comments(page))
    shown |= {"comments": comments, "stamp": guards.stamp(*_comments_of(page)), "said": "said" in request.args}
    return _private(render_template("landing/page.html", **shown, typed_comment=checked))


def _comments_of(page: Page) -> tuple[int, int]:
    """What the comment form's time stamp is made for; a sign-up form's has one number only."""
    return page.id, 0


def _private(html: str) -> Response:
    """A page that a browser may keep and ask about: same content, no second transfer."""
    answer = make_response(html)
    lasting = _PASSING.sub("", html)
    keys = f"{session.get('csrf_token')} {clock.now().date()}"  # a form kept in the browser must still be taken
    answer.set_etag(hashlib.sha256(f"{keys}\0{lasting}".encode()).hexdigest()[:32], weak=True)
    answer.headers["Cache-Control"] = "private, no-cache"
    answer.make_conditional(request)
    return answer


def _kept(answer: Response, how_long: str) -> Response:
    answer.headers["Cache-Control"] = how_long
    answer.add_etag()
    answer.make_conditional(request)
    return answer
