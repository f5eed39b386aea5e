"""Pausing a series, a person's series or all of them, and how they go on (semantics 3.15)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from flask import current_app, flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from newsletter import clock
from newsletter.accounts import actions as accounts
from newsletter.accounts import queries as studio
from newsletter.accounts.gate import admin_blueprint, current_operator
from newsletter.accounts.models import AuditEntry
from newsletter.audience import actions as audience
from newsletter.audience import queries as people
from newsletter.audience.rules import Status
from newsletter.database.engine import db, transaction
from newsletter.errors import InputError, NotFound
from newsletter.sequences import pauses, pausing, queries
from newsletter.sequences.pauses import Scope
from newsletter.sequences.resuming import CHOICE_WORDS, Choice, whole_days

# What a pause would keep back; the room that looks ahead stands on a floor above and puts its answer here.
LookAhead = Callable[[Session, Scope, datetime], Any]

bp = admin_blueprint("pauses", __name__, "/admin/sequences/pauses")


@dataclass(frozen=True)
class _Subject:
    """What a pause is of, for the page: its kind, its name, where it belongs, and its own address."""

    scope: Scope
    kind: str
    name: str
    back: str
    url: str
    record: str


def _subject(session: Session, kind: str, number: int) -> _Subject:
    if kind == "series":
        series = queries.sequence(session, number)
        back = url_for("sequences.show", sequence_id=number)
        url = url_for("pauses.show", kind=kind, number=number)
        return _Subject(Scope(sequence_id=number), kind, series.name, back, url, f"sequence:{number}")
    if kind == "person":
        person = people.subscriber(session, number)
        if person is None or person.status == Status.ERASED:
            raise NotFound("There is no such person.", remedy="Look for them under Subscribers.")
        name = f"{person.first_name} {person.last_name}".strip() or person.email
        back = url_for("subscribers.person", subscriber_id=number)
        url = url_for("pauses.show", kind=kind, number=number)
        return _Subject(Scope(subscriber_id=number), kind, name, back, url, f"subscriber:{number}")
    return _Subject(Scope(), "everything", "All series", url_for("sequences.every"), url_for("pauses.all_series"), "")


def _page(subject: _Subject) -> str:
    session, now = db.session(), clock.now()
    since = pauses.since(session, subject.scope)
    return render_template(
        "sequences/pause.html",
        subject=subject,
        since=since,
        days=whole_days(since, now, studio.zone_of(studio.studio(session))) if since else 0,
        people=pauses.under_way(session, subject.scope),
        concerned=pauses.concerned(session, subject.scope, now) if since else None,
        others=pauses.other_pauses(session, subject.scope),
        working=pauses.is_working(session, subject.scope),
        choices=CHOICE_WORDS,
        effect_url=_effect(subject),
        found=None if since else _kept_back(session, subject.scope, now),
    )


def _kept_back(session: Session, scope: Scope, now: datetime) -> Any:
    ahead = cast(LookAhead | None, current_app.extensions.get("kept_back"))
    return ahead(session, scope, now) if ahead else None


def _effect(subject: _Subject) -> str:
    """The page that looks ahead; it stands on a floor above, so it is only known by its name."""
    if "rests.look" not in current_app.view_functions:
        return ""
    number = subject.scope.sequence_id or subject.scope.subscriber_id or 0
    return url_for("rests.look", kind=subject.kind, number=number)


# Changes that are no edits of a series and yet move its emails, and how each is taken back.
REST_WORDS = {
    "series.paused": ("This series was paused", "End the pause to take it back."),
    "series.resumed": ("The pause of this series ended", "Pause it again to take it back."),
    "everything.paused": ("All series were paused", "End the pause to take it back."),
    "everything.resumed": ("The pause of all series ended", "Pause them again to take it back."),
    "settings.changed": ("The studio's time zone was changed", "Choose the former one in Settings to take it back."),
}
RESTS_SHOWN = 50


@bp.app_template_global()
def rests_of(sequence_id: int) -> list[tuple[str, str, str, datetime]]:
    """What was paused, went on or moved to another zone: in words, how to take it back, whose, when; newest first."""
    log = studio.audit_of(REST_WORDS, [f"sequence:{sequence_id}", "", "studio:1"]).limit(RESTS_SHOWN)
    return [
        (f"{REST_WORDS[entry.action][0]}{_how(entry)}", REST_WORDS[entry.action][1], who or "", entry.at)
        for entry, who in db.session().execute(log)
        if entry.action != "settings.changed" or "timezone" in entry.detail.get("fields", ())
    ]


def _how(entry: AuditEntry) -> str:
    said = entry.detail
    if "zone_was" in said:
        return f" from {said['zone_was']} to {said['zone_is']}".replace("_", " ")
    return f": {said['how']}" if said.get("how") else ""


@bp.get("")
def all_series() -> str:
    """Whether everything is paused, and the way in or out."""
    return _page(_subject(db.session(), "everything", 0))


@bp.get("/<any(series, person):kind>/<int:number>")
def show(kind: str, number: int) -> str:
    """Whether a series, or a person's series, are paused, and the way in or out."""
    return _page(_subject(db.session(), kind, number))


@bp.post("")
def change_all() -> Response:
    """Pause or resume everything."""
    return _change("everything", 0)


@bp.post("/<any(series, person):kind>/<int:number>")
def change(kind: str, number: int) -> Response:
    """Pause or resume a series, or a person's series."""
    return _change(kind, number)


def _change(kind: str, number: int) -> Response:
    wanted = request.form.get("do", "")
    if wanted == "pause":
        return _pause(kind, number)
    if wanted not in set(Choice):
        raise InputError("Nothing was chosen.", means="Nothing was changed.", remedy="Choose how it goes on.")
    return _resume(kind, number, Choice(wanted))


def _pause(kind: str, number: int) -> Response:
    with transaction() as session:
        subject, now = _subject(session, kind, number), clock.now()
        if not pausing.pause(session, subject.scope, now):
            raise InputError("It is paused already.", means="Nothing was changed.", remedy="Look at its newest state.")
        _record(session, subject, "paused")
    flash("Paused. No email of a series goes out" + (" to them." if kind == "person" else "."))
    return redirect(subject.url)


def _resume(kind: str, number: int, choice: Choice) -> Response:
    with transaction() as session:
        subject, now = _subject(session, kind, number), clock.now()
        if not pausing.resume(session, subject.scope, choice, now):
            raise InputError(
                "It is not paused any more.", means="Nothing was changed.", remedy="Look at its newest state."
            )
        _record(session, subject, "resumed", how=CHOICE_WORDS[choice][0])
    flash("The pause is over.")
    return redirect(subject.back)


def _record(session: Session, subject: _Subject, what: str, **more: str) -> None:
    now = clock.now()
    by, action = current_operator().id, f"{subject.kind}.{what}"
    accounts.record(session, action, by=by, now=now, subject=subject.record, **more)
    if subject.scope.subscriber_id is not None:
        words = "All their series were paused" if what == "paused" else "The pause of their series ended"
        audience.note(session, subject.scope.subscriber_id, "series", words, now)
