"""Is all well? The answer for load balancers and monitors."""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, Response, jsonify
from sqlalchemy.exc import OperationalError

from newsletter import clock
from newsletter.database.engine import db
from newsletter.work import heartbeats

bp = Blueprint("health", __name__)

# A worker beats every minute; three missed beats are no coincidence.
SILENCE = timedelta(minutes=3)


@bp.get("/healthz")
def healthz() -> tuple[Response, int]:
    """Answer 200 when web, database and worker are well, else 503 with the one that is not."""
    try:
        beat = heartbeats.last_beat(db.session())
    except OperationalError:
        return jsonify(web=True, database=False, worker=False), 503
    worker_is_well = beat is not None and clock.now() - beat < SILENCE
    return jsonify(web=True, database=True, worker=worker_is_well), 200 if worker_is_well else 503
