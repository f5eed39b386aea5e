"""The door of the gifts: a link fetches the file, an expired one offers a fresh one."""

from __future__ import annotations

from datetime import timedelta

import structlog
from flask import Blueprint, Response, render_template, request, url_for
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import RequestedRangeNotSatisfiable
from werkzeug.http import parse_range_header

from newsletter import clock, tokens
from newsletter.accounts import queries as accounts
from newsletter.database import blobs
from newsletter.database.engine import db, transaction
from newsletter.errors import Busy, ExpiredToken, InvalidToken
from newsletter.magnets import actions, queries, rules
from newsletter.magnets.queries import Gift
from newsletter.magnets.stamp import stamp
from newsletter.settings import current
from newsletter.tokens import Purpose
from newsletter.web.limits import limiter
from newsletter.web.security import keep_to_itself

log = structlog.get_logger()
bp = Blueprint("magnets", __name__)

# The press is at work for some seconds; a browser that comes back after this long finds the file.
RETRY_AFTER = 20


bp.after_request(keep_to_itself)


@bp.get("/download/<token>")
@limiter.limit("120/minute")
def download(token: str) -> Response | tuple[str, int] | tuple[str, int, dict[str, str]]:
    """The file, stamped for its reader; also in pieces (RFC 9110, section 14), and as often as they like."""
    session, now = db.session(), clock.now()
    life = timedelta(days=accounts.studio(session).download_days)
    try:
        grant_id = _grant(tokens.read(current().secret_key, Purpose.DOWNLOAD, token, now=now, max_age=life).ids)
    except ExpiredToken:
        return render_template("magnets/expired.html", fresh_url=url_for("magnets.fresh", token=token)), 410
    paper = rules.paper_for(request.args.get("paper", ""), request.headers.get("Accept-Language", ""))
    gift = queries.gift(session, grant_id, paper)
    if gift is None:
        raise InvalidToken
    if gift.blob is None:
        return render_template("magnets/preparing.html"), 503, {"Retry-After": str(RETRY_AFTER)}
    pdf = queries.content(session, gift.blob)
    session.rollback()  # nothing is held open while the page is stamped and travels to a slow phone
    answer = _file(gift, stamp(pdf, gift.first_name))
    if _was_fetched(answer):
        _note(gift)
    return answer


def _grant(ids: tuple[int, ...]) -> int:
    if len(ids) != 1:
        raise InvalidToken
    return ids[0]


def _file(gift: Gift, pdf: bytes) -> Response:
    answer = Response(pdf, mimetype=actions.PDF)
    kind = "attachment" if "save" in request.args else "inline"
    answer.headers["Content-Disposition"] = rules.disposition(kind, gift.file_name)
    answer.headers["Cache-Control"] = "private, no-cache"
    answer.headers["Vary"] = "Accept-Language"
    # Browsers show a PDF with a page of their own, which the site's policy would leave without scripts and styles.
    answer.headers["Content-Security-Policy"] = "frame-ancestors 'none'"
    answer.set_etag(blobs.content_hash(pdf))
    wanted = dict(request.environ)
    if request.method != "GET" or not _is_one_piece(request.headers.get("Range")):
        wanted.pop("HTTP_RANGE", None)  # a server may answer such a request with the whole (RFC 9110, section 14.2)
    try:
        answer.make_conditional(wanted, accept_ranges=True, complete_length=len(pdf))
    except RequestedRangeNotSatisfiable:
        return Response(status=416, headers={"Content-Range": f"bytes */{len(pdf)}", "Accept-Ranges": "bytes"})
    return answer


def _is_one_piece(header: str | None) -> bool:
    asked = parse_range_header(header) if header else None
    return asked is not None and asked.units == "bytes" and len(asked.ranges) == 1


def _was_fetched(answer: Response) -> bool:
    if request.method != "GET":
        return False
    part = answer.content_range
    start, stop, whole = (part.start, part.stop, part.length) if part else (0, 0, 0)
    return rules.counts_as_download(answer.status_code, start or 0, (stop or 0) - (start or 0), whole or 0)


def _note(gift: Gift) -> None:
    try:
        with transaction() as session:
            actions.note_download(session, gift.grant_id, gift.paper, clock.now())
    except (Busy, SQLAlchemyError) as problem:
        # The count is for the operator; a reader gets their file also while the database is busy.
        log.warning("a download was not counted", magnet=gift.magnet_id, problem=type(problem).__name__)


@bp.post("/download/<token>/fresh")
@limiter.limit("10/minute")
def fresh(token: str) -> str:
    """Mail a fresh link to the address on file; the page is the same whether that was possible or not."""
    now = clock.now()
    read = tokens.read(current().secret_key, Purpose.DOWNLOAD, token, now=now)
    with transaction() as session:
        gift = queries.gift(session, _grant(read.ids))
        if gift is not None:
            actions.deliver(session, gift.magnet_id, gift.subscriber_id, now)
    return render_template("magnets/sent.html")
