"""Which relay an email goes through, and what it may be given: budgets that hold across workers and machines.

Whoever changes anything of a relay locks its row first, in the caller's transaction: two workers never spend the same
second or the same place of a day, and never wait for each other's days and domains in a circle. Who draws from several
relays in one transaction does so in the order of `ways`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from sqlalchemy import Integer, and_, bindparam, case, delete, exists, select, update
from sqlalchemy.orm import Session

from newsletter.delivery import relay_rows
from newsletter.delivery import relay_rules as rules
from newsletter.delivery.models import Relay, RelayDay, RelayDomain, RelaySlot
from newsletter.delivery.relay_rules import Candidate, Health, Pointer, Source
from newsletter.delivery.rules import Lane, Reply
from newsletter.errors import Unsealable
from newsletter.settings import Smtp, current
from newsletter.work.claims import insert_rows

# The built-in mailbox: no row, no budget.
MAILBOX = 0
MAILBOX_NAME = "mailbox"


# Made once: making such a statement costs more than the database takes to do it, and these are asked all the time.
_RELAY = select(Relay).where(Relay.id == bindparam("relay")).with_for_update().execution_options(populate_existing=True)
_PROBLEM = select(Relay.problem).where(Relay.id == bindparam("relay")).with_for_update()
_SLOTS = select(RelaySlot).where(RelaySlot.relay_id == bindparam("relay"))
_DRAWN = RelayDay.drawn + bindparam("more_drawn", type_=Integer)
_ADD = (
    update(RelayDay)
    .where(RelayDay.relay_id == bindparam("relay"), RelayDay.day == bindparam("on"))
    .values(drawn=case((_DRAWN < 0, 0), else_=_DRAWN), accepted=RelayDay.accepted + bindparam("more_accepted"))
)


@dataclass(frozen=True)
class Way:
    """A relay that takes mail now and the lanes that go through it; `smtp` is None for the built-in mailbox.

    `paced` says that some recipient domains have a share or were slowed down: ask `pace` before handing over.
    """

    relay_id: int
    name: str
    smtp: Smtp | None
    lanes: tuple[Lane, ...]
    paced: bool = False
    on_trial: bool = False


@dataclass(frozen=True)
class Draw:
    """What a worker may do now; `again_at` is when to ask again, if it got fewer emails than it wanted."""

    emails: int
    connections: int
    again_at: datetime | None = None


def ways(session: Session, now: datetime) -> list[Way]:
    """The relays that take mail now, the first to be asked in front; to be called in a transaction.

    The built-in mailbox is the only way while no relay is set, and none as soon as there is one: emails that went into
    the mailbox because every relay is switched off would count as sent.
    """
    rows = _relays(session, now)
    if not rows:
        return [Way(MAILBOX, MAILBOX_NAME, None, tuple(Lane))] if relay_rows.into_mailbox(session) else []
    by_id = {relay.id: (relay, slowed) for relay, _, slowed in rows}
    found = []
    for relay_id, lanes in rules.ways_for([_candidate(relay, used, now) for relay, used, _ in rows]).items():
        relay, slowed = by_id[relay_id]
        try:
            smtp = relay_rows.smtp_of(relay)
        except Unsealable as problem:
            failed(session, relay_id, str(problem), now)
            continue
        on_trial = rules.health(relay_rows.breaker_of(relay), now) is Health.TRIAL
        found.append(Way(relay_id, relay.name, smtp, lanes, slowed or relay.share is not None, on_trial))
    return found


def _relays(session: Session, now: datetime) -> list[tuple[Relay, int, bool]]:
    """Every relay in use with how much it was given today, and whether a domain of it was slowed down."""
    mine = current().smtp
    # What is slow recovers by itself, MOST_HALVINGS steps at the longest.
    recent = now - rules.RECOVERY * rules.MOST_HALVINGS
    slowed = exists().where(RelayDomain.relay_id == Relay.id, RelayDomain.slowed_at > recent)
    days = and_(RelayDay.relay_id == Relay.id, RelayDay.day == relay_rows.today(now))
    found = select(Relay, RelayDay.drawn, RelayDay.accepted, slowed).outerjoin(RelayDay, days)
    asked = found.where(Relay.enabled, relay_rows.ours()).execution_options(populate_existing=True)
    rows = [(relay, max(drawn or 0, took or 0), bool(slow)) for relay, drawn, took, slow in session.execute(asked)]
    if mine and not any(relay.source == Source.ENVIRONMENT for relay, _, _ in rows) and keep_in_step(session, now):
        return _relays(session, now)
    return rows


def is_missing(session: Session) -> bool:
    """Whether the relay that SMTP_URL names has no row yet."""
    smtp = current().smtp
    if smtp is None:
        return False
    named = Relay.source == Source.ENVIRONMENT, Relay.name == relay_rows.name_of(smtp)
    return session.scalar(select(Relay.id).where(*named)) is None


def keep_in_step(session: Session, now: datetime) -> bool:
    """Give the relay that SMTP_URL names its row, if it has none; whether that was new.

    A row per name, and each process looks only at its own: two machines whose environments differ do not take turns in
    renaming one. One that is named no more keeps its limits, for the day it comes back.
    """
    smtp = current().smtp
    if smtp is None or not is_missing(session):
        return False
    row = {"name": relay_rows.name_of(smtp), "source": Source.ENVIRONMENT, "host": smtp.host, "port": smtp.port}
    insert_rows(session, Relay, [row | {"created_at": now}], unique=[Relay.source, Relay.name])
    return True


def _candidate(relay: Relay, used: int, now: datetime) -> Candidate:
    health = rules.health(relay_rows.breaker_of(relay), now)
    return Candidate(relay.id, relay.priority, relay_rows.lanes_of(relay), health, relay_rows.cap_of(relay, now), used)


def _locked(session: Session, relay_id: int) -> Relay | None:
    """The relay's newest row, until the transaction ends for nobody else to change."""
    return session.scalar(_RELAY, {"relay": relay_id})


def draw(
    session: Session, relay_id: int, worker: str, wanted: int, now: datetime, *, lane: Lane = Lane.TRANSACTIONAL
) -> Draw:
    """Take up to `wanted` emails from a relay's rate and its day, and connections for them, leased to the worker.

    Drawing again within SLOT_LEASE keeps the connections, also with `wanted` 0. For a `lane` that can wait a little of
    the day is kept back.
    """
    if relay_id == MAILBOX:
        return Draw(wanted, 1)
    relay = _locked(session, relay_id)
    if relay is None or not relay.enabled:
        return Draw(0, 0)
    state = rules.health(relay_rows.breaker_of(relay), now)
    if state is Health.RESTS:
        return Draw(0, 0, relay.retry_at)
    if state is Health.TRIAL:
        if relay.probe_until is not None and now < relay.probe_until < now + 2 * rules.PROBE_PATIENCE:
            return Draw(0, 0, relay.probe_until)
        wanted = min(wanted, rules.PROBE)
    emails, again_at = _spend(session, relay, wanted, lane, now)
    connections = _lease(session, relay, worker, min(emails, 1) if state is Health.TRIAL else emails, now)
    if emails and not connections:
        _return(session, relay, emails, now)
        return Draw(0, 0, now + timedelta(seconds=1))
    if state is Health.TRIAL and emails:
        relay.probe_until, connections = now + rules.PROBE_PATIENCE, 1
    return Draw(emails, connections, again_at)


def _spend(session: Session, relay: Relay, wanted: int, lane: Lane, now: datetime) -> tuple[int, datetime | None]:
    """Take from the day and from the rate; how many, and when there is more if that is fewer than wanted."""
    cap, again_at = relay_rows.cap_of(relay, now), None
    allowed = wanted
    if cap is not None:
        left = rules.left_today(cap, _used(session, relay.id, now), lane) or 0
        if left < wanted:
            allowed, again_at = left, datetime.combine(relay_rows.today(now) + timedelta(days=1), time(), UTC)
    rate = relay_rows.rate_of(relay, now)
    emails, pointer = rules.grant(relay.next_at, rate, allowed, now)
    if rate is not None and emails < allowed:
        again_at = rules.room_at(pointer, rate, now)
    if emails and rate is not None:
        relay.next_at, relay.drawn_at = pointer, now
    if emails and cap is not None:
        _count(session, relay.id, now, drawn=emails)
    return emails, again_at


def _used(session: Session, relay_id: int, now: datetime) -> int:
    """What counts against the day's cap: what was drawn, and what went before there was a cap."""
    day = session.get(RelayDay, (relay_id, relay_rows.today(now)), populate_existing=True)
    return max(day.drawn, day.accepted) if day else 0


def _count(session: Session, relay_id: int, now: datetime, *, drawn: int = 0, accepted: int = 0) -> None:
    """Add to the day's figures."""
    day = relay_rows.today(now)
    more = {"relay": relay_id, "on": day, "more_drawn": drawn, "more_accepted": accepted}
    if not session.connection().execute(_ADD, more).rowcount:
        insert_rows(session, RelayDay, [{"relay_id": relay_id, "day": day}], unique=[RelayDay.relay_id, RelayDay.day])
        session.connection().execute(_ADD, more)


def _lease(session: Session, relay: Relay, worker: str, emails: int, now: datetime) -> int:
    """The connections that the worker may have from now on."""
    rows = session.scalars(_SLOTS, {"relay": relay.id}).all()
    mine = next((row for row in rows if row.worker == worker), None)
    if mine is None and not emails:
        return 0
    others = {row.worker: row.held for row in rows if row.worker != worker and _lives(row, now)}
    told = mine.told if mine is not None and _lives(mine, now) else 0
    held, new = rules.slots(relay.connections, others, worker, told, max(told, emails))
    for row in rows:
        if row.worker not in others and row is not mine:
            session.delete(row)
    if mine is None:
        mine = RelaySlot(relay_id=relay.id, worker=worker, held=held, told=new, lease_until=now)
        session.add(mine)
    # Written only when there is something to say: who waits for the rate asks ten times a second.
    if (mine.held, mine.told) != (held, new) or mine.lease_until - now < rules.SLOT_LEASE * 2 / 3:
        mine.held, mine.told, mine.lease_until = held, new, now + rules.SLOT_LEASE
    return new


def _lives(row: RelaySlot, now: datetime) -> bool:
    return now < row.lease_until < now + rules.SLOT_LEASE + rules.CLOCK_SLACK


def unused(session: Session, relay_id: int, emails: int, now: datetime) -> None:
    """Give back what was drawn and not sent.

    `now` is the moment of the draw as its `now` was. The day gets it back always; the rate as long as nobody has drawn
    since: after that what was kept has passed, and given back it would be a burst too many.
    """
    relay = _locked(session, relay_id) if relay_id != MAILBOX and emails > 0 else None
    if relay is not None:
        _return(session, relay, emails, now)


def _return(session: Session, relay: Relay, emails: int, now: datetime) -> None:
    if not emails:
        return
    rate = relay_rows.rate_of(relay, now)
    if rate is not None and relay.next_at is not None and relay.drawn_at == now:
        relay.next_at -= timedelta(microseconds=math.floor(emails * 1e6 / rate))
    relay.probe_until = None
    if relay_rows.cap_of(relay, now) is not None:
        _count(session, relay.id, now, drawn=-emails)


def release(session: Session, relay_id: int, worker: str) -> None:
    """Free the connections that a worker holds to a relay; it has closed them."""
    session.execute(delete(RelaySlot).where(RelaySlot.relay_id == relay_id, RelaySlot.worker == worker))


def pace(session: Session, relay_id: int, domains: Sequence[str], now: datetime) -> list[datetime | None]:
    """For each email, by its recipient's domain and in order: None to go now, else a moment its domain has room at.

    Asked again at that moment it will find room, as a rule: moments are given out a step apart.
    """
    relay = _locked(session, relay_id) if relay_id != MAILBOX else None
    if relay is None:
        return [None] * len(domains)
    counted = Counter(domains)
    share = relay_rows.share_of(relay)
    rows = _domains(session, relay_id, counted, now, every=share is not None)
    moments: dict[str, Iterator[datetime | None]] = {}
    for domain, row in rows.items():
        rate = rules.pace_now(share, rules.halvings(row.slowness, row.slowed_at, now), rules.SLOW_DOMAIN)
        if rate is None:
            continue
        given, pointer = rules.paced(Pointer(row.next_at, row.tail_at), rate, counted[domain], now)
        row.next_at, row.tail_at = pointer.next_at, pointer.tail_at
        moments[domain] = iter(given)
    return [next(moments[domain]) if domain in moments else None for domain in domains]


def _domains(
    session: Session, relay_id: int, domains: Iterable[str], now: datetime, *, every: bool
) -> dict[str, RelayDomain]:
    """The rows of those domains that are paced, for nobody else to change; in one order, so that no two workers wait
    for each other.
    """
    names = sorted(set(domains))
    if every:
        rows = [{"relay_id": relay_id, "domain": name} for name in names]
        insert_rows(session, RelayDomain, rows, unique=[RelayDomain.relay_id, RelayDomain.domain])
    asked = select(RelayDomain).where(RelayDomain.relay_id == relay_id, RelayDomain.domain.in_(names))
    if not every:
        asked = asked.where(RelayDomain.slowed_at > now - rules.RECOVERY * rules.MOST_HALVINGS)
    asked = asked.order_by(RelayDomain.domain).with_for_update().execution_options(populate_existing=True)
    return {row.domain: row for row in session.scalars(asked)}


def slow_down(session: Session, relay_id: int, domain: str, reply: Reply, now: datetime) -> None:
    """Halve the pace of that domain, or of the whole relay when the answer is about us; it recovers by itself.

    An answer that asks for no such thing changes nothing, so every 4xx may be handed in.
    """
    if relay_id == MAILBOX or not rules.slows_down(reply):
        return
    row: Relay | RelayDomain | None = _locked(session, relay_id)
    if row is not None and reply.about != "session" and domain:
        row = _domains(session, relay_id, [domain], now, every=True).get(domain)
    if row is not None:
        row.slowness, row.slowed_at = rules.slower(row.slowness, row.slowed_at, now)


def failed(session: Session, relay_id: int, problem: str, now: datetime) -> None:
    """The relay cannot be used: it rests, and whoever waits for its connections need not."""
    relay = _locked(session, relay_id) if relay_id != MAILBOX else None
    if relay is not None:
        relay_rows.keep(relay, rules.after_failure(relay_rows.breaker_of(relay), problem, now))


def worked(session: Session, relay_id: int, accepted: int, now: datetime) -> None:
    """The relay took so many emails: counted, and after a failure the proof that it works again."""
    if relay_id == MAILBOX or accepted <= 0:
        return
    problem = session.connection().execute(_PROBLEM, {"relay": relay_id}).scalar()
    if problem is None:
        return  # deleted meanwhile
    _count(session, relay_id, now, accepted=accepted)
    if problem:
        relay = _locked(session, relay_id)
        if relay is not None:
            relay_rows.keep(relay, rules.after_success(relay_rows.breaker_of(relay), accepted, now))


def try_now(session: Session, relay_id: int, now: datetime) -> None:
    """End a relay's rest: its next emails show whether it works."""
    relay = _locked(session, relay_id)
    if relay is not None and relay.problem:
        relay.retry_at, relay.probe_until = now, None
