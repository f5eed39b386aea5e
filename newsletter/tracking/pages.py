"""The door that a link in an email leads through."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint, Flask, Response, current_app, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from newsletter import clock, tokens
from newsletter.database.engine import db, transaction
from newsletter.errors import InvalidToken
from newsletter.settings import current
from newsletter.tokens import Purpose
from newsletter.tracking import actions, queries, rules
from newsletter.tracking.recorder import Recorder
from newsletter.tracking.rules import Seen
from newsletter.web.limits import limiter
from newsletter.web.security import keep_to_itself

bp = Blueprint("tracking", __name__)

MOST_KNOWN = 10_000  # links, 1 MB


def init(app: Flask) -> None:
    """Give `app` its recorder of clicks."""

    def write(seen: Sequence[Seen]) -> None:
        with app.app_context(), transaction() as session:
            actions.record_clicks(session, seen)

    app.extensions["clicks"] = Recorder(write)
    app.extensions["known_links"] = {}


@bp.after_request
def _keep_nothing(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return keep_to_itself(response)


# Generous, because a company's gateway opens the links of all its people from one address, and what it cannot open it
# calls dangerous.
@bp.get("/c/<token>/<number>")
@limiter.limit("600/minute")
def follow(token: str, number: str) -> AnyResponse:
    """Lead to the link of that number, one of our own emails' and no other; a token never gets too old for it."""
    now = clock.now()
    read = tokens.read(current().secret_key, Purpose.CLICK, token, now=now)
    link_id = rules.link_id(number)
    url = _url_of(link_id) if link_id is not None else None
    if link_id is None or url is None or len(read.ids) != 2:
        raise InvalidToken
    headers = {name.lower(): value for name, value in request.headers}
    if rules.may_be_recorded(headers):
        robot = rules.is_robot(request.method, headers, read.issued_at, now)
        recorder: Recorder = current_app.extensions["clicks"]
        recorder.note(Seen(*read.ids, link_id, now, robot))
    return redirect(url, code=302)


def _url_of(link_id: int) -> str | None:
    """Where that link leads.

    A link never changes, so what one reader followed needs no database for the next: it was a third of the work, and
    the links of a broadcast go on working while the database is away.
    """
    known: dict[int, str] = current_app.extensions["known_links"]
    url = known.get(link_id) or queries.url_of(db.session(), link_id)
    if url is not None:
        if len(known) >= MOST_KNOWN and link_id not in known:
            known.clear()
        known[link_id] = url
    return url
