"""`GET /metrics`: how everything is, for Prometheus."""

from __future__ import annotations

import hmac

from flask import Blueprint, Response, abort, request

from newsletter import clock
from newsletter.dashboard import exposition, metrics
from newsletter.database.engine import db
from newsletter.settings import current

bp = Blueprint("metrics", __name__)


@bp.get("/metrics")
def scrape() -> Response:
    """The metrics, for who has the token of METRICS_TOKEN; without that setting there is no such page."""
    token = current().metrics_token
    if not token:
        abort(404)
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    # As bytes: compare_digest refuses texts that are not ASCII, and a header may hold anything.
    if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), token.encode()):
        return Response("A bearer token is needed.\n", 401, {"WWW-Authenticate": "Bearer"}, mimetype="text/plain")
    told = exposition.expose(metrics.families(db.session(), clock.now()))
    return Response(told, content_type=exposition.CONTENT_TYPE)
