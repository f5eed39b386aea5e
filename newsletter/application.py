"""The application: every room's doors, and the lists of what rooms offer to each other."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from flask import Flask

from newsletter import cli, logs, worker
from newsletter import settings as settings_module
from newsletter.accounts import admin as accounts_admin
from newsletter.accounts import pages as accounts_pages
from newsletter.accounts import presentation
from newsletter.accounts.gate import login
from newsletter.audience import admin as audience_admin
from newsletter.audience import queries as audience_queries
from newsletter.broadcasts import admin as broadcasts_admin
from newsletter.broadcasts import letters as broadcasts_letters
from newsletter.broadcasts import queries as broadcasts_queries
from newsletter.dashboard import admin as dashboard_admin
from newsletter.dashboard import pages as metrics_pages
from newsletter.database import engine
from newsletter.delivery import actions as delivery_actions
from newsletter.delivery import admin as delivery_admin
from newsletter.delivery import pages as mailbox_pages
from newsletter.delivery import queries as delivery_queries
from newsletter.delivery import relays_admin
from newsletter.landing import actions as landing_actions
from newsletter.landing import admin as landing_admin
from newsletter.landing import pages as landing_pages
from newsletter.landing import queries as landing_queries
from newsletter.magnets import actions as magnets_actions
from newsletter.magnets import admin as magnets_admin
from newsletter.magnets import letters as magnets_letters
from newsletter.magnets import pages as magnets_pages
from newsletter.magnets import queries as magnets_queries
from newsletter.messages import pages as media_pages
from newsletter.sequences import actions as sequences_actions
from newsletter.sequences import admin as sequences_admin
from newsletter.sequences import letters as sequences_letters
from newsletter.sequences import queries as sequences_queries
from newsletter.signup import api as signup_api
from newsletter.signup import leaving as signup_leaving
from newsletter.signup import letters as signup_letters
from newsletter.signup import pages as signup_pages
from newsletter.tracking import actions as tracking_actions
from newsletter.tracking import pages as tracking_pages
from newsletter.tracking import queries as tracking_queries
from newsletter.web import limits, problems, security
from newsletter.work import pages as work_pages
from newsletter.work import queue

ROOT = Path(__file__).resolve().parent.parent

DOORS = (
    work_pages.bp,
    metrics_pages.bp,
    media_pages.bp,
    tracking_pages.bp,
    landing_pages.bp,
    signup_pages.bp,
    signup_leaving.bp,
    signup_api.bp,
    magnets_pages.bp,
    mailbox_pages.bp,
    accounts_pages.bp,
    accounts_admin.bp,
    dashboard_admin.bp,
    audience_admin.bp,
    delivery_admin.bp,
    relays_admin.bp,
    broadcasts_admin.bp,
    sequences_admin.bp,
    magnets_admin.bp,
    landing_admin.bp,
)

# The room that writes an email, by the first word of its reason.
LETTERS = {
    "confirm": signup_letters.letters,
    "reminder": signup_letters.letters,
    "magnet": magnets_letters.letters,
    "step": sequences_letters.letters,
    "broadcast": broadcasts_letters.batch,
}
# A reason in words for the operator, by the same word.
REASON_WORDS = {
    "magnet": magnets_queries.reason_words,
    "step": sequences_queries.reason_words,
    "broadcast": broadcasts_queries.reason_words,
}
# What each room does when a person is erased or turns out to be two, tells about them, and holds of them.
FORGET = (
    tracking_actions.forget,
    delivery_actions.forget,
    magnets_actions.forget,
    sequences_actions.forget,
    landing_actions.forget,
)
ABSORB = (tracking_actions.absorb, delivery_actions.absorb, magnets_actions.absorb, sequences_actions.absorb)
HISTORY = (
    audience_queries.history,
    tracking_queries.history,
    delivery_queries.history,
    magnets_queries.history,
    sequences_queries.history,
    landing_queries.history,
)
HELD = (
    audience_queries.held,
    delivery_queries.held,
    tracking_queries.held,
    magnets_queries.held,
    sequences_queries.held,
    landing_queries.held,
)


def create_app(environ: Mapping[str, str] | None = None) -> Flask:
    """Build the application from its environment; raises SettingError on nonsense in it."""
    logs.init()
    settings = settings_module.load() if environ is None else settings_module.load(environ)
    app = Flask("newsletter", root_path=str(ROOT), template_folder="templates", static_folder="static")
    app.extensions["settings"] = settings
    app.extensions |= {
        "letters": LETTERS,
        "reason_words": REASON_WORDS,
        "forget": FORGET,
        "absorb": ABSORB,
        "history": list(HISTORY),
        "held": HELD,
    }
    app.config["MAX_CONTENT_LENGTH"] = 21 * 1024 * 1024  # an uploaded gift has 20 MB, its form a little

    def turn() -> int:
        with app.app_context():
            return worker.take_turn()

    engine.init(app, settings.database_url)
    queue.init(app, settings.queue_url, turn)
    security.init(app, settings)
    limits.init(app, settings)
    problems.init(app)
    login.init_app(app)
    presentation.init(app)
    tracking_pages.init(app)
    for door in DOORS:
        app.register_blueprint(door)
    cli.init(app)
    return app
