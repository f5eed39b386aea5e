"""Relays as an operator sees, adds, changes and orders them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from newsletter.delivery import relay_rows
from newsletter.delivery import relay_rules as rules
from newsletter.delivery.models import Relay, RelayDay, RelayDomain, RelaySlot
from newsletter.delivery.relay_rules import Source
from newsletter.delivery.relay_words import Standing, Told, pace_words, tell
from newsletter.delivery.rules import Lane
from newsletter.errors import InputError, NotFound
from newsletter.sealing import seal
from newsletter.settings import current

# Whoever may change where a password is sent could send it to a server of their own.
PLACE = ("host", "port", "username", "security")


@dataclass(frozen=True)
class Slow:
    """A recipient domain that is served slowly for a while, and how fast."""

    domain: str
    pace: str


@dataclass(frozen=True)
class Shown:
    """A relay as the list shows it."""

    relay: Relay
    told: Told
    sent: int
    connections: int
    slow: Sequence[Slow]

    @property
    def own(self) -> bool:
        """Whether it was added here, and not named by SMTP_URL."""
        return self.relay.source == Source.OPERATOR


def shown(session: Session, now: datetime) -> list[list[Shown]]:
    """Every relay with its health, in groups that share their load, the first choice in front."""
    relays = session.scalars(select(Relay).where(relay_rows.ours()).order_by(Relay.priority, Relay.id)).all()
    views = [_shown(session, relay, now) for relay in relays]
    return [list(group) for _, group in groupby(views, key=lambda view: view.relay.priority)]


def _shown(session: Session, relay: Relay, now: datetime) -> Shown:
    day = session.get(RelayDay, (relay.id, relay_rows.today(now)))
    sent, used = (day.accepted, max(day.accepted, day.drawn)) if day else (0, 0)
    standing = Standing(
        enabled=relay.enabled,
        health=rules.health(relay_rows.breaker_of(relay), now),
        problem=relay.problem,
        retry_at=relay.retry_at,
        proven=relay.proven,
        used=used,
        cap=relay_rows.cap_of(relay, now),
        warmup_start=relay.warmup_start,
        warmup_plan=relay.warmup_plan,
        halved=rules.halvings(relay.slowness, relay.slowed_at, now),
        pace=relay_rows.rate_of(relay, now),
        today=relay_rows.today(now),
    )
    held = select(func.sum(RelaySlot.held)).where(RelaySlot.relay_id == relay.id, RelaySlot.lease_until > now)
    return Shown(relay, tell(standing), sent, session.scalar(held) or 0, _slow(session, relay, now))


def _slow(session: Session, relay: Relay, now: datetime) -> list[Slow]:
    share = relay_rows.share_of(relay)
    found = select(RelayDomain).where(RelayDomain.relay_id == relay.id, RelayDomain.slowness > 0)
    rows = session.scalars(found.order_by(RelayDomain.slowed_at.desc()).limit(50)).all()
    halved = {row.domain: rules.halvings(row.slowness, row.slowed_at, now) for row in rows}
    paces = {name: rules.pace_now(share, times, rules.SLOW_DOMAIN) for name, times in halved.items() if times}
    return [Slow(name, pace_words(pace)) for name, pace in paces.items() if pace]


def untaken(groups: Sequence[Sequence[Shown]]) -> list[Lane]:
    """The lanes that no relay in use takes, so that their emails wait."""
    relays = [view.relay for group in groups for view in group if view.relay.enabled]
    lanes = {lane for relay in relays for lane in relay_rows.lanes_of(relay)}
    return [lane for lane in Lane if lane not in lanes] if groups else []


def find(session: Session, relay_id: int) -> Relay:
    """A relay; raises NotFound."""
    found = session.scalar(select(Relay).where(Relay.id == relay_id, relay_rows.ours()))
    if found is None:
        raise NotFound("There is no such mail server.", remedy="Look at the list of those there are.")
    return found


def add(session: Session, values: Mapping[str, Any], now: datetime) -> Relay:
    """Add a relay, as the last choice; raises InputError when its name is taken."""
    _own_name(session, values["name"], None)
    last = session.scalar(select(func.max(Relay.priority)).where(relay_rows.ours())) or 0
    relay = Relay(source=Source.OPERATOR, created_at=now, priority=last + 1)
    _put(relay, values)
    session.add(relay)
    session.flush()
    return relay


def change(session: Session, relay: Relay, values: Mapping[str, Any], now: datetime) -> None:
    """Change a relay; raises InputError when its name is taken, or its password has to be typed again."""
    moved = any(name in values and values[name] != getattr(relay, name) for name in PLACE)
    if moved and relay.password and values["username"] and not values["password"]:
        raise InputError(
            "The server, its security or the user name changed.",
            means="The kept password was for what stood there before, and is sent nowhere else.",
            remedy="Type the password too.",
        )
    if "name" in values:
        _own_name(session, values["name"], relay.id)
    if moved or values.get("password"):
        relay_rows.mend(relay, now)
    _put(relay, values)


def _own_name(session: Session, name: str, relay_id: int | None) -> None:
    same = session.scalars(select(Relay.id).where(Relay.name == name, relay_rows.ours())).first()
    if same is not None and same != relay_id:
        raise InputError(
            f"There is a mail server called {name} already.",
            means="Every email's story names its server.",
            remedy="Give this one a name of its own.",
        )


def _put(relay: Relay, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if name == "password":
            relay.password = _sealed(relay, value) if values["username"] else ""
        else:
            setattr(relay, name, value)


def _sealed(relay: Relay, password: str) -> str:
    """A new password sealed; the kept one when none was typed."""
    return seal(current().secret_key, relay_rows.SEALED_FOR, password) if password else relay.password or ""


def switch(relay: Relay, *, on: bool, now: datetime) -> None:
    """Use a relay, or let it be for now."""
    relay.enabled = on
    if on:
        relay_rows.mend(relay, now)


def move(session: Session, relay: Relay, *, up: bool) -> None:
    """One step up or down: to share the load of its neighbours, or to stand before or behind them."""
    found = session.scalars(select(Relay).where(relay_rows.ours()).order_by(Relay.priority, Relay.id)).all()
    by_id = {row.id: row for row in found}
    groups = [[row.id for row in group] for _, group in groupby(found, key=lambda row: row.priority)]
    for priority, group in enumerate(rules.moved(groups, relay.id, up=up), start=1):
        for relay_id in group:
            by_id[relay_id].priority = priority


def remove(session: Session, relay: Relay) -> None:
    """Forget a relay; raises InputError for the one that SMTP_URL names, which would come back."""
    if relay.source == Source.ENVIRONMENT:
        raise InputError(
            "This mail server is named by SMTP_URL.",
            means="It would come back at once.",
            remedy="Unset SMTP_URL where the program is started, or switch the server off here.",
        )
    for rows in (RelayDay, RelayDomain, RelaySlot):
        session.execute(delete(rows).where(rows.relay_id == relay.id))
    session.delete(relay)
