"""What a relay's row says: how to reach it, what it may be given now, how it is doing."""

from __future__ import annotations

from dataclasses import asdict, fields
from datetime import UTC, date, datetime
from functools import lru_cache

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.orm import Session

from newsletter.delivery import relay_rules as rules
from newsletter.delivery.models import Relay
from newsletter.delivery.relay_rules import Breaker, Security, Source
from newsletter.delivery.rules import Lane
from newsletter.sealing import unseal
from newsletter.settings import Smtp, current

SEALED_FOR = "relay-password"


def name_of(smtp: Smtp) -> str:
    """How a relay is called where nobody gave it a name."""
    return f"{smtp.host}:{smtp.port}"


def today(now: datetime) -> date:
    """The day that caps and warm-up count by: UTC, the same for every machine."""
    return now.astimezone(UTC).date()


def ours() -> ColumnElement[bool]:
    """Which relays count: those of the back office, and the one that SMTP_URL names now, not one it named earlier."""
    smtp = current().smtp
    own = Relay.source == Source.OPERATOR
    return own | and_(Relay.source == Source.ENVIRONMENT, Relay.name == name_of(smtp)) if smtp else own


def into_mailbox(session: Session) -> bool:
    """Whether emails go into the built-in mailbox: there is no relay, not even one that is switched off."""
    return current().smtp is None and session.scalar(select(Relay.id).where(ours()).limit(1)) is None


def smtp_of(relay: Relay) -> Smtp | None:
    """How to reach a relay; raises Unsealable when its password was sealed with another SECRET_KEY."""
    if relay.source == Source.ENVIRONMENT:
        return current().smtp
    password = _password(current().secret_key, relay.password) if relay.password else ""
    tls = relay.security == Security.TLS
    starttls = Security.NEVER if tls else relay.security
    return Smtp(relay.host, relay.port, relay.username, password, tls, str(starttls))


@lru_cache(maxsize=32)
def _password(secret: str, sealed: str) -> str:
    return unseal(secret, SEALED_FOR, sealed)


def breaker_of(relay: Relay) -> Breaker:
    """How a relay is doing."""
    return Breaker(*(getattr(relay, part.name) for part in fields(Breaker)))


def cap_of(relay: Relay, now: datetime) -> int | None:
    """How many emails it may be given today; None is without limit."""
    warmup = rules.warmup_cap(relay.warmup_start, relay.warmup_plan, today(now))
    return rules.cap_of(relay.daily_cap, warmup)


def lanes_of(relay: Relay) -> frozenset[Lane]:
    """The lanes it may be given at all."""
    lanes = {Lane.TRANSACTIONAL: relay.at_once, Lane.SEQUENCE: relay.series, Lane.BULK: relay.to_many}
    return frozenset(lane for lane, takes in lanes.items() if takes)


def share_of(relay: Relay) -> float | None:
    """Emails per second that one recipient domain may have; None is without limit."""
    return relay.rate * relay.share / 100 if relay.rate and relay.share else None


def rate_of(relay: Relay, now: datetime) -> float | None:
    """Emails per second at `now`, slow-downs included; None is without limit."""
    halved = rules.halvings(relay.slowness, relay.slowed_at, now)
    return rules.pace_now(relay.rate, halved, rules.SLOW_RELAY)


def mend(relay: Relay, now: datetime) -> None:
    """Forget what was wrong with it: an operator changed something."""
    keep(relay, Breaker(mended_at=now) if relay.problem else Breaker())


def keep(relay: Relay, breaker: Breaker) -> None:
    """Write down how a relay is doing."""
    for name, value in asdict(breaker).items():
        setattr(relay, name, value)
