"""Writes of links and clicks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import delete, insert, update
from sqlalchemy.orm import Session

from newsletter.accounts import queries as accounts
from newsletter.audience import occasions
from newsletter.audience import queries as audience
from newsletter.audience.rules import Happened
from newsletter.tracking import queries, rules
from newsletter.tracking.models import Click, Link
from newsletter.tracking.rules import Seen
from newsletter.work.claims import insert_rows


def link_ids(session: Session, urls: Collection[str]) -> dict[str, int]:
    """The ids of these addresses by address; those that are not links yet become links.

    Ids never change and links are never deleted, so a process may keep what it was told.
    """
    known = queries.link_ids(session, urls)
    # In one order everywhere: two workers that add the same links in two orders would wait for each other for good.
    missing = sorted((rules.digest(url), url) for url in set(urls) - known.keys())
    if missing:
        rows = [{"digest": digest, "url": url} for digest, url in missing]
        insert_rows(session, Link, rows, unique=[Link.digest])
        known |= queries.link_ids(session, [url for _, url in missing])
    return known


def record_clicks(session: Session, seen: Sequence[Seen]) -> int:
    """Keep what was opened, and find out programs by their haste; returns how many were kept.

    Upper rooms are told of readers' clicks, but not before it is sure that no program opened the email's other links.

    Nothing is kept while the studio does not count clicks, and nothing of people who are erased.
    """
    if not accounts.studio(session).track_clicks:
        return 0
    living = audience.living(session, {one.subscriber_id for one in seen})
    kept = [one for one in seen if one.subscriber_id in living]
    if kept:
        columns = ("delivery_id", "subscriber_id", "link_id", "at", "robot")
        session.execute(insert(Click), [{name: getattr(one, name) for name in columns} for one in kept])
        _mark_bursts(session, {one.delivery_id for one in kept}, min(one.at for one in kept))
        readers = {one.subscriber_id: [""] for one in kept if not one.robot}
        occasions.to_many(session, readers, Happened.CLICK, max(one.at for one in kept) + rules.BURST, crowd=False)
    return len(kept)


def _mark_bursts(session: Session, delivery_ids: set[int], since: datetime) -> None:
    """Mark the clicks on several links of one email at once, also those that were kept as a reader's before."""
    by_email = defaultdict(list)
    for click in queries.near(session, sorted(delivery_ids), since - rules.BURST):
        by_email[click.delivery_id].append((click.id, click.link_id, click.at))
    robots = {key for clicks in by_email.values() for key in rules.bursts(clicks)}
    if robots:
        session.execute(update(Click).where(Click.id.in_(robots)).values(robot=True))


def forget(session: Session, subscriber_id: int) -> None:
    """Remove a person's clicks."""
    session.execute(delete(Click).where(Click.subscriber_id == subscriber_id))


def absorb(session: Session, keep_id: int, drop_id: int) -> None:
    """Move the clicks of one record of a person to the other."""
    session.execute(update(Click).where(Click.subscriber_id == drop_id).values(subscriber_id=keep_id))
