"""Reads of links and clicks. Clicks of programs count nowhere, they are only told to the person they stand with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, distinct, func, select
from sqlalchemy.orm import Session

from newsletter.audience.history import HistoryLine
from newsletter.tracking import rules
from newsletter.tracking.models import Click, Link

READ_AT_ONCE = 500  # well below the most variables that a statement may have (32,766 on SQLite)


@dataclass(frozen=True)
class LinkClicks:
    """A link with how many readers pressed it, and how often in all."""

    url: str
    readers: int
    clicks: int

    @property
    def shown(self) -> str:
        """The address in short."""
        return rules.short(self.url)


@dataclass(frozen=True)
class LinkClick:
    """One click on one link; `robot` means by a program."""

    url: str
    at: datetime
    robot: bool


def url_of(session: Session, link_id: int) -> str | None:
    """Where the link with that id leads."""
    return session.scalar(select(Link.url).where(Link.id == link_id))


def link_ids(session: Session, urls: Iterable[str]) -> dict[str, int]:
    """The ids of those of these addresses that are known as links, by address."""
    wanted = sorted({rules.digest(url) for url in urls})
    found: dict[str, int] = {}
    for at in range(0, len(wanted), READ_AT_ONCE):
        known = select(Link.url, Link.id).where(Link.digest.in_(wanted[at : at + READ_AT_ONCE]))
        found |= dict(session.execute(known).all())
    return found


def clicks_by_link(session: Session, deliveries: Select[int]) -> list[LinkClicks]:
    """Every link that readers pressed in these emails, the one with the most readers first.

    `deliveries` selects ids of the ledger, which is further up: `select(Delivery.id).where(Delivery.reason == …)`.
    """
    readers = func.count(distinct(Click.subscriber_id))
    found = (
        select(Link.url, readers, func.count())
        .join(Click, Click.link_id == Link.id)
        .where(Click.delivery_id.in_(deliveries), ~Click.robot)
        .group_by(Link.id, Link.url)
        .order_by(readers.desc(), Link.id)
    )
    return [LinkClicks(*row) for row in session.execute(found)]


def readers_who_clicked(session: Session, deliveries: Select[int]) -> int:
    """How many readers pressed any link in these emails."""
    found = select(func.count(distinct(Click.subscriber_id)))
    return session.scalar(found.where(Click.delivery_id.in_(deliveries), ~Click.robot)) or 0


def clicks_of_delivery(session: Session, delivery_id: int) -> list[LinkClick]:
    """Every click on one email, oldest first, programs among them."""
    found = select(Link.url, Click.at, Click.robot).join(Click, Click.link_id == Link.id)
    found = found.where(Click.delivery_id == delivery_id).order_by(Click.at, Click.id)
    return [LinkClick(*row) for row in session.execute(found)]


def clicks_of_person(session: Session, subscriber_id: int) -> list[LinkClick]:
    """Every click in a person's emails, oldest first, programs among them."""
    found = select(Link.url, Click.at, Click.robot).join(Click, Click.link_id == Link.id)
    found = found.where(Click.subscriber_id == subscriber_id).order_by(Click.at, Click.id)
    return [LinkClick(*row) for row in session.execute(found)]


def near(session: Session, delivery_ids: Sequence[int], since: datetime) -> Sequence[Click]:
    """The clicks on these emails from a moment on."""
    return session.scalars(select(Click).where(Click.delivery_id.in_(delivery_ids), Click.at >= since)).all()


def history(session: Session, subscriber_id: int) -> list[HistoryLine]:
    """What a person pressed in their emails."""
    return [
        HistoryLine(click.at, "click", f"Pressed the link to {rules.short(click.url)}")
        for click in clicks_of_person(session, subscriber_id)
        if not click.robot
    ]


def held(session: Session, subscriber_id: int) -> dict[str, Any]:
    """Everything this room holds about a person: the links opened in their emails, by themselves or by a program."""
    return {
        "clicks": [
            {"link": click.url, "at": click.at, "by": "a program" if click.robot else "you"}
            for click in clicks_of_person(session, subscriber_id)
        ]
    }
