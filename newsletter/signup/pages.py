"""The visitor's doors: signing up, confirming, asking again."""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response

from newsletter import clock, tokens
from newsletter.accounts import queries as accounts
from newsletter.addresses import Address, parse
from newsletter.audience import queries as audience
from newsletter.database.engine import db, transaction
from newsletter.delivery.letters import sender_name
from newsletter.errors import Busy, ExpiredToken, InputError, InvalidToken, NotFound
from newsletter.magnets import actions as magnets
from newsletter.magnets import queries as gifts
from newsletter.magnets.models import Magnet
from newsletter.settings import current
from newsletter.signup import actions, guards, letters, queries, rules, spool
from newsletter.signup.actions import Press
from newsletter.signup.models import Form
from newsletter.tokens import Purpose
from newsletter.web import security
from newsletter.web.limits import client_ip, limiter

bp = Blueprint("signup", __name__)

REMEMBERED = "signup"
A_YEAR = timedelta(days=365)  # the page with the download stays good as long as the download links do


@bp.app_context_processor
def _form_words() -> dict[str, object]:
    """Let any page place a form: `guards_ask(form)` gives its stamp and challenge."""
    return {"guards_ask": lambda form: guards.ask(db.session(), form)}


@bp.post("/signup/<slug>")
@limiter.limit("120/minute")
def sign_up(slug: str) -> Response | tuple[str, int]:
    """Take a sign-up and answer the same for every address (semantics 1.1)."""
    form = queries.form_by_slug(db.session(), slug)
    try:
        address = _take(form)
    except InputError as problem:
        return _again(form, problem, "signup/again.html"), problem.status
    # A robot's press is forgotten, so that "resend" cannot be its way around the guards.
    session[REMEMBERED] = {"address": address, "form": "" if guards.is_robot(request.form) else form.slug}
    return redirect(url_for("signup.thanks"), code=303)


def _take(form: Form) -> str:
    """Do what the press on the form leads to; returns the address as typed. Raises InputError, TooMany."""
    if guards.is_robot(request.form):
        return request.form.get("email", "")[:254]
    press = guards.read(form, request.form)
    _request(form, press)
    return press.address.text


def _request(form: Form, press: Press) -> None:
    settings, now = current(), clock.now()
    try:
        with transaction() as writing:
            verdict = actions.sign_up(writing, form, press, settings.secret_key, now)
    except Busy:
        spool.keep(settings.data_dir / "spool", form.slug, press, now)  # nobody is asked to come back later
    else:
        guards.obey(verdict)


def _again(form: Form, problem: InputError, template: str) -> str:
    return render_template(
        template,
        form=form,
        asked=guards.ask(db.session(), form),
        problem=problem,
        typed=request.form.get("email", "")[:254],
        page_url=request.form.get("page", ""),
    )


@bp.get("/signup/thanks")
def thanks() -> str:
    """Which address, which subject and sender to look for; and what to do when nothing comes."""
    remembered = session.get(REMEMBERED) or {}
    return _thanks(remembered.get("address"), remembered.get("form"))


def _thanks(address: str | None, slug: str | None) -> str:
    reading = db.session()
    settings, studio = current(), accounts.studio(reading)
    form = queries.form_by_slug(reading, slug) if slug else None
    magnet = letters.gift(reading, form)
    return render_template(
        "signup/thanks.html",
        address=address,
        subject=letters.confirm_subject(reading, magnet.title if magnet else None),
        sender=f"{sender_name(studio)} <{settings.mail_from}>",
        back_url=url_for("landing.home", _anchor="form"),
        magnet=magnet,
    )


@bp.post("/signup/resend")
@limiter.limit("20/minute")
def resend() -> Response:
    """The same request once more, for the address that this browser typed; the cool-down decides silently."""
    remembered = session.get(REMEMBERED) or {}
    try:
        address = parse(str(remembered.get("address", "")))
        form = queries.form_by_slug(db.session(), str(remembered.get("form", "")))
        _request(form, _press_again(address))
    except (InputError, NotFound):
        return redirect(url_for("landing.home", _anchor="form"), code=303)
    return redirect(url_for("signup.thanks", again=1), code=303)


def _press_again(address: Address) -> Press:
    return Press(address, follow=False, page_url="", ip=client_ip(), user_agent=request.user_agent.string)


@bp.route("/embed/<slug>", methods=["GET", "POST"])
@security.without_csrf  # in a frame on another site there is no cookie; the form's own signed stamp stands in for it
@limiter.limit("120/minute")
def embed(slug: str) -> str | tuple[str, int]:
    """The form alone, to be framed by other sites."""
    security.let("frame-ancestors", "*")
    form = queries.form_by_slug(db.session(), slug)
    if request.method != "POST":
        asked = guards.ask(db.session(), form)
        return render_template("signup/embed.html", form=form, asked=asked, page_url=request.referrer or "")
    try:
        return _thanks(_take(form), form.slug)
    except InputError as problem:
        return _again(form, problem, "signup/embed.html"), problem.status


@bp.route("/confirm/<token>", methods=["GET", "POST"])
@limiter.limit("60/minute")
def confirm(token: str) -> str | Response:
    """A page with a button; the press confirms and shows the download at once (semantics 1.3, 1.4)."""
    reading, settings, now = db.session(), current(), clock.now()
    life = accounts.studio(reading).purge_days
    read = tokens.read(settings.secret_key, Purpose.CONFIRM, token, now=now, max_age=timedelta(days=life))
    consent = audience.consent(reading, read.ids[0])
    if consent is None or consent.withdrawn_at is not None:
        raise ExpiredToken(read.ids)
    if consent.confirmed_at is not None:
        return redirect(url_for("signup.confirmed", token=token), code=303)
    if request.method != "POST":
        return render_template(
            "signup/confirm.html",
            token=token,
            magnet=letters.gift(reading, queries.form(reading, consent.form_id)),
            auto=rules.may_press_itself(read.issued_at, now),
        )
    with transaction() as writing:
        actions.confirm(writing, consent.id, settings.secret_key, now)
    return redirect(url_for("signup.confirmed", token=token), code=303)


@bp.get("/confirmed/<token>")
@limiter.limit("60/minute")
def confirmed(token: str) -> str:
    """The page with the download."""
    reading, settings = db.session(), current()
    read = tokens.read(settings.secret_key, Purpose.CONFIRM, token, now=clock.now(), max_age=A_YEAR)
    consent = audience.consent(reading, read.ids[0])
    if consent is None or consent.confirmed_at is None:
        raise InvalidToken
    form = queries.form(reading, consent.form_id)
    magnet = letters.gift(reading, form)
    preferences = tokens.sign(settings.secret_key, Purpose.PREFERENCES, consent.subscriber_id, at=consent.requested_at)
    return render_template(
        "signup/confirmed.html",
        magnet=magnet,
        downloads=_downloads(magnet, consent.subscriber_id) if magnet else [],
        marketing=consent.marketing,
        preferences_url=url_for("leaving.preferences", token=preferences),
    )


def _downloads(magnet: Magnet, subscriber_id: int) -> list[tuple[str, str]]:
    """The gift's links as (label, url): on the paper of the reader's country by itself, and on each by choice."""
    granted = gifts.grant_of(db.session(), magnet.id, subscriber_id)
    if granted is None:
        return []
    url = magnets.download_url(granted, clock.now())
    if magnet.uploaded:
        return [("Download the PDF", url)]
    return [("Download the PDF", url), ("A4 paper", f"{url}?paper=a4"), ("US Letter paper", f"{url}?paper=letter")]
