"""Subscribers in the back office: the list, one person's page, and what an operator may do there."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, cast

from flask import Response, current_app, flash, redirect, render_template, request, stream_with_context, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as Answer

from newsletter import clock
from newsletter.accounts.actions import record
from newsletter.accounts.gate import admin_blueprint, current_operator
from newsletter.accounts.rules import zone_names
from newsletter.addresses import parse
from newsletter.audience import actions, by_hand, listing, queries
from newsletter.audience.history import HistoryLine
from newsletter.audience.models import Subscriber
from newsletter.audience.rules import STATUS_WORDS, Status
from newsletter.database.engine import db, transaction
from newsletter.errors import InputError, NotFound
from newsletter.settings import current
from newsletter.web import searching
from newsletter.web.paging import list_page

bp = admin_blueprint("subscribers", __name__, "/admin/subscribers")

SORT_WORDS = [("newest", "Newest first"), ("oldest", "Oldest first"), ("name", "By name"), ("address", "By address")]
HistoryOf = Callable[[Session, int], list[HistoryLine]]


@bp.get("")
def index() -> str:
    """Everybody, searched and filtered."""
    session, search = db.session(), searching.asked()
    question = listing.Question.of({**request.args.to_dict(), "q": search})
    return render_template(
        "audience/list.html",
        people=list_page(session, listing.people(question)),
        question=question,
        query=searching.in_address(question.text),
        counts=listing.counts(session, question),
        tags=[tag.name for tag, _ in queries.tags(session)],
        statuses=list(Status),
        words=STATUS_WORDS,
        sorts=SORT_WORDS,
    )


@bp.post("/find")
def find() -> Answer:
    """Search the list; an address that is looked for never stands in the page's own address."""
    return searching.shown("subscribers.index", also=("status", "tag", "sort"))


@bp.post("/export")
def export() -> Response:
    """The people of the list as a CSV file that a spreadsheet opens safely."""
    question = listing.Question.of(request.form)
    with transaction() as session:
        record(session, "subscribers.exported", by=current_operator().id, now=clock.now())
    answer = Response(stream_with_context(_csv(question)), mimetype="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = f'attachment; filename="subscribers-{clock.now():%Y-%m-%d}.csv"'
    return answer


def _csv(question: listing.Question) -> Iterator[str]:
    line = io.StringIO()
    writer = csv.writer(line)
    yield "\ufeff"  # without it a spreadsheet reads names with accents wrongly
    for row in _with_head(listing.rows(db.session(), question)):
        writer.writerow(row)
        yield line.getvalue()
        line.seek(0)
        line.truncate()


def _with_head(rows: Iterator[list[str]]) -> Iterator[list[str]]:
    yield list(listing.COLUMNS)
    yield from rows


@bp.route("/add", methods=["GET", "POST"])
def add() -> str | Answer | tuple[str, int]:
    """Add one person who asked for it in person."""
    if request.method != "POST":
        return render_template("audience/add.html")
    form, now = request.form, clock.now()
    first, last, attest = (form.get(name, "") for name in ("first_name", "last_name", "attest"))
    try:
        with transaction() as session:
            person = by_hand.add(
                session, form.get("email", ""), first, last, attest=attest, secret=current().secret_key, now=now
            )
            record(session, "subscriber.added", by=current_operator().id, now=now, subject=f"subscriber:{person.id}")
    except InputError as problem:
        return render_template("audience/add.html", problem=problem), 400
    flash("Added. From now on they get your emails.")
    return redirect(url_for("subscribers.person", subscriber_id=person.id))


@bp.get("/<int:subscriber_id>")
def person(subscriber_id: int) -> str | tuple[str, int]:
    """One person: who they are, what they agreed to, and everything that happened."""
    return _person_page(subscriber_id)


def _person_page(subscriber_id: int, problem: str = "") -> str:
    session = db.session()
    found = _existing(session, subscriber_id)
    return render_template(
        "audience/person.html",
        person=found,
        tags=queries.tag_names(session, subscriber_id),
        all_tags=[tag.name for tag, _ in queries.tags(session)],
        consents=queries.consents(session, subscriber_id),
        history=_history(session, subscriber_id),
        words=STATUS_WORDS,
        zones=[("", "The studio's"), *((zone, zone.replace("_", " ")) for zone in zone_names())],
        problem=problem,
    )


def _existing(session: Session, subscriber_id: int) -> Subscriber:
    found = queries.subscriber(session, subscriber_id)
    if found is None:
        raise NotFound("There is no such subscriber.", remedy="Look them up in the list of subscribers.")
    return found


def _history(session: Session, subscriber_id: int) -> list[HistoryLine]:
    rooms = cast(list[HistoryOf], current_app.extensions["history"])
    lines = [line for room in rooms for line in room(session, subscriber_id)]
    return sorted(lines, key=lambda line: line.at, reverse=True)


def _change(subscriber_id: int, change: Callable[[Session, datetime], None], done: str, action: str) -> Answer:
    now = clock.now()
    with transaction() as session:
        _existing(session, subscriber_id)
        change(session, now)
        record(session, action, by=current_operator().id, now=now, subject=f"subscriber:{subscriber_id}")
    flash(done)
    return redirect(url_for("subscribers.person", subscriber_id=subscriber_id))


@bp.post("/<int:subscriber_id>/tags")
def add_tag(subscriber_id: int) -> Answer:
    """Give the person a tag."""
    name = request.form.get("tag", "").strip()
    if not name:
        flash("Type a tag first.", "problem")
        return redirect(url_for("subscribers.person", subscriber_id=subscriber_id))
    return _change(
        subscriber_id,
        lambda session, now: actions.add_tag(session, subscriber_id, name, now),
        "Tag added.",
        "subscriber.tagged",
    )


@bp.post("/<int:subscriber_id>/tags/remove")
def remove_tag(subscriber_id: int) -> Answer:
    """Take a tag from the person."""
    name = request.form.get("tag", "")
    return _change(
        subscriber_id,
        lambda session, now: actions.remove_tag(session, subscriber_id, name, now),
        "Tag removed.",
        "subscriber.untagged",
    )


@bp.post("/<int:subscriber_id>/details")
def correct(subscriber_id: int) -> str | Answer | tuple[str, int]:
    """Correct the person's name and time zone."""
    first, last, zone = (request.form.get(name, "") for name in ("first_name", "last_name", "timezone"))
    try:
        return _change(
            subscriber_id,
            lambda session, now: by_hand.correct(session, subscriber_id, first, last, zone, now),
            "Saved.",
            "subscriber.corrected",
        )
    except InputError as problem:
        return _person_page(subscriber_id, str(problem)), 400


@bp.post("/<int:subscriber_id>/fields")
def set_field(subscriber_id: int) -> str | Answer | tuple[str, int]:
    """Set a custom field of the person, or take it away."""
    name, value = request.form.get("field_name", ""), request.form.get("field_value", "")
    try:
        return _change(
            subscriber_id,
            lambda session, now: by_hand.set_field(session, subscriber_id, name, value, now),
            "Saved.",
            "subscriber.field_set",
        )
    except InputError as problem:
        return _person_page(subscriber_id, str(problem)), 400


@bp.post("/<int:subscriber_id>/unsubscribe")
def unsubscribe(subscriber_id: int) -> Answer:
    """End all marketing to the person."""
    return _change(
        subscriber_id,
        lambda session, now: actions.unsubscribe(session, subscriber_id, "Unsubscribed in the back office", now),
        "Unsubscribed. They get no more emails from you.",
        "subscriber.unsubscribed",
    )


@bp.post("/<int:subscriber_id>/export")
def export_person(subscriber_id: int) -> Response:
    """Everything held about the person, as JSON."""
    with transaction() as session:
        _existing(session, subscriber_id)
        held: dict[str, Any] = {}
        for room in current_app.extensions["held"]:
            held |= room(session, subscriber_id)
        subject = f"subscriber:{subscriber_id}"
        record(session, "subscriber.exported", by=current_operator().id, now=clock.now(), subject=subject)
    answer = Response(json.dumps(held, ensure_ascii=False, indent=2, default=str), mimetype="application/json")
    answer.headers["Content-Disposition"] = f'attachment; filename="subscriber-{subscriber_id}.json"'
    return answer


@bp.post("/<int:subscriber_id>/merge")
def merge(subscriber_id: int) -> str | Answer | tuple[str, int]:
    """Make this record and the one with the typed address one person, keeping the stricter consent (semantics 4)."""
    try:
        other = queries.by_address(db.session(), parse(request.form.get("address", "")))
    except InputError as problem:
        return _person_page(subscriber_id, str(problem)), 400
    if other is None or other.id == subscriber_id:
        return _person_page(subscriber_id, "Nothing was merged: there is no other person with that address."), 400
    return _change(
        subscriber_id,
        lambda session, now: actions.merge(
            session,
            subscriber_id,
            other.id,
            absorb=current_app.extensions["absorb"],
            secret=current().secret_key,
            now=now,
        ),
        "Merged. Of two consents the stricter one was kept.",
        "subscriber.merged",
    )


@bp.post("/<int:subscriber_id>/erase")
def erase(subscriber_id: int) -> str | Answer | tuple[str, int]:
    """Remove the person for good, once the word is typed."""
    if request.form.get("word", "").strip().casefold() != "erase":
        return _person_page(subscriber_id, "Nothing was erased: type the word erase to show that you mean it."), 400
    return _change(
        subscriber_id,
        lambda session, now: actions.erase(
            session, subscriber_id, forget=current_app.extensions["forget"], secret=current().secret_key, now=now
        ),
        "Erased. Their address and everything personal is gone.",
        "subscriber.erased",
    )
