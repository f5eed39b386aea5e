"""The overview."""

from __future__ import annotations

from datetime import timedelta

from flask import render_template

from newsletter import clock
from newsletter.accounts import queries as accounts_queries
from newsletter.accounts.gate import admin_blueprint, current_operator
from newsletter.audience.rules import STATUS_WORDS, Status
from newsletter.dashboard import queries, rules
from newsletter.database.engine import db
from newsletter.delivery import health as delivery_health
from newsletter.settings import current

bp = admin_blueprint("dashboard", __name__, "/admin")

DAYS = 30


@bp.get("/")
def overview() -> str:
    """What happened, what comes next, and what wants the operator's hand."""
    session, now, settings = db.session(), clock.now(), current()
    studio = accounts_queries.studio(session)
    health = queries.health(session, studio, settings, now)
    days = rules.last_days(now, accounts_queries.zone_of(studio), DAYS)
    people = queries.people(session)
    anybody = queries.anybody(session)
    return render_template(
        "dashboard/overview.html",
        operator=current_operator(),
        now=now,
        warnings=rules.warnings(health),
        holds=[hold for hold in delivery_health.held(session) if hold.lane],
        week=queries.week(session, now - timedelta(days=7)),
        waiting=queries.waiting(session),
        people=[(status, STATUS_WORDS[status], people[status]) for status in Status if people.get(status)],
        bars=rules.bars(days, queries.per_day(session, days)),
        coming=queries.coming(session),
        anybody=anybody,
        steps=rules.first_steps(
            named=studio.name != "Your Studio",
            tried=anybody,
            postal_address=health.postal_address,
            smtp=health.smtp,
        ),
    )
