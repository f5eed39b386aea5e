"""Signing up from a site's own code: JSON, the same guards, the same answer for every address."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request

from newsletter import clock
from newsletter.database.engine import db, transaction
from newsletter.errors import InputError
from newsletter.settings import current
from newsletter.signup import actions, guards, queries
from newsletter.web import security
from newsletter.web.limits import limiter

bp = Blueprint("signup_api", __name__, url_prefix="/api/signup")

LARGEST = 16 * 1024  # bytes: a sign-up has some hundred


@bp.after_request
def _for_any_site(response: Response) -> Response:
    # No cookie is read here, so a page elsewhere can do no more with this than any other program.
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Access-Control-Allow-Headers"] = "Content-Type"
    return response


@bp.get("/<slug>")
@limiter.limit("120/minute")
def describe(slug: str) -> Response:
    """What the form says and what the guards want with the next press."""
    form = queries.form_by_slug(db.session(), slug)
    asked = guards.ask(db.session(), form)
    return jsonify(
        button=form.button,
        wording=form.wording,
        mode=form.mode,
        box=form.box,
        stamp=asked.stamp,
        challenge=asked.challenge,
        difficulty=asked.difficulty,
    )


@bp.post("/<slug>")
@security.without_csrf  # no cookie is read, so there is nobody to impersonate
@limiter.limit("120/minute")
def sign_up(slug: str) -> tuple[Response, int]:
    """Take a sign-up: `email`, `stamp` from the description, `follow` for forms with a box, `challenge` and `proof`."""
    form = queries.form_by_slug(db.session(), slug)
    fields = _fields()
    if not guards.is_robot(fields):
        press = guards.read(form, fields)
        with transaction() as session:
            verdict = actions.sign_up(session, form, press, current().secret_key, clock.now())
        guards.obey(verdict)
    return jsonify(message="Please look at your inbox: an email with one button is on its way."), 202


def _fields() -> dict[str, str]:
    """The fields of the request, each a text, a number or yes and no; raises InputError on anything else."""
    request.max_content_length = LARGEST
    try:
        sent = request.get_json(silent=True)
    except RecursionError:  # thousands of brackets, one inside the other
        sent = None
    if not isinstance(sent, dict):
        raise InputError("The request is not JSON.", remedy="Send an object with email and stamp.")
    return {name: str(value) for name, value in sent.items() if isinstance(value, str | int | float)}
