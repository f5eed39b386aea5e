"""The public door of the calendar: the feed behind a secret link."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

from flask import Blueprint, Response

from newsletter import clock
from newsletter.accounts import queries as accounts
from newsletter.database.engine import db, transaction
from newsletter.forecast import actions, looking, outlooks, records
from newsletter.forecast.calendar import AHEAD, AT_ONCE, entries
from newsletter.forecast.feed import as_ics, feed_id, no_such_feed
from newsletter.settings import current
from newsletter.web.limits import limiter
from newsletter.web.security import keep_to_itself

bp = Blueprint("calendar_feed", __name__)

BEHIND = 7  # days of the past: enough to see what became of last week
RETRY_AFTER = 60  # seconds until a program may ask again while a large list is worked out for the first time


bp.after_request(keep_to_itself)


@bp.get("/calendar/<token>.ics")
@limiter.limit("60/minute")
def feed(token: str) -> Response:
    """When which email goes to how many; a link that was taken back is one that never was."""
    session, now = db.session(), clock.now()
    found = outlooks.feed(session, feed_id(token, now))
    if found is None:
        raise no_such_feed()
    studio = accounts.studio(session)
    zone = accounts.zone_of(studio)
    today = now.astimezone(zone).date()
    looked = looking.look()
    behind = looking.look_back([today - timedelta(days=number) for number in range(BEHIND, -1, -1)], zone, now)
    if looked.outlook.done_at is None or not behind.done:
        # Half of the numbers would be wrong numbers, and a program that gets none keeps those it has.
        return Response("Being worked out; ask again in a minute.\n", 503, {"Retry-After": str(RETRY_AFTER)})
    sent = [cell for cell in behind.cells if cell.item != AT_ONCE]
    coming = outlooks.cells(session, looked.outlook, today, today + timedelta(days=AHEAD))
    headings = records.headings(session, {cell.item for cell in (*sent, *coming)})
    host = urlsplit(current().base_url).hostname or "localhost"
    answer = Response(
        "".join(as_ics(entries(sent, coming), headings, f"{studio.name}: emails", now, host)),
        mimetype="text/calendar; charset=utf-8",
    )
    answer.headers["Content-Disposition"] = 'inline; filename="emails.ics"'
    with transaction() as writing:
        actions.note_read(writing, found.id, now)
    return answer
