"""The application: backstage with every room's doors and the commands."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Flask

from newsletter import backstage, cli, cli_series
from newsletter.accounts import admin as accounts_admin
from newsletter.accounts import pages as accounts_pages
from newsletter.accounts import presentation
from newsletter.accounts.gate import login
from newsletter.audience import admin as audience_admin
from newsletter.broadcasts import admin as broadcasts_admin
from newsletter.dashboard import admin as dashboard_admin
from newsletter.dashboard import pages as metrics_pages
from newsletter.database import migrating
from newsletter.delivery import admin as delivery_admin
from newsletter.delivery import overdue_admin, relays_admin
from newsletter.delivery import pages as mailbox_pages
from newsletter.forecast import admin as calendar_admin
from newsletter.forecast import drive_admin, edits_admin, rests_admin, zone_admin
from newsletter.forecast import pages as calendar_pages
from newsletter.landing import admin as landing_admin
from newsletter.landing import pages as landing_pages
from newsletter.magnets import admin as magnets_admin
from newsletter.magnets import pages as magnets_pages
from newsletter.messages import pages as media_pages
from newsletter.sequences import admin as sequences_admin
from newsletter.sequences import pauses_admin, steps_admin, triggers_admin
from newsletter.settings import Settings
from newsletter.signup import api as signup_api
from newsletter.signup import leaving as signup_leaving
from newsletter.signup import pages as signup_pages
from newsletter.tracking import pages as tracking_pages
from newsletter.web import limits, problems, security
from newsletter.work import pages as work_pages

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
    calendar_pages.bp,
    accounts_pages.bp,
    accounts_admin.bp,
    dashboard_admin.bp,
    audience_admin.bp,
    delivery_admin.bp,
    overdue_admin.bp,
    relays_admin.bp,
    broadcasts_admin.bp,
    pauses_admin.bp,
    sequences_admin.bp,
    steps_admin.bp,
    edits_admin.bp,
    zone_admin.bp,
    rests_admin.bp,
    triggers_admin.bp,
    calendar_admin.bp,
    drive_admin.bp,
    magnets_admin.bp,
    landing_admin.bp,
)


def create_app(environ: Mapping[str, str] | None = None) -> Flask:
    """Build the application from its environment; raises SettingError on nonsense in it."""
    app = backstage.create(environ)
    settings: Settings = app.extensions["settings"]
    app.config["MAX_CONTENT_LENGTH"] = 21 * 1024 * 1024  # an uploaded gift has 20 MB, its form a little
    migrating.init(app)
    security.init(app, settings)
    limits.init(app, settings)
    problems.init(app)
    login.init_app(app)
    presentation.init(app)
    tracking_pages.init(app)
    for door in DOORS:
        app.register_blueprint(door)
    cli.init(app)
    cli_series.init(app)
    return app
