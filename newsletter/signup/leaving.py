"""The reader's doors: unsubscribing and preferences."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, current_app, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from newsletter import clock, tokens
from newsletter.audience import actions as audience
from newsletter.audience import queries as people
from newsletter.audience.models import Subscriber
from newsletter.audience.rules import Status
from newsletter.database.engine import db, transaction
from newsletter.errors import InputError, InvalidToken
from newsletter.sequences import queries as sequences
from newsletter.settings import current
from newsletter.signup import actions
from newsletter.tokens import Purpose
from newsletter.web import security
from newsletter.web.limits import limiter

bp = Blueprint("leaving", __name__)


def _person(token: str, purpose: Purpose) -> tuple[Subscriber, tuple[int, ...]]:
    """Whose link it is. Such links never expire: the right to leave does not either."""
    read = tokens.read(current().secret_key, purpose, token, now=clock.now())
    person = people.subscriber(db.session(), read.ids[0]) if read.ids else None
    if person is None:
        raise InvalidToken
    return person, read.ids


@bp.route("/unsubscribe/<token>", methods=["GET", "POST"])
@security.without_csrf  # RFC 8058: mail programs post here by themselves, without a cookie; the token is the authority
def unsubscribe(token: str) -> str:
    """GET shows a page with buttons; a POST leaves what the email belongs to, or all (semantics 2.13, 3.14)."""
    person, (_, scope) = _person(token, Purpose.UNSUBSCRIBE)
    series = sequences.sequence(db.session(), scope) if scope else None
    if request.method != "POST":
        return render_template("signup/unsubscribe.html", token=token, series=series)
    leave_series = series is not None and request.form.get("scope") != "all"
    if person.status != Status.ERASED:
        with transaction() as session:
            if leave_series:
                actions.leave_series(session, person.id, scope, clock.now())
            else:
                actions.leave_all(session, person.id, "Unsubscribed by the link in an email", clock.now())
    return render_template("signup/unsubscribed.html", token=token, series=series if leave_series else None)


@bp.route("/preferences/<token>", methods=["GET", "POST"])
@limiter.limit("60/minute")
def preferences(token: str) -> str | AnyResponse:
    """What a reader gets, and every way to change it."""
    person, _ = _person(token, Purpose.PREFERENCES)
    if person.status == Status.ERASED:
        return render_template("signup/erased.html")
    if request.method != "POST":
        under_way = {row.sequence_id for row in sequences.active(db.session(), person.id)}
        series = [sequences.sequence(db.session(), sequence_id) for sequence_id in sorted(under_way)]
        return render_template("signup/preferences.html", token=token, subscriber=person, series=series)
    wish = request.form.get("wish", "")
    if wish == "erase":
        return _erase(person)
    with transaction() as session:
        if wish == "leave-all":
            actions.leave_all(session, person.id, "Left on the preferences page", clock.now())
        elif wish.startswith("leave:") and wish[6:].isdecimal() and len(wish) < 20:
            actions.leave_series(session, person.id, int(wish[6:]), clock.now())
        else:
            raise InputError("That is not something this page can do.", remedy="Use one of its buttons.")
    return redirect(url_for("leaving.preferences", token=token, saved=1), code=303)


def _erase(person: Subscriber) -> str:
    if request.form.get("sure") != "yes":
        raise InputError("Nothing was erased yet.", remedy="Tick the box that says you are sure, then press again.")
    with transaction() as session:
        audience.erase(
            session,
            person.id,
            forget=current_app.extensions["forget"],
            secret=current().secret_key,
            now=clock.now(),
        )
    return render_template("signup/erased.html")


@bp.get("/preferences/<token>/data")
@limiter.limit("20/minute")
def data(token: str) -> str | Response:
    """Everything held about a person: a readable page, or JSON with `?format=json` (semantics 4)."""
    person, _ = _person(token, Purpose.PREFERENCES)
    held: dict[str, Any] = {}
    for room in current_app.extensions["held"]:
        held |= room(db.session(), person.id)
    if request.args.get("format") != "json":
        return render_template("signup/data.html", token=token, held=held)
    answer = jsonify(held)
    answer.headers["Content-Disposition"] = 'attachment; filename="my-data.json"'
    answer.headers["Cache-Control"] = "no-store"
    return answer
