"""Another time zone of the studio: whom it moves is shown before it is kept (semantics 3.8)."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from newsletter import clock
from newsletter.accounts import actions as accounts
from newsletter.accounts import queries as studio_queries
from newsletter.accounts import rules as account_rules
from newsletter.accounts.gate import admin_blueprint, current_operator
from newsletter.database.engine import db, transaction
from newsletter.errors import InputError
from newsletter.forecast import zone_impact
from newsletter.forecast.comparing import SHOWN

bp = admin_blueprint("zone", __name__, "/admin/settings/zone")


@bp.get("")
def look() -> str:
    """Who would get what at another time if the studio were in another zone."""
    session, name = db.session(), _asked(request.args.get("timezone", ""))
    return render_template(
        "forecast/zone.html",
        kept=studio_queries.studio(session).timezone,
        name=name,
        found=zone_impact.of_zone(session, name, clock.now()),
        SHOWN=SHOWN,
    )


@bp.post("")
def apply() -> Response:
    """Keep the zone; the readers who named none are moved by the worker's next turns."""
    name = _asked(request.form.get("timezone", ""))
    with transaction() as session:
        changed = accounts.change_settings(session, {"timezone": name}, by=current_operator().id, now=clock.now())
    flash("The time zone is saved." if changed else "That is the time zone already.")
    return redirect(url_for("accounts.settings"))


def _asked(name: str) -> str:
    if name not in account_rules.zone_names():
        raise InputError("This is not a time zone.", remedy="Choose one from the list in Settings.")
    return name
