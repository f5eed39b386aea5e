"""What pausing would keep back, and what each way of going on means, before either is done (semantics 3.15)."""

from __future__ import annotations

from flask import render_template, url_for
from flask.blueprints import BlueprintSetupState
from sqlalchemy.orm import Session

from newsletter import clock
from newsletter.accounts.gate import admin_blueprint
from newsletter.audience import queries as audience
from newsletter.audience.rules import Status
from newsletter.database.engine import db
from newsletter.errors import NotFound
from newsletter.forecast import rest_impact
from newsletter.forecast.rest_impact import LOOKED
from newsletter.sequences import pauses, queries
from newsletter.sequences.pauses import Scope
from newsletter.sequences.resuming import CHOICE_WORDS

bp = admin_blueprint("rests", __name__, "/admin/sequences/pauses")


@bp.record
def offer(state: BlueprintSetupState) -> None:
    """Let the page of a pause, on a floor below, show what it would keep back above its button."""
    state.app.extensions["kept_back"] = rest_impact.of_pause


@bp.get("/<any(series, person, everything):kind>/<int:number>/effect")
def look(kind: str, number: int) -> str:
    """The effect of a pause, or of its end in each way; the buttons are those of the pause's own page."""
    session, now = db.session(), clock.now()
    scope, name = _scope(session, kind, number)
    since = pauses.since(session, scope)
    found = rest_impact.of_resume(session, scope, now) if since else rest_impact.of_pause(session, scope, now)
    return render_template(
        "forecast/rest.html",
        name=name,
        kind=kind,
        since=since,
        found=found,
        people=pauses.under_way(session, scope),
        LOOKED=LOOKED,
        choices=CHOICE_WORDS,
        own=url_for("pauses.show", kind=kind, number=number) if kind != "everything" else url_for("pauses.all_series"),
    )


def _scope(session: Session, kind: str, number: int) -> tuple[Scope, str]:
    if kind == "series":
        return Scope(sequence_id=number), f"“{queries.sequence(session, number).name}”"
    if kind == "person":
        person = audience.subscriber(session, number)
        if person is None or person.status == Status.ERASED:
            raise NotFound("There is no such person.", remedy="Look for them under Subscribers.")
        name = f"{person.first_name} {person.last_name}".strip() or person.email
        return Scope(subscriber_id=number), f"the series of {name}"
    return Scope(), "all series"
