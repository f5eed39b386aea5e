"""The links of marketing emails that are counted: numbered once per message, made for each reader."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from flask import current_app

from newsletter import tokens
from newsletter.accounts import queries as accounts
from newsletter.database.engine import db, transaction
from newsletter.delivery.letters import Letter
from newsletter.settings import current
from newsletter.tokens import Purpose
from newsletter.tracking import actions as tracking
from newsletter.tracking import rules

Links = tuple[str, ...]  # where a message's links lead, as they stand in CompiledMessage.links
Tails = tuple[str, ...]  # what their counted addresses end with, in the same order
MOST_KNOWN = 1000  # messages


def tails(letters: Iterable[Letter]) -> dict[Links, Tails]:
    """The tails of these letters' links; what is left out is not counted: all, while the studio does not count."""
    wanted = {letter.compiled.links for letter in letters if letter.marketing and letter.compiled.links}
    if not wanted:
        return {}
    session = db.session()
    counts = accounts.studio(session).track_clicks
    session.rollback()
    if not counts:
        return {}
    # Known per application: numbers never change, and asking for them would be a write for every batch.
    known: dict[Links, Tails] = current_app.extensions.setdefault("counted_links", {})
    if len(known) > MOST_KNOWN:
        known.clear()
    new = wanted - known.keys()
    if new:
        with transaction() as work:
            ids = tracking.link_ids(work, {url for links in new for url in links})
        known |= {links: tuple(rules.base36(ids[url]) for url in links) for links in new}
    return {links: known[links] for links in wanted}


def addresses(tails: Tails, *, delivery_id: int, subscriber_id: int, now: datetime) -> Sequence[str]:
    """Where the counted links of one email lead; `now` tells later which clicks came too soon for a reader."""
    settings = current()
    token = tokens.sign(settings.secret_key, Purpose.CLICK, delivery_id, subscriber_id, at=now)
    door = rules.door(settings.base_url, token)
    return [door + tail for tail in tails]
