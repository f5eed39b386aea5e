"""Series of emails: their steps, how they read, and who is where in them."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from newsletter import addresses, clock
from newsletter.accounts import actions as accounts
from newsletter.accounts.gate import admin_blueprint, current_operator
from newsletter.audience import queries as audience
from newsletter.database.engine import db, transaction
from newsletter.errors import InputError, NotFound, RenderError, SourceError, SuppleError
from newsletter.messages.compiling import Rendered
from newsletter.sequences import actions, previews, queries, wording
from newsletter.sequences.models import Step
from newsletter.sequences.previews import NAMED, READERS, Words
from newsletter.sequences.rules import ENROLLMENT_WORDS
from newsletter.web.isolation import SANDBOX, isolated
from newsletter.web.paging import list_page

bp = admin_blueprint("sequences", __name__, "/admin/sequences")


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
        search=search,
        states=queries.states(session, ids),
        lengths={number: len(queries.steps(session, number)) for number in ids},
    )


@bp.get("/<int:sequence_id>")
def show(sequence_id: int) -> str:
    """One series: its emails one under the other with the waits between them, and its people."""
    session = db.session()
    series = queries.sequence(session, sequence_id)
    steps = queries.steps(session, sequence_id)
    search, state = request.args.get("q", "").strip(), request.args.get("state", "")
    return render_template(
        "sequences/series.html",
        series=series,
        steps=[(row, previews.words_of(row), queries.timing_words(row, first=row is steps[0])) for row in steps],
        numbers={row.id: at for at, row in enumerate(steps, 1)},
        states=queries.states(session, [sequence_id])[sequence_id],
        waiting=queries.waiting_at(session, sequence_id),
        sent=queries.sent_counts(session, [row.id for row in steps]),
        listing=list_page(session, queries.people_in(sequence_id, search=search, state=state), scalars=False),
        filtered=bool(search or state),
        state=state,
        ENROLLMENT_WORDS=ENROLLMENT_WORDS,
    )


@bp.get("/<int:sequence_id>/steps/<int:step_id>")
def step(sequence_id: int, step_id: int) -> str:
    """One email of a series: its words on one side, what a reader sees on the other."""
    row = queries.step(db.session(), sequence_id, step_id)
    return _step_page(row, previews.words_of(row), None)


def _step_page(row: Step, words: Words, problem: SuppleError | None) -> str:
    session = db.session()
    steps = queries.steps(session, row.sequence_id)
    at = [other.id for other in steps].index(row.id)
    reader = _reader()
    made: Rendered | None = None
    try:
        made = _made(row.sequence_id, words, reader)
    except (SourceError, RenderError) as found:
        problem = problem or found
    return render_template(
        "sequences/step.html",
        series=queries.sequence(session, row.sequence_id),
        step=row,
        words=words,
        number=at + 1,
        before=steps[at - 1] if at else None,
        after=steps[at + 1] if at + 1 < len(steps) else None,
        wait=queries.timing_words(row, first=at == 0),
        made=made,
        problem=problem,
        readers=READERS,
        reader=reader,
        sandbox=SANDBOX,
        view=request.args.get("view", "") if made else "",
    )


def _reader() -> str:
    asked = request.values.get("reader", NAMED)
    return asked if asked in READERS else NAMED


def _made(sequence_id: int, words: Words, reader: str) -> Rendered:
    session = db.session()
    return previews.preview(session, queries.sequence(session, sequence_id), words, reader, clock.now())


def _typed() -> Words:
    form = request.form
    return Words(form.get("subject", ""), form.get("preheader", ""), form.get("body", ""))


def _framed(sequence_id: int, words: Words) -> Response:
    try:
        return isolated(_made(sequence_id, words, _reader()).html)
    except (SourceError, RenderError) as problem:
        return isolated(render_template("admin/frame_problem.html", problem=problem))


@bp.get("/<int:sequence_id>/steps/<int:step_id>/frame")
def frame(sequence_id: int, step_id: int) -> Response:
    """The kept email as HTML, for the frame."""
    return _framed(sequence_id, previews.words_of(queries.step(db.session(), sequence_id, step_id)))


@bp.post("/<int:sequence_id>/steps/<int:step_id>/frame")
def typed_frame(sequence_id: int, step_id: int) -> Response:
    """The typed email as HTML, for the frame; nothing is kept."""
    queries.step(db.session(), sequence_id, step_id)
    return _framed(sequence_id, _typed())


@bp.post("/<int:sequence_id>/steps/<int:step_id>")
def reword(sequence_id: int, step_id: int) -> Response | tuple[str, int]:
    """Keep new words, if every reader's email can be made of them."""
    words = _typed()
    row = queries.step(db.session(), sequence_id, step_id)
    try:
        for reader in READERS:
            _made(sequence_id, words, reader)
        source = wording.write(words.subject, words.preheader, words.body)
    except (SourceError, RenderError) as problem:
        return _step_page(row, words, problem), problem.status
    with transaction() as session:
        actions.reword(session, sequence_id, step_id, source)
        accounts.record(
            session, "series.reworded", by=current_operator().id, now=clock.now(), subject=f"step:{step_id}"
        )
    flash("Saved. Whoever has not got this email yet gets these words.")
    return redirect(url_for("sequences.step", sequence_id=sequence_id, step_id=step_id, reader=_reader()))


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
        why_not = queries.barred(session, [person]).get(person.id)
        joined = not why_not and actions.enroll(session, sequence_id, person.id, "operator", now)
        if joined:
            accounts.record(
                session, "series.joined", by=current_operator().id, now=now, subject=f"subscriber:{person.id}"
            )
    if joined:
        flash("Done. They get the first email at its time.")
    elif why_not:
        flash(f"They cannot get this series: {why_not}.", "problem")
    else:
        flash("They have been in this series before, and nobody gets it twice.", "problem")
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
