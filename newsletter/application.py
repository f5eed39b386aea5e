"""The application: every room's doors, and the lists of what rooms offer to each other."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from flask import Flask

from newsletter import settings as settings_module
from newsletter.accounts import admin as accounts_admin
from newsletter.accounts import pages as accounts_pages
from newsletter.accounts import presentation
from newsletter.accounts.gate import login
from newsletter.audience import admin as audience_admin
from newsletter.broadcasts import admin as broadcasts_admin
from newsletter.dashboard import admin as dashboard_admin
from newsletter.database import engine
from newsletter.delivery import admin as delivery_admin
from newsletter.delivery import pages as mailbox_pages
from newsletter.landing import admin as landing_admin
from newsletter.landing import pages as landing_pages
from newsletter.magnets import admin as magnets_admin
from newsletter.magnets import pages as magnets_pages
from newsletter.sequences import admin as sequences_admin
from newsletter.signup import pages as signup_pages
from newsletter.web import limits, problems, security
from newsletter.work import pages as work_pages
from newsletter.work import queue

ROOT = Path(__file__).resolve().parent.parent

DOORS = (
    work_pages.bp,
    landing_pages.bp,
    signup_pages.bp,
    magnets_pages.bp,
    mailbox_pages.bp,
    accounts_pages.bp,
    accounts_admin.bp,
    dashboard_admin.bp,
    audience_admin.bp,
    delivery_admin.bp,
    broadcasts_admin.bp,
    sequences_admin.bp,
    magnets_admin.bp,
    landing_admin.bp,
)


def create_app(environ: Mapping[str, str] | None = None) -> Flask:
    """Build the application from its environment; raises SettingError on nonsense in it."""
    settings = settings_module.load() if environ is None else settings_module.load(environ)
    app = Flask("newsletter", root_path=str(ROOT), template_folder="templates", static_folder="static")
    app.extensions["settings"] = settings
    app.config["MAX_CONTENT_LENGTH"] = 21 * 1024 * 1024  # an uploaded gift has 20 MB, its form a little
    engine.init(app, settings.database_url)
    queue.init(app, settings.queue_url, lambda: None)
    security.init(app, settings)
    limits.init(app, settings)
    problems.init(app)
    login.init_app(app)
    presentation.init(app)
    for door in DOORS:
        app.register_blueprint(door)
    return app
