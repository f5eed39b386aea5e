"""The outbox: every email, why it is sent, when, and what became of it; and the switch that holds everything."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from newsletter import clock
from newsletter.accounts import actions as accounts
from newsletter.accounts.gate import admin_blueprint, current_operator
from newsletter.database.engine import db, transaction
from newsletter.delivery import actions, health, ledger, overdue, relay_rows, timeline
from newsletter.delivery.ledger import Filters
from newsletter.delivery.rules import OVERDUE, PARKED, PAUSED, STATE_WORDS, EventKind, Lane, State
from newsletter.errors import InputError
from newsletter.web import searching

bp = admin_blueprint("ledger", __name__, "/admin/ledger")

WAITING = frozenset({State.PLANNED, State.DEFERRED})
# So many decisions are written in one transaction: some 50 ms, while other writers wait on SQLite.
SLICE = 1000
# What "pause everything" holds; a person who waits in front of their inbox for a confirmation or a gift is not made to.
PAUSABLE = (f"lane:{int(Lane.SEQUENCE)}", f"lane:{int(Lane.BULK)}")


def _asked() -> Filters:
    """The filters of this request, from its address or its form."""
    given = {name: request.values.get(name, "").strip() for name in ("state", "lane", "kind", "reason")}
    return Filters(**given, search=searching.asked())


def _as_query(asked: Filters) -> dict[str, Any]:
    """The filters as a page's address has them."""
    named = {"state": asked.state, "lane": asked.lane, "kind": asked.kind, "reason": asked.reason}
    named["q"] = searching.in_address(asked.search)
    return {name: value for name, value in named.items() if value}


@bp.get("")
def emails() -> str:
    """Every email, filtered and searched."""
    session, asked = db.session(), _asked()
    found = ledger.page(session, asked, request.args.get("after", ""))
    batches, holds = ledger.batches(session), health.held(session)
    offered = batches if asked.reason in {"", *batches} else [asked.reason, *batches]
    return render_template(
        "delivery/emails.html",
        found=found,
        asked=asked,
        query=_as_query(asked),
        further=bool(request.args.get("after")),
        reasons=health.reason_words(session, [*(row.reason for row, _ in found.rows), *offered]),
        batches=offered,
        counts=health.totals(session, lane=asked.one_lane, reason=asked.reason),
        relays=[relay for relay in health.relays(session) if relay.problem],
        STATE_WORDS=STATE_WORDS,
        PARKED=PARKED,
        OVERDUE=OVERDUE,
        PAUSED=PAUSED,
        overdue=overdue.count(session),
        lanes=ledger.LANES,
        kinds=ledger.KINDS,
        look=ledger.LOOK,
        into_mailbox=relay_rows.into_mailbox(session),
        holds=holds,
        pausable=bool(set(PAUSABLE) - {hold.what for hold in holds}),
    )


@bp.post("/find")
def find() -> Response:
    """Search the list; an address that is looked for never stands in the page's own address."""
    return searching.shown("ledger.emails", also=("state", "lane", "kind", "reason"))


@bp.get("/<int:delivery_id>")
def show(delivery_id: int) -> str:
    """One email's story, and what can be done about it."""
    session = db.session()
    row, reader = ledger.find(session, delivery_id)
    return render_template(
        "delivery/email.html",
        row=row,
        reader=reader,
        reason=health.reason_words(session, [row.reason])[row.reason],
        story=timeline.story(row, timeline.lines(session, delivery_id)),
        lane=ledger.LANES.get(row.lane, ""),
        STATE_WORDS=STATE_WORDS,
        waits=row.state in WAITING,
        later=row.state in WAITING and (clock.now() < row.due_at < PARKED or row.due_at == OVERDUE),
        uncertain=row.state == State.UNKNOWN,
        mailbox_number=ledger.in_mailbox(session, row.message_id) if relay_rows.into_mailbox(session) else None,
    )


def _done(delivery_id: int, said: str) -> Response:
    flash(said)
    return redirect(url_for("ledger.show", delivery_id=delivery_id))


def _begin(session: Session, delivery_id: int, action: str) -> None:
    """Make sure that there is such an email, and write down who did what with it."""
    ledger.find(session, delivery_id)
    by, subject = current_operator().id, f"delivery:{delivery_id}"
    accounts.record(session, f"delivery.{action}", by=by, now=clock.now(), subject=subject)


def _by() -> str:
    """Who decides, in words for the email's story."""
    name = current_operator().name
    return f"By {name}." if name else ""


@bp.post("/<int:delivery_id>/cancel")
def cancel(delivery_id: int) -> Response:
    """Do not send a waiting email."""
    with transaction() as session:
        _begin(session, delivery_id, "canceled")
        if not actions.cancel(session, delivery_id, "Canceled by hand.", clock.now()):
            raise _too_late()
        actions.note(session, [delivery_id], EventKind.CANCELED, clock.now(), _by())
    return _done(delivery_id, "Canceled. This email will not be sent.")


@bp.post("/<int:delivery_id>/send-now")
def send_now(delivery_id: int) -> Response:
    """Send a waiting email without waiting any longer."""
    with transaction() as session:
        _begin(session, delivery_id, "sent-now")
        if not actions.send_now(session, delivery_id, clock.now()):
            raise _too_late()
        actions.note(session, [delivery_id], EventKind.HURRIED, clock.now(), _by())
    return _done(delivery_id, "It goes out now; that takes a few seconds.")


@bp.post("/<int:delivery_id>/send-again")
def send_again(delivery_id: int) -> Response:
    """Send an uncertain email once more."""
    with transaction() as session:
        _begin(session, delivery_id, "sent-again")
        if not actions.decide_unknown(session, [delivery_id], again=True, by=_by(), now=clock.now()):
            raise _not_uncertain()
    return _done(delivery_id, "It is sent once more.")


@bp.post("/<int:delivery_id>/count-as-sent")
def count_as_sent(delivery_id: int) -> Response:
    """Take an uncertain email for sent."""
    with transaction() as session:
        _begin(session, delivery_id, "counted-as-sent")
        if not actions.decide_unknown(session, [delivery_id], again=False, by=_by(), now=clock.now()):
            raise _not_uncertain()
    return _done(delivery_id, "Counted as sent.")


@bp.route("/decide", methods=["GET", "POST"])
def decide() -> Response | str:
    """Decide about many uncertain emails at once: first asked, with how many and what it means, then done."""
    again, everything = request.values.get("verdict") == "again", request.values.get("which") == "all"
    asked, ticked = _asked(), sorted({int(one) for one in request.values.getlist("id") if one.isdecimal()})
    session = db.session()
    if everything:
        many, shown = ledger.count_uncertain(session, asked), ledger.uncertain(session, asked, limit=10)
    else:
        ticked = ledger.still_uncertain(session, ticked)
        many, shown = len(ticked), ticked[:10]
    if not many:
        raise InputError(
            "No uncertain email is chosen.",
            means="Nothing was changed.",
            remedy="Tick the ones you want to decide about, or take all of them.",
        )
    # Written down only what was shown: if more became uncertain meanwhile, the question is asked again.
    if request.method == "POST" and request.form.get("many") == str(many):
        chosen = _slices(asked) if everything else [ticked[at : at + SLICE] for at in range(0, many, SLICE)]
        done = _decide(chosen, again=again)
        flash(f"{done:,} {'is' if done == 1 else 'are'} {'sent once more' if again else 'counted as sent'}.")
        return redirect(url_for("ledger.emails", **_as_query(asked)))
    return render_template(
        "delivery/decide.html",
        again=again,
        everything=everything,
        many=many,
        ticked=ticked,
        query=_as_query(asked),
        rows=ledger.some(session, shown),
        changed=request.method == "POST",
    )


def _slices(asked: Filters) -> Iterable[Sequence[int]]:
    last = 0
    while ids := ledger.uncertain(db.session(), asked, after=last, limit=SLICE):
        last = ids[-1]
        yield ids


def _decide(slices: Iterable[Sequence[int]], *, again: bool) -> int:
    """Write the decision down, slice by slice; returns how many emails it was about."""
    done, operator, by = 0, current_operator().id, _by()
    for ids in slices:
        with transaction() as session:
            changed = actions.decide_unknown(session, ids, again=again, by=by, now=clock.now())
            action = "deliveries.sent-again" if again else "deliveries.counted-as-sent"
            accounts.record(session, action, by=operator, now=clock.now(), subject="outbox", emails=changed)
            done += changed
    return done


@bp.post("/pause")
def pause() -> Response:
    """Hold series and emails to many; confirmations and gifts still go."""
    who = current_operator()
    why = f"Paused by {who.name}." if who.name else "Paused by an operator."
    with transaction() as session:
        held = {hold.what for hold in health.held(session)}
        for what in (one for one in PAUSABLE if one not in held):
            actions.hold(session, what, why, clock.now())
        accounts.record(session, "sending.paused", by=who.id, now=clock.now())
    flash("Paused within seconds: series and emails to many wait. Confirmations and gifts still go out.")
    return _back()


@bp.post("/go-on")
def go_on() -> Response:
    """Let a held lane go on, or all of them."""
    what = request.form.get("what", "")
    with transaction() as session:
        chosen = [hold.what for hold in health.held(session) if hold.lane and what in {"", hold.what}]
        if not chosen:
            raise InputError("This is not on hold any more.", remedy="Nothing to do: emails go out again.")
        for one in chosen:
            actions.let_go(session, one)
            accounts.record(session, "sending.resumed", by=current_operator().id, now=clock.now(), subject=one)
    flash("Emails go out again.")
    return _back()


def _back() -> Response:
    """To the page the button stood on."""
    return redirect("/admin/" if request.form.get("from") == "overview" else url_for("ledger.emails"))


def _too_late() -> InputError:
    return InputError(
        "This email is not waiting any more.",
        means="It was sent, or is being sent right now; nothing was changed.",
        remedy="Look at its newest state.",
    )


def _not_uncertain() -> InputError:
    return InputError("This email is not uncertain any more.", remedy="Look at its newest state.")
