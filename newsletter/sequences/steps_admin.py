"""One step of a series in the back office: its words and how they read, what it does, when it goes; and new ones."""

from __future__ import annotations

from typing import Any

from flask import redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from newsletter import clock
from newsletter.accounts.gate import admin_blueprint
from newsletter.accounts.presentation import look
from newsletter.database.engine import db
from newsletter.errors import InputError, RenderError, SourceError, SuppleError
from newsletter.figures.exercises import EXERCISES
from newsletter.messages.compiling import Rendered
from newsletter.sequences import editor, edits, previews, queries, reach, saying, stepforms, versions
from newsletter.sequences.models import Sequence, Step
from newsletter.sequences.previews import NAMED, NAMELESS, READERS, Words
from newsletter.sequences.rules import Kind
from newsletter.sequences.stepforms import Form
from newsletter.sequences.timing import of_step
from newsletter.web import searching
from newsletter.web.isolation import SANDBOX, isolated

bp = admin_blueprint("steps", __name__, "/admin/sequences/<int:sequence_id>/steps")

AGAIN = 307  # the browser sends the same form on to where an edit shows what it does
Fields = dict[str, Any]


@bp.get("/new")
def new(sequence_id: int) -> str:
    """Which kind of step to add, or the form of the kind that was chosen."""
    session = db.session()
    series, kind = queries.sequence(session, sequence_id), request.args.get("kind", "")
    behind = request.args.get("after", type=int)
    if kind not in set(Kind):
        named = editor.called(session, sequence_id, behind)
        return render_template(
            "sequences/kinds.html",
            series=series,
            behind=behind if named else None,
            named=named,
            KIND_WORDS=saying.KIND_WORDS,
            KIND_HELP=saying.KIND_HELP,
        )
    fields = (stepforms.NEW if kind in {Kind.EMAIL, Kind.WAIT} else stepforms.AT_ONCE) | stepforms.config_fields(
        kind, {}
    )
    return _new_page(session, series, kind, behind, Words("", "", ""), fields, None)


def _new_page(
    session: Session,
    series: Sequence,
    kind: str,
    behind: int | None,
    words: Words,
    fields: Fields,
    problem: SuppleError | None,
) -> str:
    return render_template(
        "sequences/add.html",
        series=series,
        kind=kind,
        behind=behind,
        named=editor.called(session, series.id, behind),
        first=behind is None,
        words=words,
        problem=problem,
        sandbox=SANDBOX,
        **_form(session, series, behind, fields),
    )


def _form(session: Session, series: Sequence, behind: int | None, fields: Fields) -> dict[str, Any]:
    """What the fields of a step are drawn from."""
    return {
        "fields": fields,
        "offered": editor.choices(session, series, behind),
        "zone": look().zone.key,
        "IF_KINDS": stepforms.IF_KINDS,
        "COMPARISONS": stepforms.COMPARISONS,
        "KIND_WORDS": saying.KIND_WORDS,
        "KIND_HELP": saying.KIND_HELP,
        "exercises": sorted(EXERCISES.values(), key=lambda found: found.name),
    }


@bp.post("/new")
def add(sequence_id: int) -> Response | tuple[str, int]:
    """A new step as typed: shown again with what is wrong, or sent on to where its effect is shown."""
    session, form = db.session(), request.form
    series, kind, words = queries.sequence(session, sequence_id), form.get("kind", ""), _typed()
    try:
        if kind not in set(Kind):
            raise InputError("It is not said what kind of step this is.", remedy="Choose one.")
        if kind == Kind.EMAIL:
            _check(session, series, words)
        _try(session, series)
    except SuppleError as problem:
        behind = form.get("after", type=int)
        return _new_page(session, series, kind, behind, words, _typed_fields(kind), problem), problem.status
    return redirect(url_for("edits.look", sequence_id=sequence_id), AGAIN)


def _try(session: Session, series: Sequence) -> None:
    """Raise what is wrong with the edit that the form describes."""
    whole = versions.current(session, series.id)
    edits.read(_sent(), whole).on(whole)


def _check(session: Session, series: Sequence, words: Words) -> None:
    """Raise SourceError or RenderError unless everybody's email can be made of these words."""
    for asked in dict.fromkeys([NAMED, NAMELESS, _asked()]):
        _made(session, series, words, asked)


def _sent() -> Form:
    return Form(dict(request.form.lists()))


def _typed_fields(kind: str) -> Fields:
    return stepforms.typed_timing(_sent()) | stepforms.typed(_sent(), stepforms.config_fields(kind, {}))


@bp.get("/<int:step_id>")
def show(sequence_id: int, step_id: int) -> str:
    """One step: for an email its words on one side and what a reader sees on the other, for all of them their time."""
    row = queries.step(db.session(), sequence_id, step_id)
    return _step_page(row, previews.words_of(row), None)


def _step_page(row: Step, words: Words, problem: SuppleError | None, fields: Fields | None = None) -> str:
    session = db.session()
    series = queries.sequence(session, row.sequence_id)
    lines = editor.lines(session, series, row.id)
    at = next(at for at, line in enumerate(lines) if line.step.id == row.id)
    kept = stepforms.timing_fields(of_step(row)) | stepforms.config_fields(row.kind, row.config)
    shown = {} if row.kind != Kind.EMAIL else _view(session, series, words)
    return render_template(
        "sequences/step.html" if row.kind == Kind.EMAIL else "sequences/other_step.html",
        series=series,
        step=row,
        line=lines[at],
        words=words,
        kind=row.kind,
        first=at == 0,
        before=lines[at - 1] if at else None,
        after=lines[at + 1] if at + 1 < len(lines) else None,
        **(shown | {"problem": problem or shown.get("problem")}),
        **_form(session, series, row.id, kept if fields is None else fields),
    )


def _view(session: Session, series: Sequence, words: Words) -> dict[str, Any]:
    """How an email reads to whom one looks as, or what is wrong with it."""
    reader, search = previews.reader(session, _asked()), searching.asked("who")
    made: Rendered | None = None
    wrong: SuppleError | None = None
    try:
        made = previews.preview(session, series, words, reader, clock.now())
    except (SourceError, RenderError) as found:
        wrong = found
    return {
        "made": made,
        "problem": wrong,
        "reader": reader,
        "invented": READERS,
        "search": search,
        "query": searching.in_address(search),
        "found": previews.readers(session, series.id, search),
        "sandbox": SANDBOX,
        "view": request.args.get("view", "") if made else "",
        "pressed": reach.pressed(session, int((request.view_args or {}).get("step_id", 0))),
    }


@bp.post("/<int:step_id>/find")
def find(sequence_id: int, step_id: int) -> Response:
    """Look at the email as somebody who is found: as the only one at once, or whoever is chosen of several."""
    session, search = db.session(), searching.asked("who")
    queries.step(session, sequence_id, step_id)
    found = previews.readers(session, sequence_id, search) if search else []
    only = found[0][0] if len(found) == 1 else ""
    where: dict[str, Any] = {"view": request.form.get("view") or None, "reader": only or _asked()}
    where["who"] = None if only else searching.in_address(search) or None
    return redirect(url_for("steps.show", sequence_id=sequence_id, step_id=step_id, _anchor="look-head", **where))


def _asked() -> str:
    return request.values.get("reader", NAMED)


def _made(session: Session, series: Sequence, words: Words, asked: str) -> Rendered:
    return previews.preview(session, series, words, previews.reader(session, asked), clock.now())


def _typed() -> Words:
    form = request.form
    return Words(form.get("subject", ""), form.get("preheader", ""), form.get("body", ""))


def _framed(sequence_id: int, words: Words) -> Response:
    session = db.session()
    try:
        return isolated(_made(session, queries.sequence(session, sequence_id), words, _asked()).html)
    except (SourceError, RenderError) as problem:
        return isolated(render_template("admin/frame_problem.html", problem=problem))


@bp.get("/<int:step_id>/frame")
def frame(sequence_id: int, step_id: int) -> Response:
    """The kept email as HTML, for the frame."""
    return _framed(sequence_id, previews.words_of(queries.step(db.session(), sequence_id, step_id)))


@bp.post("/frame")
def typed_frame(sequence_id: int) -> Response:
    """The typed email as HTML, for the frame; nothing is kept."""
    return _framed(sequence_id, _typed())


@bp.post("/<int:step_id>")
def reword(sequence_id: int, step_id: int) -> Response | tuple[str, int]:
    """New words, if every reader's email can be made of them, sent on to where the difference is shown."""
    session, words = db.session(), _typed()
    row = queries.step(session, sequence_id, step_id)
    series = queries.sequence(session, sequence_id)
    try:
        _check(session, series, words)
        _try(session, series)
    except SuppleError as problem:
        return _step_page(row, words, problem), problem.status
    return redirect(url_for("edits.look", sequence_id=sequence_id), AGAIN)


@bp.post("/<int:step_id>/change")
def change(sequence_id: int, step_id: int) -> Response | tuple[str, int]:
    """Another time, or another thing it does: shown again with what is wrong, or sent on to where its effect is."""
    session = db.session()
    row = queries.step(session, sequence_id, step_id)
    try:
        _try(session, queries.sequence(session, sequence_id))
    except SuppleError as problem:
        return _step_page(row, previews.words_of(row), problem, _typed_fields(row.kind)), problem.status
    return redirect(url_for("edits.look", sequence_id=sequence_id), AGAIN)
