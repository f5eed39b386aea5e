"""The outbox: every email, why it is sent, when, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from flask import current_app, flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from newsletter import clock, settings
from newsletter.accounts import actions as accounts
from newsletter.accounts.gate import admin_blueprint, current_operator
from newsletter.database.engine import db, transaction
from newsletter.delivery import actions, ledger, queries
from newsletter.delivery.rules import STATE_WORDS, State
from newsletter.errors import InputError
from newsletter.web.paging import list_page

bp = admin_blueprint("ledger", __name__, "/admin/ledger")

WAITING = frozenset({State.PLANNED, State.DEFERRED})
FILTERS = ("state", "lane", "kind", "q", "reason")


def reason_words(session: Session, reasons: Iterable[str]) -> dict[str, str]:
    """Why each email is sent, in words: as its own room says it, else as far as the reason tells."""
    rooms: dict[str, Callable[[Session, str], str]] = current_app.extensions.get("reason_words", {})
    words = {}
    for reason in set(reasons):
        tell = rooms.get(reason.partition(":")[0])
        words[reason] = (tell(session, reason) if tell else "") or ledger.plain_reason(reason)
    return words


@bp.get("")
def emails() -> str:
    """Every email, filtered and searched."""
    session = db.session()
    asked = {name: request.args.get(name, "").strip() for name in FILTERS}
    found = ledger.listed(
        state=asked["state"], lane=asked["lane"], kind=asked["kind"], search=asked["q"], reason=asked["reason"]
    )
    listing = list_page(session, found, scalars=False)
    return render_template(
        "delivery/emails.html",
        listing=listing,
        asked=asked,
        filtered=any(asked.values()),
        reasons=reason_words(session, (row.reason for row, _ in listing.rows)),
        counts=queries.counts(session),
        relays=queries.relay_problems(session),
        STATE_WORDS=STATE_WORDS,
        lanes=ledger.LANES,
        kinds=ledger.KINDS,
        into_mailbox=settings.current().smtp is None,
    )


@bp.get("/<int:delivery_id>")
def show(delivery_id: int) -> str:
    """One email's story, and what can be done about it."""
    session = db.session()
    row, reader = ledger.find(session, delivery_id)
    return render_template(
        "delivery/email.html",
        row=row,
        reader=reader,
        reason=reason_words(session, [row.reason])[row.reason],
        story=ledger.story(row, queries.attempts(session, delivery_id)),
        lane=ledger.LANES.get(row.lane, ""),
        STATE_WORDS=STATE_WORDS,
        waits=row.state in WAITING,
        later=row.state in WAITING and row.due_at > clock.now(),
        uncertain=row.state == State.UNKNOWN,
        mailbox_number=None if settings.current().smtp else ledger.in_mailbox(session, row.message_id),
    )


def _done(delivery_id: int, said: str) -> Response:
    flash(said)
    return redirect(url_for("ledger.show", delivery_id=delivery_id))


def _begin(session: Session, delivery_id: int, action: str) -> None:
    """Make sure that there is such an email, and write down who did what with it."""
    ledger.find(session, delivery_id)
    by, subject = current_operator().id, f"delivery:{delivery_id}"
    accounts.record(session, f"delivery.{action}", by=by, now=clock.now(), subject=subject)


@bp.post("/<int:delivery_id>/cancel")
def cancel(delivery_id: int) -> Response:
    """Do not send a waiting email."""
    with transaction() as session:
        _begin(session, delivery_id, "canceled")
        if not actions.cancel(session, delivery_id, "Canceled by hand.", clock.now()):
            raise _too_late()
    return _done(delivery_id, "Canceled. This email will not be sent.")


@bp.post("/<int:delivery_id>/send-now")
def send_now(delivery_id: int) -> Response:
    """Send a waiting email without waiting any longer."""
    with transaction() as session:
        _begin(session, delivery_id, "sent-now")
        if not actions.send_now(session, delivery_id, clock.now()):
            raise _too_late()
    return _done(delivery_id, "It goes out now; that takes a few seconds.")


@bp.post("/<int:delivery_id>/send-again")
def send_again(delivery_id: int) -> Response:
    """Send an uncertain email once more."""
    with transaction() as session:
        _begin(session, delivery_id, "sent-again")
        actions.send_again(session, delivery_id, clock.now())
    return _done(delivery_id, "It is sent once more.")


@bp.post("/<int:delivery_id>/count-as-sent")
def count_as_sent(delivery_id: int) -> Response:
    """Take an uncertain email for sent."""
    with transaction() as session:
        _begin(session, delivery_id, "counted-as-sent")
        actions.count_as_sent(session, delivery_id, clock.now())
    return _done(delivery_id, "Counted as sent.")


def _too_late() -> InputError:
    return InputError(
        "This email is not waiting any more.",
        means="It was sent, or is being sent right now; nothing was changed.",
        remedy="Look at its newest state.",
    )
