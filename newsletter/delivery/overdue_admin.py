"""The emails that came too late: what the operator wants of each, or of all (semantics 3.16)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from newsletter import clock
from newsletter.accounts import actions as accounts
from newsletter.accounts import queries as studio
from newsletter.accounts.gate import admin_blueprint, current_operator
from newsletter.database.engine import db, transaction
from newsletter.delivery import actions, health, overdue
from newsletter.errors import InputError
from newsletter.web.paging import list_page

bp = admin_blueprint("overdue", __name__, "/admin/ledger/overdue")

# So many decisions are written in one transaction: some 50 ms, while other writers wait on SQLite.
SLICE = 1000


@bp.get("")
def listed() -> str:
    """Everything that is held because it is late."""
    session = db.session()
    listing = list_page(session, overdue.listed(), scalars=False)
    return render_template(
        "delivery/overdue.html",
        listing=listing,
        reasons=health.reason_words(session, [row.reason for row, _ in listing.rows]),
        hours=studio.studio(session).overdue_hours,
    )


@bp.post("")
def decide() -> Response:
    """Send late, or leave out: the one whose button was pressed, those that were ticked, or all."""
    what, _, one = request.form.get("verdict", "").partition(":")
    if what not in {"send", "skip"}:
        raise InputError("Nothing was chosen.", means="Nothing was changed.", remedy="Press one of the buttons.")
    if one == "all":
        slices: Iterable[Sequence[int]] = _all(request.form.get("many", ""))
    else:
        ticked = [one] if one else request.form.getlist("id")
        ids = overdue.still(db.session(), {int(number) for number in ticked if number.isdecimal()})
        slices = [ids[at : at + SLICE] for at in range(0, len(ids), SLICE)]
    done = _decide(slices, send=what == "send")
    if not done:
        raise InputError(
            "No email was chosen that still waits.",
            means="Nothing was changed.",
            remedy="Tick the ones you want to decide about, or take all of them.",
        )
    flash(_said(done, send=what == "send"))
    return redirect(url_for("overdue.listed"))


def _all(many: str) -> Iterable[Sequence[int]]:
    """All of them, if they are as many as the question said; raises InputError when it has become another question."""
    if many != str(overdue.count(db.session())):
        raise InputError(
            "Meanwhile the number has changed.", means="Nothing was done yet.", remedy="Go back and look again."
        )
    last = 0
    while ids := overdue.after(db.session(), last, SLICE):
        last = ids[-1]
        yield ids


def _decide(slices: Iterable[Sequence[int]], *, send: bool) -> int:
    """Write the decision down, slice by slice; returns how many emails it was about."""
    done, who = 0, current_operator()
    by = f"By {who.name}." if who.name else ""
    for ids in slices:
        with transaction() as session:
            changed = actions.decide_overdue(session, ids, send=send, by=by, now=clock.now())
            action = "overdue.sent" if send else "overdue.skipped"
            if changed:
                accounts.record(session, action, by=who.id, now=clock.now(), subject="outbox", emails=changed)
            done += changed
    return done


def _said(done: int, *, send: bool) -> str:
    emails = "1 email" if done == 1 else f"{done:,} emails"
    if send:
        return f"{emails} {'goes' if done == 1 else 'go'} out now, at most one a day for each reader."
    return f"{emails} {'is' if done == 1 else 'are'} left out. Their readers go on with the next step."
