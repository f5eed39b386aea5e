"""What every page shows of the studio, and the words and links that the back office's templates need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

import structlog
from flask import Flask, current_app, g, request, url_for
from sqlalchemy.exc import SQLAlchemyError

from newsletter import clock
from newsletter.accounts import colours, moments, queries
from newsletter.accounts.models import Studio
from newsletter.database.engine import db

log = structlog.get_logger()

# The back office's rooms in the order of an operator's day: path, word, icon. A room not built yet is left out.
ROOMS = (
    ("/admin", "Overview", "home"),
    ("/admin/subscribers", "Subscribers", "people"),
    ("/admin/broadcasts", "Emails", "letter"),
    ("/admin/sequences", "Series", "steps"),
    ("/admin/calendar", "Calendar", "calendar"),
    ("/admin/ledger", "Outbox", "outbox"),
    ("/admin/relays", "Mail servers", "server"),
    ("/admin/magnets", "Gifts", "gift"),
    ("/admin/pages", "Pages", "page"),
    ("/admin/comments", "Comments", "comment"),
    ("/admin/settings", "Settings", "settings"),
)


@dataclass(frozen=True)
class Look:
    """The studio as templates see it; `logo_url` is empty without a logo, `theme_url` with the shipped colour."""

    name: str
    logo_url: str
    theme_url: str
    video_url: str
    accent: str
    signature: str
    postal_address: str
    track_clicks: bool
    zone: ZoneInfo


@dataclass(frozen=True)
class Room:
    """One link of the back office's navigation."""

    url: str
    word: str
    icon: str
    here: bool


def init(app: Flask) -> None:
    """Give the templates of `app` the studio, the navigation, and words for moments."""
    app.context_processor(lambda: {"studio": look(), "rooms": rooms})
    app.jinja_env.filters.update(ago=ago, exactly=exactly)
    app.jinja_env.globals.update(page_url=page_url)


def look() -> Look:
    """The studio of this request; the defaults while the database is down, so that even the problem page has a face."""
    if "look" not in g:
        g.look = _look(_read(queries.studio))
    found: Look = g.look
    return found


def _read(query: Callable[[Any], Studio]) -> Studio:
    try:
        return query(db.session())
    except SQLAlchemyError as problem:
        log.warning("the studio could not be read", kind=type(problem).__name__)
        return queries.default_studio()


def _look(studio: Studio) -> Look:
    return Look(
        name=studio.name,
        logo_url=f"/media/{studio.logo_hash}.png" if studio.logo_hash else "",
        theme_url="" if studio.accent == colours.DEFAULT else url_for("studio.theme", accent=studio.accent[1:]),
        video_url=studio.video_url,
        accent=studio.accent,
        signature=studio.signature,
        postal_address=studio.postal_address,
        track_clicks=studio.track_clicks,
        zone=queries.zone_of(studio),
    )


def rooms() -> list[Room]:
    """The navigation of this request: every room that exists, and which of them one is in."""
    built = {
        rule.rule.rstrip("/"): rule.endpoint
        for rule in current_app.url_map.iter_rules()
        if not rule.arguments and rule.methods is not None and "GET" in rule.methods
    }
    paths = [path for path, _, _ in ROOMS if path in built]
    inside = [path for path in paths if request.path == path or request.path.startswith(path + "/")]
    if request.path not in {"/admin", "/admin/"}:
        inside = [path for path in inside if path != "/admin"]  # every page is below the overview, none belongs to it
    here = max(inside, key=len, default="")
    return [Room(url_for(built[path]), word, icon, path == here) for path, word, icon in ROOMS if path in built]


def page_url(number: int) -> str:
    """The address of another page of the list one is looking at."""
    # Written by hand, not by url_for: a visitor's "_external" or "_scheme" would be an instruction to url_for.
    asked = [(name, value) for name, value in request.args.items(multi=True) if name != "page"]
    return f"{request.script_root}{quote(request.path)}?{urlencode([*asked, ('page', number)])}"


def ago(moment: datetime) -> str:
    """How long ago or ahead, in words."""
    return moments.relative(moment, clock.now())


def exactly(moment: datetime) -> str:
    """The date and time in the studio's zone."""
    return moments.absolute(moment, look().zone)
