"""The calendar in the back office: what went out and what will, to whom and why; links for calendar programs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from flask import Response, flash, jsonify, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from newsletter import addresses, clock
from newsletter.accounts.actions import record
from newsletter.accounts.gate import admin_blueprint, current_operator
from newsletter.accounts.presentation import look
from newsletter.audience import queries as audience
from newsletter.audience.rules import STATUS_WORDS
from newsletter.database.engine import db, transaction
from newsletter.errors import InputError, NotFound
from newsletter.forecast import actions, asking, looking, outlooks, people, records, timeline
from newsletter.forecast.asking import Ask
from newsletter.forecast.calendar import (
    AHEAD,
    AT_ONCE,
    VIEW_WORDS,
    Day,
    Entry,
    View,
    by_hour,
    day_words,
    read_day,
    sheet,
    span,
    title,
    turned,
)
from newsletter.forecast.calendar import people as people_words
from newsletter.forecast.feed import feed_url
from newsletter.forecast.records import Heading
from newsletter.sequences.rules import zone_of

bp = admin_blueprint("calendar", __name__, "/admin/calendar")

MOST_IN_A_CELL = 4  # of a month; more are a press away


@bp.get("")
def index() -> str:
    """What went out and what will, on the days of a month, of a week, or on one day."""
    session, now, zone = db.session(), clock.now(), look().zone
    today = now.astimezone(zone).date()
    ask = Ask.read(request.args, today)
    seen = asking.see(session, ask, zone, now)
    headings = records.headings(session, {cell.item for cell in (*seen.sent, *seen.coming)})
    sent, coming = ([cell for cell in cells if ask.lets(headings[cell.item])] for cells in (seen.sent, seen.coming))
    last = asking.last_day(now, zone)
    days = sheet(ask.view, ask.on, today, last, sent, coming)
    return render_template(
        "forecast/calendar.html",
        ask=ask,
        days=days,
        hours=by_hour(sent, coming, zone) if ask.view is View.DAY else [],
        headings=headings,
        legend=_legend(headings, days),
        many=any(entry.item.startswith("broadcast:") for day in days for entry in day.entries),
        title=title(ask.view, ask.on),
        today=today,
        earlier=turned(ask.view, ask.on, -1),
        later=turned(ask.view, ask.on, 1),
        seen=seen,
        looked=seen.looked,
        last=last if any(day.beyond and not day.outside for day in days) else None,
        series=records.series(session),
        tags=[tag.name for tag, _ in audience.tags(session)],
        reader=_reader(session, ask.reader) if ask.reader is not None else None,
        VIEWS=VIEW_WORDS,
        AHEAD=AHEAD,
        AT_ONCE=AT_ONCE,
        MOST=MOST_IN_A_CELL,
        brief=_brief,
        span=lambda cell: span(cell, zone),
        people=people_words,
        day_words=day_words,
    )


def _brief(entries: Sequence[Entry]) -> Sequence[Entry]:
    """What a month shows of a day: emails to many first, then what most people get."""
    ordered = sorted(
        entries, key=lambda entry: (not entry.item.startswith("broadcast:"), entry.item == AT_ONCE, -entry.people)
    )
    return ordered if len(ordered) <= MOST_IN_A_CELL + 1 else ordered[:MOST_IN_A_CELL]


def _legend(headings: dict[str, Heading], days: list[Day]) -> list[Heading]:
    """One email of each series on the sheet, by the series' colour."""
    shown = {entry.item for day in days for entry in day.entries}
    return sorted(
        {found.series: found for item, found in headings.items() if item in shown and found.series}.values(),
        key=lambda found: found.hue,
    )


def _reader(session: Session, subscriber_id: int) -> audience.Reader:
    found = audience.readers(session, [subscriber_id]).get(subscriber_id)
    if found is None:
        raise NotFound("There is no such subscriber.", remedy="Look them up in the list of subscribers.")
    return found


@bp.post("/find")
def find() -> AnyResponse:
    """Show one reader's days; their address travels in the form, never in the page's own address."""
    ask = Ask.read(request.form, clock.now().astimezone(look().zone).date())
    person = None
    with suppress(InputError):  # the words below say what to do about this, too
        person = audience.by_address(db.session(), addresses.parse(request.form.get("address", "")))
    if person is None:
        flash("Nobody with this address is subscribed. Check the spelling, or see Subscribers.", "problem")
        return _shown(ask.address())
    return _shown(ask.address(reader=str(person.id)))


def _shown(address: dict[str, Any]) -> AnyResponse:
    return redirect(url_for("calendar.index", **address))


@bp.post("/ahead")
def ahead() -> Response:
    """Count and work out a little more of what the page shows, and say how far it is; for the page's script."""
    now, zone = clock.now(), look().zone
    share, done = asking.go_on(Ask.read(request.form, now.astimezone(zone).date()), zone, now)
    return jsonify(share=share, done=done)


@bp.post("/again")
def again() -> AnyResponse:
    """Work out afresh what is ahead."""
    looking.look(anew=True)
    ask = Ask.read(request.form, clock.now().astimezone(look().zone).date())
    return _shown(ask.address())


@bp.get("/<day>/<any(step, broadcast, other):kind>/<int:number>")
def who(day: str, kind: str, number: int) -> str:
    """One email on one day: who got it, who will, and why; names by the page."""
    session, now, zone = db.session(), clock.now(), look().zone
    today = now.astimezone(zone).date()
    on = read_day(day, today)
    ask = Ask.read({**request.args, "on": on.isoformat()}, today)
    item = AT_ONCE if kind == AT_ONCE else f"{kind}:{number}"
    heading = records.headings(session, [item])[item]
    looked = looking.look() if on >= today else None
    found = people.people(session, heading, ask, looked.outlook if looked else None, zone, now)
    return render_template(
        "forecast/who.html",
        ask=ask,
        heading=heading,
        found=found,
        seen=looked,
        looked=looked,
        day=day_words(on),
        weekday=lambda at, reader: f"{at.astimezone(zone_of(reader.timezone, zone.key)):%A}",
        kind=kind,
        number=number,
        people=people_words,
        AT_ONCE=AT_ONCE,
    )


@bp.get("/people/<int:subscriber_id>")
def reader(subscriber_id: int) -> str:
    """One reader in one line: what they got and did, now, and what they will get."""
    session, now = db.session(), clock.now()
    person = _reader(session, subscriber_id)
    return render_template(
        "forecast/timeline.html",
        person=person,
        called=f"{person.first_name} {person.last_name}".strip() or person.email,
        line=timeline.line(session, subscriber_id, now, whole="all" in request.args),
        words=STATUS_WORDS,
        days=AHEAD,
    )


@bp.get("/links")
def feeds() -> str:
    """The secret links under which calendar programs read what goes out."""
    return _feeds_page()


def _feeds_page(problem: str = "") -> str:
    rows = outlooks.feeds(db.session())
    return render_template(
        "forecast/feeds.html", feeds=[(row, feed_url(row)) for row in rows], problem=problem, AHEAD=AHEAD
    )


@bp.post("/links")
def add_feed() -> AnyResponse | tuple[str, int]:
    """Make a new secret link."""
    now = clock.now()
    try:
        with transaction() as session:
            made = actions.make_feed(session, request.form.get("name", ""), by=current_operator().id, now=now)
            record(session, "calendar.link_made", by=current_operator().id, now=now, subject=f"calendar:{made.id}")
    except InputError as problem:
        return _feeds_page(str(problem)), problem.status
    flash("Here is the link. Whoever has it sees when which email goes to how many; it names no reader.")
    return redirect(url_for("calendar.feeds"))


@bp.post("/links/<int:feed_id>/revoke")
def revoke_feed(feed_id: int) -> AnyResponse:
    """Take a secret link back."""
    now = clock.now()
    with transaction() as session:
        actions.revoke_feed(session, feed_id, now)
        record(session, "calendar.link_revoked", by=current_operator().id, now=now, subject=f"calendar:{feed_id}")
    flash("Taken back. The link shows nothing any more.")
    return redirect(url_for("calendar.feeds"))
