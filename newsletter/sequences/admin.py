"""Series of emails: all of them, one as a line of steps with its people, and its settings."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from newsletter import addresses, clock
from newsletter.accounts import actions as accounts
from newsletter.accounts.gate import admin_blueprint, current_operator
from newsletter.audience import queries as audience
from newsletter.database.engine import db, transaction
from newsletter.errors import InputError, NotFound, SuppleError
from newsletter.sequences import (
    actions,
    editor,
    edits,
    making,
    pauses,
    queries,
    saying,
    stepforms,
    triggers_admin,
    versions,
)
from newsletter.sequences.models import Enrollment, Sequence
from newsletter.sequences.rules import ENROLLMENT_WORDS
from newsletter.sequences.stepforms import Form
from newsletter.web import searching
from newsletter.web.paging import list_page

bp = admin_blueprint("sequences", __name__, "/admin/sequences")

AGAIN = 307  # the browser sends the same form on to where an edit shows what it does


@bp.get("")
def every() -> str:
    """Every series, and how many people are where in it."""
    session = db.session()
    search = request.args.get("q", "").strip()
    listing = list_page(session, queries.listed(search))
    ids = [row.id for row in listing.rows]
    return render_template(
        "sequences/every.html",
        listing=listing,
        all_paused=pauses.since(session, pauses.Scope()),
        search=search,
        states=queries.states(session, ids),
        lengths=queries.lengths(session, ids),
    )


@bp.get("/new")
def new() -> str:
    """What a new series is called."""
    return render_template("sequences/new.html", name="", description="", problem=None)


@bp.post("")
def create() -> Response | tuple[str, int]:
    """Begin a series without steps."""
    name, description, now = request.form.get("name", ""), request.form.get("description", ""), clock.now()
    try:
        with transaction() as session:
            series_id = making.begin(session, name, description, now).id
            accounts.record(session, "series.begun", by=current_operator().id, now=now, subject=f"sequence:{series_id}")
    except InputError as problem:
        page = render_template("sequences/new.html", name=name, description=description, problem=problem)
        return page, problem.status
    return redirect(url_for("sequences.show", sequence_id=series_id))


@bp.get("/<int:sequence_id>")
def show(sequence_id: int) -> str:
    """One series: its steps one under the other with the waits between them, and its people."""
    session = db.session()
    series = queries.sequence(session, sequence_id)
    lines = editor.lines(session, series)
    known = editor.names(session, versions.current(session, sequence_id))
    search, state = searching.asked(), request.args.get("state", "")
    at_step = request.args.get("step", type=int)
    people = queries.people_in(sequence_id, search=search, state=state)
    if at_step:
        people = people.where(Enrollment.next_step_id == at_step)
    return render_template(
        "sequences/series.html",
        series=series,
        lines=lines,
        named={line.step.id: line.named for line in lines},
        places={line.step.id: editor.ways_of_moving(lines, line.step.id) for line in lines},
        said=editor.rules_in_words(series, known),
        triggers=triggers_admin.section(session, series),
        states=queries.states(session, [sequence_id])[sequence_id],
        listing=list_page(session, people, scalars=False),
        search=search,
        filtered=bool(search or state or at_step),
        state=state,
        at_step=at_step,
        KIND_WORDS=saying.KIND_WORDS,
        ENROLLMENT_WORDS=ENROLLMENT_WORDS,
    )


@bp.post("/<int:sequence_id>/find")
def find(sequence_id: int) -> Response:
    """Search the people of a series; an address that is looked for never stands in the page's own address."""
    return searching.shown("sequences.show", also=("state", "step"), anchor="people", sequence_id=sequence_id)


@bp.get("/<int:sequence_id>/settings")
def settings(sequence_id: int) -> str:
    """What holds for a whole series: its name, the least time between emails, coming again, the ways out."""
    series = queries.sequence(db.session(), sequence_id)
    return _settings_page(db.session(), series, _rules_of(series), None)


def _rules_of(series: Sequence) -> dict[str, str]:
    return {
        "name": series.name,
        "description": series.description,
        "min_gap_hours": str(series.min_gap_hours),
        "reentry": series.reentry,
        "cooldown_days": str(series.cooldown_days),
        "evergreen": "yes" if series.evergreen else "",
        **stepforms.condition_fields(series.entry, "entry"),
        **stepforms.condition_fields(series.goal, "goal"),
        **stepforms.exit_fields(series.exits),
    }


def _settings_page(session: Session, series: Sequence, fields: dict[str, str], problem: SuppleError | None) -> str:
    return render_template(
        "sequences/settings.html",
        series=series,
        fields=fields,
        problem=problem,
        offered=editor.choices(session, series, None),
        why_not_delete=making.why_not_delete(session, series),
        REENTRY_WORDS=saying.REENTRY_WORDS,
        IF_KINDS=stepforms.IF_KINDS,
        ENTRY_KINDS=stepforms.ENTRY_KINDS,
        COMPARISONS=stepforms.COMPARISONS,
    )


def _form() -> Form:
    return Form(dict(request.form.lists()))


def _typed_over(fields: dict[str, str], form: Form) -> dict[str, str]:
    return fields | {name: form.get(name) for name in fields if name in form or name.endswith(("_not", "green"))}


@bp.post("/<int:sequence_id>/name")
def rename(sequence_id: int) -> Response | tuple[str, int]:
    """Keep another name and description."""
    session = db.session()
    series = queries.sequence(session, sequence_id)
    name, description = request.form.get("name", ""), request.form.get("description", "")
    try:
        with transaction() as writing:
            kept = queries.sequence(writing, sequence_id)
            was = accounts.told(kept.name)
            if making.rename(writing, sequence_id, name, description):
                by, now, subject = current_operator().id, clock.now(), f"sequence:{sequence_id}"
                given = accounts.told(kept.name)
                accounts.record(writing, "series.renamed", by=by, now=now, subject=subject, was=was, name=given)
    except InputError as problem:
        fields = _rules_of(series) | {"name": name, "description": description}
        return _settings_page(session, series, fields, problem), problem.status
    flash("Saved.")
    return redirect(url_for("sequences.settings", sequence_id=sequence_id))


@bp.post("/<int:sequence_id>/rules")
def rules(sequence_id: int) -> Response | tuple[str, int]:
    """Rules as typed: shown again with what is wrong, or sent on to where their effect is shown."""
    session = db.session()
    series = queries.sequence(session, sequence_id)
    try:
        whole = versions.current(session, sequence_id)
        edits.read(_form(), whole).on(whole)
    except SuppleError as problem:
        return _settings_page(session, series, _typed_over(_rules_of(series), _form()), problem), problem.status
    return redirect(url_for("edits.look", sequence_id=sequence_id), AGAIN)


@bp.post("/<int:sequence_id>/delete")
def delete(sequence_id: int) -> Response:
    """Throw away a series that nobody was ever in."""
    with transaction() as session:
        name = making.delete(session, sequence_id)
        accounts.record(
            session, "series.deleted", by=current_operator().id, now=clock.now(), subject=f"sequence:{sequence_id}"
        )
    flash(f"The series “{name}” is deleted.")
    return redirect(url_for("sequences.every"))


@bp.post("/<int:sequence_id>/people")
def enroll(sequence_id: int) -> Response:
    """Let one person join by hand."""
    now, back = clock.now(), redirect(url_for("sequences.show", sequence_id=sequence_id, _anchor="people"))
    with transaction() as session:
        person = audience.by_address(session, addresses.parse(request.form.get("email", "")))
        if person is None:
            raise InputError(
                "Nobody with this address is subscribed.", remedy="Check the spelling, or see Subscribers."
            )
        barred = queries.barred(session, [person]).get(person.id)
        joined = not barred and actions.enroll(session, sequence_id, person.id, "operator", now)
        if joined:
            accounts.record(
                session, "series.joined", by=current_operator().id, now=now, subject=f"subscriber:{person.id}"
            )
        why_not = "" if joined or barred else actions.why_not_join(session, sequence_id, person.id, now)
    if joined:
        flash("Done. They get the first email at its time.")
    elif barred:
        flash(f"They cannot get this series: {barred}.", "problem")
    else:
        flash(f"They did not join: {why_not}. Who may, and who again, is in the settings of the series.", "problem")
    return back


@bp.post("/<int:sequence_id>/people/<int:subscriber_id>/stop")
def stop(sequence_id: int, subscriber_id: int) -> Response:
    """Take one person out."""
    now = clock.now()
    with transaction() as session:
        queries.sequence(session, sequence_id)
        if not actions.exit_one(session, sequence_id, subscriber_id, "stopped by hand", now):
            raise NotFound("This person is not under way in this series.", remedy="Go back to the series.")
        accounts.record(
            session, "series.stopped", by=current_operator().id, now=now, subject=f"subscriber:{subscriber_id}"
        )
    flash("Stopped. They get no more emails of this series.")
    return redirect(url_for("sequences.show", sequence_id=sequence_id, _anchor="people"))
