"""Editing a series without fear: what a change means is shown before it is made, and it can be taken back."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from newsletter import clock
from newsletter.accounts.gate import admin_blueprint, current_operator
from newsletter.database.engine import db, transaction
from newsletter.errors import InputError, RenderError, SourceError, SuppleError
from newsletter.forecast import impact, textdiff
from newsletter.forecast.comparing import SHOWN
from newsletter.messages.compiling import Rendered
from newsletter.sequences import differing, drafts, editing, edits, previews, queries, versions
from newsletter.sequences.drafts import Draft
from newsletter.sequences.editing import Outdated, Unconfirmed
from newsletter.sequences.edits import Edit, Reword
from newsletter.sequences.moving import AtOnce, Choices
from newsletter.sequences.previews import NAMED, Words
from newsletter.sequences.stepforms import Form
from newsletter.web.isolation import SANDBOX
from newsletter.web.paging import list_page

bp = admin_blueprint("edits", __name__, "/admin/sequences/<int:sequence_id>")

# What the page of an edit adds to the fields that say which edit it is.
OWN = frozenset({"csrf_token", "version", "at_once", "spread_hours", "finished", "seen", "agree"})
UNTIL_SENT = "It can be taken back under “What was changed” until an email goes out because of it."


@bp.post("/edits")
def look(sequence_id: int) -> str | Response | tuple[str, int]:
    """What an edit would mean; it is made at once when it means nothing for anybody."""
    session = db.session()
    editing.check_version(session, sequence_id, _version())
    before = versions.current(session, sequence_id)
    edit = edits.read(_form(), before)
    after = edit.on(before)
    if after == before:
        return _done(sequence_id, None, UNTIL_SENT)
    editing.check_leads(session, before, after)
    if isinstance(edit, Reword):
        return _words_page(session, sequence_id, before, edit)
    return _impact_page(session, sequence_id, before, edit, None)


def _impact_page(
    session: Session, sequence_id: int, before: Draft, edit: Edit, problem: SuppleError | None
) -> str | Response | tuple[str, int]:
    choices = _choices()
    found = impact.of_edit(session, sequence_id, edit, clock.now(), choices)
    if found.nobody and problem is None:
        return _apply(sequence_id, edit, "Nobody in this series is affected.")
    page = render_template(
        "forecast/edit.html",
        series=queries.sequence(session, sequence_id),
        words=edit.words(before),
        differences=differing.differences(before, edit.on(before)),
        impact=found,
        choices=choices,
        AtOnce=AtOnce,
        SHOWN=SHOWN,
        problem=problem,
        fields=_fields(),
    )
    return (page, problem.status) if problem else page


def _words_page(session: Session, sequence_id: int, before: Draft, edit: Reword) -> str:
    """The difference that new words make, as their reader sees it, and how many will read the new ones."""
    series, step = queries.sequence(session, sequence_id), before.step(edit.step)
    old = previews.words_of(queries.step(session, sequence_id, edit.step))
    new = Words(edit.subject, edit.preheader, edit.body)
    as_whom = previews.reader(session, request.form.get("reader", NAMED))
    now = clock.now()
    made = previews.preview(session, series, new, as_whom, now)
    was: Rendered | None = None
    with suppress(SourceError, RenderError):  # words that make no email: all the better that there are new ones
        was = previews.preview(session, series, old, as_whom, now)
    return render_template(
        "forecast/edit_words.html",
        series=series,
        step=step,
        title=before.title(step.id),
        subject=textdiff.words(was.subject if was else old.subject, made.subject),
        preheader=textdiff.words(was.preheader if was else old.preheader, made.preheader),
        pairs=textdiff.shortened(textdiff.compare(was.text if was else old.body, made.text)),
        waiting=versions.going_to_get(session, sequence_id, step, before),
        sent=queries.sent_counts(session, [step.id]).get(step.id, 0),
        as_whom=as_whom,
        new=new,
        sandbox=SANDBOX,
        fields=_fields(),
    )


@bp.post("/edits/apply")
def apply(sequence_id: int) -> str | Response | tuple[str, int]:
    """Make the edit, if the series still is as it was looked at and no more people are due at once than confirmed."""
    session = db.session()
    try:
        editing.check_version(session, sequence_id, _version())
        edit = edits.read(_form(), versions.current(session, sequence_id))
        return _apply(sequence_id, edit, UNTIL_SENT)
    except Unconfirmed as problem:
        return _impact_page(session, sequence_id, versions.current(session, sequence_id), edit, problem)
    except Outdated:
        session.rollback()
        made = _made_already(session, sequence_id)
        if made is None:
            raise
        return _done(sequence_id, made, UNTIL_SENT)


def _apply(sequence_id: int, edit: Edit, means: str) -> Response:
    choices = _choices()
    foreseen = editing.foresee(db.session(), sequence_id, edit, now=clock.now(), choices=choices)
    with transaction() as session:
        made = editing.apply(
            session,
            sequence_id,
            edit,
            now=clock.now(),
            expected=_version(),
            operator_id=current_operator().id,
            choices=choices,
            foreseen=foreseen,
        )
    return _done(sequence_id, made.what if made else None, means)


def _done(sequence_id: int, what: str | None, means: str) -> Response:
    flash(f"Done: {what}. {means}" if what else "Nothing to change: it is like that already.")
    return _back(sequence_id)


def _made_already(session: Session, sequence_id: int) -> str | None:
    """What this very form changed when its button was pressed before: the second press of a double click."""
    made = versions.numbered(session, sequence_id, _version() + 1)
    if made is None or made.operator_id != current_operator().id or made.undone_at is not None:
        return None
    before = drafts.read(made.before)
    with suppress(SuppleError):
        if edits.read(_form(), before).words(before) == made.what:
            return made.what
    return None


@bp.get("/versions", endpoint="versions")
def every_version(sequence_id: int) -> str:
    """What was changed about a series, by whom, and what may be taken back."""
    last = versions.undoable(db.session(), sequence_id)
    at_once = versions.hurried_back(db.session(), last.id, clock.now()) if last else 0
    return _versions_page(db.session(), sequence_id, at_once, None)


def _versions_page(session: Session, sequence_id: int, at_once: int, problem: SuppleError | None) -> str:
    listing = list_page(session, versions.listed(sequence_id), scalars=False)
    last = versions.undoable(session, sequence_id)
    return render_template(
        "sequences/versions.html",
        series=queries.sequence(session, sequence_id),
        listing=listing,
        differences={
            row.id: differing.differences(drafts.read(row.before), drafts.read(row.after)) for row, _ in listing.rows
        },
        last=last,
        why_not=editing.why_not_undo(session, last) if last else "",
        at_once=at_once,
        problem=problem,
    )


@bp.post("/versions/<int:version_id>/undo")
def undo(sequence_id: int, version_id: int) -> Response | tuple[str, int]:
    """Take the last edit back, if that makes no more people due at once than the operator has seen (semantics 3.9)."""
    foreseen = editing.foresee_undo(db.session(), sequence_id, version_id, now=clock.now())
    by, seen = current_operator().id, _number("seen") or 0
    try:
        with transaction() as session:
            now = clock.now()
            editing.undo(session, sequence_id, version_id, now=now, operator_id=by, foreseen=foreseen, confirmed=seen)
    except Unconfirmed as problem:
        return _versions_page(db.session(), sequence_id, problem.count, problem), problem.status
    flash("Taken back: everybody stands where they stood before that change.")
    return redirect(url_for("edits.versions", sequence_id=sequence_id))


def _back(sequence_id: int) -> Response:
    return redirect(url_for("sequences.show", sequence_id=sequence_id))


def _form() -> Form:
    return Form(dict(request.form.lists()))


def _fields() -> list[tuple[str, str]]:
    """The fields that say which edit it is, to be sent once more."""
    return [(name, value) for name, values in request.form.lists() if name not in OWN for value in values]


def _choices() -> Choices:
    form: Any = request.form
    agreed = form.get("agree") == "yes"
    return Choices(
        at_once=form.get("at_once") or AtOnce.NOW,
        spread_hours=_number("spread_hours") or 24,
        finished=form.get("finished") == "yes",
        confirmed=(_number("seen") or 0) if agreed else 0,
    )


def _version() -> int:
    """The version that the form was written for; raises InputError without one, which would overwrite anything."""
    version = _number("version")
    if version is None:
        raise InputError(
            "The form does not say which version of the series it changes.",
            means="Nothing was changed.",
            remedy="Look at the series as it is now, and make your change again.",
        )
    return version


def _number(name: str) -> int | None:
    text = request.form.get(name, "").strip()
    if text and not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise InputError(f"“{text[:20]}” is not a whole number.", remedy="Go back and type one.")
    return int(text) if text else None
