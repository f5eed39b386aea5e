"""Writing an email, looking at it, and sending it to everybody, to a tag or to one person."""

from __future__ import annotations

import re
from datetime import datetime

from flask import Response, flash, jsonify, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from newsletter import clock
from newsletter.accounts import actions as accounts
from newsletter.accounts.gate import admin_blueprint, current_operator
from newsletter.accounts.presentation import look
from newsletter.broadcasts import actions, aiming, previews, queries, rules, running, starts
from newsletter.broadcasts.models import Broadcast
from newsletter.broadcasts.progress import progress
from newsletter.broadcasts.rules import BROADCAST_WORDS, BroadcastState, Text
from newsletter.database.engine import db, transaction
from newsletter.delivery import actions as delivery
from newsletter.delivery import queries as ledger
from newsletter.errors import RenderError, SourceError, SuppleError
from newsletter.figures.exercises import EXERCISES
from newsletter.web.isolation import SANDBOX, isolated
from newsletter.web.paging import list_page

bp = admin_blueprint("broadcasts", __name__, "/admin/broadcasts")

EARLIER = 12  # earlier emails offered as starting points
_LINE = re.compile(r"^The text, line (\d+)")


@bp.get("")
def emails() -> str:
    """Every email to many: being written, queued, sent."""
    session = db.session()
    search, state = request.args.get("q", "").strip(), request.args.get("state", "")
    listing = list_page(session, queries.listed(search=search, state=state))
    tallies = queries.tallies(session, (row.id for row in listing.rows))
    return render_template(
        "broadcasts/emails.html",
        listing=listing,
        filtered=bool(search or state),
        state=state,
        tallies=tallies,
        whom={row.id: aiming.whom_words(session, row, tallies[row.id]) for row in listing.rows},
        BROADCAST_WORDS=BROADCAST_WORDS,
    )


@bp.get("/new")
def new() -> str:
    """Choose what to begin with."""
    earlier = queries.latest(db.session(), EARLIER)
    return render_template("broadcasts/new.html", shipped=starts.shipped(), earlier=earlier)


@bp.post("")
def create() -> AnyResponse:
    """Begin a draft, empty or with the words of a shipped or an earlier email."""
    kind, _, key = request.form.get("start", "").partition(":")
    by, now = current_operator().id, clock.now()
    with transaction() as session:
        if kind == "earlier" and key.isascii() and key.isdigit():
            draft = actions.copy(session, int(key), by=by, now=now)
        else:
            draft = actions.write(session, starts.text_of(key if kind == "shipped" else ""), by=by, now=now)
        _record(session, "broadcast.begun", draft.id)
    return redirect(url_for("broadcasts.edit", broadcast_id=draft.id))


@bp.get("/<int:broadcast_id>/edit")
def edit(broadcast_id: int) -> AnyResponse | str:
    """The desk: words on one side, what readers will see on the other."""
    session = db.session()
    draft = queries.find(session, broadcast_id)
    if not rules.may_edit(draft.state):
        return redirect(url_for("broadcasts.show", broadcast_id=broadcast_id))
    return render_template(
        "broadcasts/write.html",
        draft=draft,
        text=rules.read_source(draft.source),
        readers=previews.choices(session, rules.audience(draft.audience)),
        exercises=sorted(EXERCISES.values(), key=lambda found: found.name),
        sandbox=SANDBOX,
        trial_problem=ledger.trial_problem(session, current_operator().email),
    )


def _typed() -> Text:
    form = request.form
    return Text(form.get("subject", ""), form.get("preheader", ""), form.get("body", ""))


@bp.post("/<int:broadcast_id>")
def save(broadcast_id: int) -> AnyResponse:
    """Keep the words; then stay, go on to whom and when, or send a test to the operator."""
    with transaction() as session:
        before = queries.find(session, broadcast_id).source
        source = actions.rewrite(session, broadcast_id, _typed()).source
        if source != before:
            _record(session, "broadcast.edited", broadcast_id)
    then = request.form.get("then", "")
    if then == "aim":
        return redirect(url_for("broadcasts.aim", broadcast_id=broadcast_id))
    if then == "test":
        _send_test(source)
    else:
        flash("Saved.")
    return redirect(url_for("broadcasts.edit", broadcast_id=broadcast_id))


def _send_test(source: str) -> None:
    recipient, now = current_operator().email, clock.now()
    try:
        made = previews.trial(db.session(), source, request.form.get("reader", ""), recipient, now)
    except SuppleError as problem:
        flash(f"The words are saved, but there is no test yet. {problem}", "problem")
        return
    with transaction() as session:
        delivery.plan_trial(
            session, recipient=recipient, message_id=made.message_id, content=made.content, now=clock.now()
        )
    flash(f"Saved. A test is on its way to {recipient}.")


@bp.post("/preview")
def preview() -> Response:
    """The typed email as HTML, for the frame; nothing is kept."""
    try:
        made = previews.preview(db.session(), rules.write_source(_typed()), request.form.get("reader", ""), clock.now())
    except (SourceError, RenderError) as problem:
        return isolated(render_template("admin/frame_problem.html", problem=problem))
    return isolated(made.html)


@bp.post("/check")
def check() -> Response:
    """The typed email's subject, preheader and text, or what is wrong with it and where; for the desk's script."""
    source = rules.write_source(_typed())
    try:
        made = previews.preview(db.session(), source, request.form.get("reader", ""), clock.now())
    except (SourceError, RenderError) as problem:
        found = _LINE.match(problem.happened)
        line = int(found[1]) if found else None
        return jsonify(problem=problem.happened, means=problem.means, remedy=problem.remedy, line=line)
    return jsonify(subject=made.subject, preheader=made.preheader, text=made.text, notes=previews.notes(made))


@bp.get("/<int:broadcast_id>/frame")
def frame(broadcast_id: int) -> Response:
    """A kept email as HTML, for the frame."""
    session = db.session()
    try:
        made = previews.preview(session, queries.find(session, broadcast_id).source, previews.NAMED, clock.now())
    except (SourceError, RenderError) as problem:
        return isolated(render_template("admin/frame_problem.html", problem=problem))
    return isolated(made.html)


@bp.route("/<int:broadcast_id>/aim", methods=["GET", "POST"])
def aim(broadcast_id: int) -> AnyResponse | str | tuple[str, int]:
    """Whom it goes to, and when."""
    session = db.session()
    draft = queries.find(session, broadcast_id)
    if not rules.may_edit(draft.state):
        return redirect(url_for("broadcasts.show", broadcast_id=broadcast_id))
    if request.method != "POST":
        return _aim_page(session, draft, aiming.filled_in(session, draft, look().zone), "")
    form = aiming.AimForm.read(request.form)
    try:
        who, chosen = form.audience(session), form.moment(look().zone, clock.now())
        with transaction() as writing:
            aimed = actions.aim(writing, broadcast_id, who, chosen.at if chosen else None)
            to = accounts.told(aimed.audience)
            _record(writing, "broadcast.aimed", broadcast_id, audience=to, when=_when(aimed.send_at))
    except SuppleError as problem:
        return _aim_page(session, draft, form, str(problem)), problem.status
    if chosen and chosen.moved:
        flash(f"The clocks skip {form.time} that night, so it goes out {chosen.at.astimezone(look().zone):%H:%M}.")
    return redirect(url_for("broadcasts.show", broadcast_id=broadcast_id))


def _when(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else "at once"


def _aim_page(session: Session, draft: Broadcast, form: aiming.AimForm, problem: str) -> str:
    return render_template(
        "broadcasts/aim.html",
        draft=draft,
        form=form,
        problem=problem,
        everybody=queries.count(session, rules.audience("all")),
        tags=queries.count_by_tag(session),
        zone=look().zone.key,
        today=clock.now().astimezone(look().zone).date().isoformat(),
    )


@bp.get("/<int:broadcast_id>")
def show(broadcast_id: int) -> str:
    """Before: what will happen, in one look. While it runs and after: what became of it."""
    session, now = db.session(), clock.now()
    found = queries.find(session, broadcast_id)
    who, tally = rules.audience(found.audience), queries.tally_of(session, broadcast_id)
    draft = found.state == BroadcastState.DRAFT
    return render_template(
        "broadcasts/email.html",
        found=found,
        text=rules.read_source(found.source),
        whom=aiming.whom_words(session, found, tally),
        count=queries.count(session, who) if draft else 0,
        when_words=rules.moment_words(found.send_at, now, look().zone),
        progress=progress(found, tally) if found.started_at else None,
        pressed=queries.pressed(session, broadcast_id) if found.started_at else None,
        accepted=tally.accepted,
        reason=queries.reason_of(broadcast_id),
        problem=aiming.problem_of(session, found, now) if draft else None,
        may_take_back=rules.may_take_back(found.state, found.planned_to),
        sandbox=SANDBOX,
        phone=request.args.get("width") == "phone",
        zone=look().zone.key,
        BROADCAST_WORDS=BROADCAST_WORDS,
    )


@bp.get("/<int:broadcast_id>/progress")
def live(broadcast_id: int) -> str:
    """How far it is, alone, for the page that watches it."""
    session = db.session()
    found = queries.find(session, broadcast_id)
    shown = progress(found, queries.tally_of(session, broadcast_id))
    return render_template(
        "broadcasts/progress.html", found=found, progress=shown, reason=queries.reason_of(broadcast_id)
    )


def _record(session: Session, action: str, broadcast_id: int, **detail: str) -> None:
    accounts.record(
        session, action, by=current_operator().id, now=clock.now(), subject=f"broadcast:{broadcast_id}", **detail
    )


@bp.post("/<int:broadcast_id>/queue")
def queue(broadcast_id: int) -> AnyResponse:
    """Let it go to its audience at its moment."""
    reading = db.session()
    actions.make_ready(reading, queries.find(reading, broadcast_id).source)
    with transaction() as session:
        queued = actions.queue(session, broadcast_id, clock.now())
        _record(session, "broadcast.queued", broadcast_id, audience=accounts.told(queued.audience))
    now = clock.now()
    words = rules.moment_words(queued.send_at, now, look().zone)
    flash("It goes out now." if words == "now" else f"Queued. It goes out {words}.")
    return redirect(url_for("broadcasts.show", broadcast_id=broadcast_id))


def _why() -> str:
    return accounts.told(request.form.get("why", ""))


@bp.post("/<int:broadcast_id>/pause")
def pause(broadcast_id: int) -> AnyResponse:
    """Let nothing more go out for now."""
    why = _why()
    words = f"Paused by {current_operator().name or 'an operator'}" + (f": {why}" if why else ".")
    with transaction() as session:
        paused = running.pause(session, broadcast_id, words, clock.now())
        if paused:
            _record(session, "broadcast.paused", broadcast_id, why=why)
    if paused:
        flash("Paused. Nothing more goes out until you go on.")
    else:
        flash("There is nothing to pause; it is not being sent.", "problem")
    return redirect(url_for("broadcasts.show", broadcast_id=broadcast_id))


@bp.post("/<int:broadcast_id>/resume")
def resume(broadcast_id: int) -> AnyResponse:
    """Go on where it stood."""
    with transaction() as session:
        running.resume(session, broadcast_id)
        _record(session, "broadcast.resumed", broadcast_id)
    flash("It goes on.")
    return redirect(url_for("broadcasts.show", broadcast_id=broadcast_id))


@bp.post("/<int:broadcast_id>/cancel")
def cancel(broadcast_id: int) -> AnyResponse:
    """Call it off, queued or half sent."""
    with transaction() as session:
        was = running.cancel(session, broadcast_id, clock.now())
        _record(session, "broadcast.canceled", broadcast_id, why=_why())
    flash("Called off. Nobody gets it." if was == BroadcastState.QUEUED else "Called off. Nobody else gets it.")
    return redirect(url_for("broadcasts.show", broadcast_id=broadcast_id))


@bp.post("/<int:broadcast_id>/take-back")
def take_back(broadcast_id: int) -> AnyResponse:
    """Make it a draft again while it is queued."""
    with transaction() as session:
        actions.take_back(session, broadcast_id, clock.now())
        _record(session, "broadcast.taken-back", broadcast_id)
    flash("It is a draft again; nothing goes out until you queue it.")
    return redirect(url_for("broadcasts.edit", broadcast_id=broadcast_id))


@bp.post("/<int:broadcast_id>/copy")
def copy(broadcast_id: int) -> AnyResponse:
    """Begin a draft with the same words."""
    with transaction() as session:
        draft = actions.copy(session, broadcast_id, by=current_operator().id, now=clock.now())
        _record(session, "broadcast.begun", draft.id)
    return redirect(url_for("broadcasts.edit", broadcast_id=draft.id))


@bp.post("/<int:broadcast_id>/delete")
def delete(broadcast_id: int) -> AnyResponse:
    """Throw a draft away."""
    with transaction() as session:
        actions.delete_draft(session, broadcast_id)
        _record(session, "broadcast.deleted", broadcast_id)
    flash("The draft is gone.")
    return redirect(url_for("broadcasts.emails"))
