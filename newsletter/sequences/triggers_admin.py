"""How a series begins by itself, in the back office: what is there, what a new one would do, resting, removing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

from flask import current_app, flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from newsletter import clock
from newsletter.accounts import actions as accounts
from newsletter.accounts import queries as studio_queries
from newsletter.accounts.gate import admin_blueprint, current_operator
from newsletter.audience import queries as audience
from newsletter.database.engine import db, transaction
from newsletter.errors import InputError, NotFound
from newsletter.sequences import (
    editing,
    editor,
    entering,
    nearing,
    openings,
    queries,
    saying,
    triggers,
    versions,
    ways_in,
)
from newsletter.sequences.models import Sequence
from newsletter.sequences.saying import Names
from newsletter.sequences.triggers import SOON, Kind, Opening

bp = admin_blueprint("triggers", __name__, "/admin/sequences/<int:sequence_id>/triggers")

# What may be done with a way in that there is, after a look at what it means.
DEEDS = ("rest", "again", "remove")
# What the rooms of forms and gifts offer to be chosen from, and which forms lead to a series by themselves.
Choices = Callable[[Session], list[tuple[str, str]]]
Leading = Callable[[Session, int], list[str]]


@dataclass(frozen=True)
class Way:
    """One way into a series as the page shows it; `soon` people join by a date within 30 days."""

    opening: Opening
    words: str
    soon: int = 0
    unreadable: int = 0


def choices(session: Session, kind: str) -> list[tuple[str, str]]:
    """The forms or gifts an operator may choose from, as short name and what it is called."""
    offered = cast(Mapping[str, Choices], current_app.extensions["openings"]).get(kind)
    return offered(session) if offered else []


def section(session: Session, series: Sequence) -> dict[str, Any]:
    """What the part of a series' page about its beginnings needs, as `triggers` in sequences/triggers.html."""
    now = clock.now()
    known = openings.all_of(session, series.id)
    figures = openings.figures(session, [one.id for one in known if one.kind == Kind.DATE], now, now + SOON)
    return {
        "ways": [Way(one, _say(session, one), *figures.get(one.id, (0, 0))) for one in known],
        "forms_of_their_own": cast(Leading, current_app.extensions["leading"])(session, series.id),
        "forms": choices(session, Kind.FORM),
        "gifts": choices(session, Kind.MAGNET),
        "tags": [tag.name for tag, _ in audience.tags(session)],
        "words": triggers.KIND_WORDS,
    }


def _say(session: Session, opening: Opening) -> str:
    return triggers.say(opening, dict(choices(session, opening.kind)))


def _only(session: Session, series: Sequence) -> str:
    """Who alone may join, in words; empty when everybody may."""
    return saying.say_entry(series.entry, Names(gifts=dict(choices(session, Kind.MAGNET))))


def _typed(sequence_id: int) -> Opening:
    form = request.form
    kind, what, config = form.get("kind", ""), form.get("what", ""), {}
    if kind == Kind.DATE:
        try:
            days = int(form.get("days") or 0) * (-1 if form.get("side") == "before" else 1)
        except ValueError:
            raise InputError("The number of days is a whole number.", remedy="Type it in digits.") from None
        config = {"yearly": form.get("often") != "once", "days": days, "at": form.get("at") or "09:00"}
    return entering.checked(sequence_id, kind, what, config)


@bp.post("/look")
def look(sequence_id: int) -> str | Response:
    """What a new beginning would do, before it is made."""
    session, now = db.session(), clock.now()
    series = queries.sequence(session, sequence_id)
    try:
        opening = _typed(sequence_id)
    except InputError as problem:
        flash(f"{problem.happened} {problem.remedy}", "problem")
        return redirect(url_for("sequences.show", sequence_id=sequence_id, _anchor="begins"))
    zone = studio_queries.studio(session).timezone
    return render_template(
        "sequences/trigger_look.html",
        series=series,
        opening=opening,
        words=_say(session, opening),
        only=_only(session, series),
        given={name: value for name, value in request.form.items() if name != "csrf_token"},
        impact=nearing.of_date(session, opening, zone, now, now + SOON) if opening.kind == Kind.DATE else None,
        have_it=audience.count_reachable(session, opening.what) if opening.kind == Kind.TAG else 0,
    )


@bp.post("")
def add(sequence_id: int) -> Response:
    """Let people join by it from now on, and where asked also those who have the tag already, one after another."""
    now, opening = clock.now(), _typed(sequence_id)
    with transaction() as session:
        queries.sequence(session, sequence_id)
        with _noted(session, sequence_id):
            made = entering.add(session, sequence_id, opening.kind, opening.what, opening.config, now)
        too = opening.kind == Kind.TAG and request.form.get("too") == "yes"
        if too:
            entering.ask_tagged(session, sequence_id, opening.what, now)
        accounts.record(
            session,
            "series.trigger.added",
            by=current_operator().id,
            now=now,
            subject=f"sequence:{sequence_id}",
            trigger=made.id,
            kind=made.kind,
        )
    flash("Done. Those who have the tag join ten a minute." if too else "Done. From now on people join by it.")
    return redirect(url_for("sequences.show", sequence_id=sequence_id, _anchor="begins"))


@bp.get("/<int:trigger_id>/<deed>")
def before(sequence_id: int, trigger_id: int, deed: str) -> str:
    """Who would join no more, or again, and what they would get, before a way in rests, works again or goes."""
    session, now = db.session(), clock.now()
    series = queries.sequence(session, sequence_id)
    opening = openings.opening(openings.trigger(session, sequence_id, trigger_id))
    if deed not in DEEDS:
        raise NotFound("There is no such page.", remedy="Go back to the series.")
    zone = studio_queries.studio(session).timezone
    dated = nearing.of_date(session, opening, zone, now, now + SOON) if opening.kind == Kind.DATE else None
    return render_template(
        "sequences/trigger_before.html",
        series=series,
        opening=opening,
        words=_say(session, opening),
        only=_only(session, series),
        deed=deed,
        dated=dated,
        names=audience.readers(session, [number for number, _ in dated.who]) if dated else {},
        lately=ways_in.lately(session, opening, now - SOON),
        mails=[line for line in editor.lines(session, series) if line.mails],
    )


@bp.post("/<int:trigger_id>/switch")
def switch(sequence_id: int, trigger_id: int) -> Response:
    """Let it rest, or work again."""
    enabled = request.form.get("enabled") == "yes"
    with transaction() as session:
        with _noted(session, sequence_id):
            entering.switch(session, sequence_id, trigger_id, enabled=enabled)
        _record(session, "series.trigger.resumed" if enabled else "series.trigger.paused", sequence_id, trigger_id)
    flash("People join by it again." if enabled else "It rests. Nobody joins by it until you let it go on.")
    return redirect(url_for("sequences.show", sequence_id=sequence_id, _anchor="begins"))


@bp.post("/<int:trigger_id>/remove")
def remove(sequence_id: int, trigger_id: int) -> Response:
    """Take it away; whoever joined by it stays."""
    with transaction() as session:
        with _noted(session, sequence_id):
            entering.remove(session, sequence_id, trigger_id)
        _record(session, "series.trigger.removed", sequence_id, trigger_id)
    flash("Removed. Whoever joined by it stays.")
    return redirect(url_for("sequences.show", sequence_id=sequence_id, _anchor="begins"))


@contextmanager
def _noted(session: Session, sequence_id: int) -> Iterator[None]:
    """Note what the block does to the triggers as a version of the series, to be taken back like any edit."""
    editing.guard(session, sequence_id, None)
    draft, before = versions.current(session, sequence_id), ways_in.kept(session, sequence_id)
    yield
    session.flush()
    after = ways_in.kept(session, sequence_id)
    if after != before:
        number, what = editing.next_version(session, sequence_id), "; ".join(ways_in.changed(before, after))
        by, now = current_operator().id, clock.now()
        editing.note(session, sequence_id, number, what, draft, draft, by, now, (before, after))


def _record(session: Session, action: str, sequence_id: int, trigger_id: int) -> None:
    by, now = current_operator().id, clock.now()
    accounts.record(session, action, by=by, now=now, subject=f"sequence:{sequence_id}", trigger=trigger_id)
