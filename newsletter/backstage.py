"""The application without its doors: what a worker needs, and the lists of what rooms offer to each other.

A worker shows nobody a page, so it does without everything that pages need: a fifth of its memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from flask import Flask

from newsletter import logs, worker
from newsletter import settings as settings_module
from newsletter.audience import queries as audience_queries
from newsletter.broadcasts import coming as broadcasts_coming
from newsletter.broadcasts import letters as broadcasts_letters
from newsletter.broadcasts import queries as broadcasts_queries
from newsletter.database import engine
from newsletter.delivery import actions as delivery_actions
from newsletter.delivery import queries as delivery_queries
from newsletter.delivery.rules import Lane
from newsletter.landing import actions as landing_actions
from newsletter.landing import queries as landing_queries
from newsletter.magnets import actions as magnets_actions
from newsletter.magnets import letters as magnets_letters
from newsletter.magnets import queries as magnets_queries
from newsletter.sequences import actions as sequences_actions
from newsletter.sequences import coming as sequences_coming
from newsletter.sequences import entering as sequences_entering
from newsletter.sequences import letters as sequences_letters
from newsletter.sequences import queries as sequences_queries
from newsletter.signup import letters as signup_letters
from newsletter.signup import queries as signup_queries
from newsletter.tracking import actions as tracking_actions
from newsletter.tracking import queries as tracking_queries
from newsletter.work import queue

ROOT = Path(__file__).resolve().parent.parent

# The room that writes an email, by the first word of its reason.
LETTERS = {
    "confirm": signup_letters.letters,
    "reminder": signup_letters.letters,
    "magnet": magnets_letters.letters,
    "step": sequences_letters.letters,
    "broadcast": broadcasts_letters.batch,
}
# What a room has for readers before a moment that is not in the ledger yet: at most one marketing email a day.
COMING = {Lane.SEQUENCE: sequences_coming.coming, Lane.BULK: broadcasts_coming.coming}
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
    sequences_entering.forget,
    landing_actions.forget,
)
ABSORB = (
    tracking_actions.absorb,
    delivery_actions.absorb,
    magnets_actions.absorb,
    sequences_actions.absorb,
    sequences_entering.absorb,
)
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


def create(environ: Mapping[str, str] | None = None) -> Flask:
    """Build the application from its environment, with no pages yet; raises SettingError on nonsense in it."""
    logs.init()
    settings = settings_module.load() if environ is None else settings_module.load(environ)
    app = Flask("newsletter", root_path=str(ROOT), template_folder="templates", static_folder="static")
    app.extensions["settings"] = settings
    app.extensions |= {
        "letters": LETTERS,
        "reason_words": REASON_WORDS,
        "coming": COMING,
        "forget": FORGET,
        "absorb": ABSORB,
        "history": list(HISTORY),
        "held": HELD,
        # Rooms on one floor do not see each other: what series ask about gifts and forms.
        "downloaded": magnets_queries.downloaded,
        "leading": signup_queries.leading_to,
        "openings": {"form": signup_queries.choices, "magnet": magnets_queries.choices},
    }

    def turn() -> int:
        with app.app_context():
            return worker.take_turn()

    engine.init(app, settings.database_url)
    queue.init(app, settings.queue_url, turn)
    return app
