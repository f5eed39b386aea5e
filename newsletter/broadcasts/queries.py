"""Reads about broadcasts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, case, func, select
from sqlalchemy.orm import Session

from newsletter import addresses
from newsletter.audience import queries as audience
from newsletter.audience.models import Subscriber, SubscriberTag, Tag
from newsletter.broadcasts.models import Broadcast
from newsletter.broadcasts.rules import Audience, BroadcastState, Whom
from newsletter.broadcasts.rules import audience as audience_of
from newsletter.delivery.models import Delivery
from newsletter.delivery.rules import State
from newsletter.errors import InputError, NotFound
from newsletter.web.paging import LIKE_ESCAPE, containing

WAITING = frozenset({State.PLANNED, State.CLAIMED, State.SENDING})


@dataclass(frozen=True)
class Tally:
    """How a broadcast went so far, in emails."""

    total: int = 0
    waiting: int = 0
    accepted: int = 0
    deferred: int = 0
    rejected: int = 0
    uncertain: int = 0
    canceled: int = 0

    @property
    def done(self) -> int:
        """Emails that need nothing more."""
        return self.total - self.waiting - self.deferred - self.uncertain


def reason_of(broadcast_id: int) -> str:
    """The ledger's reason for every email of a broadcast."""
    return f"broadcast:{broadcast_id}"


def find(session: Session, broadcast_id: int) -> Broadcast:
    """The broadcast with that id, as it is in the database now; raises NotFound."""
    found = session.get(Broadcast, broadcast_id, populate_existing=True)
    if found is None:
        raise NotFound("There is no such email.", remedy="It may have been deleted; look in the list.")
    return found


def listed(*, search: str, state: str) -> Select[Broadcast]:
    """Broadcasts: queued first, then drafts, then the others, the latest first."""
    rank = case((Broadcast.state == BroadcastState.QUEUED, 0), (Broadcast.state == BroadcastState.DRAFT, 1), else_=2)
    found = select(Broadcast).order_by(rank, Broadcast.started_at.desc(), Broadcast.id.desc())
    if state in set(BroadcastState):
        found = found.where(Broadcast.state == state)
    if search:
        found = found.where(Broadcast.subject.ilike(containing(search), escape=LIKE_ESCAPE))
    return found


def latest(session: Session, limit: int) -> Sequence[Broadcast]:
    """The broadcasts written last, as starting points for the next."""
    return session.scalars(select(Broadcast).order_by(Broadcast.id.desc()).limit(limit)).all()


def due(session: Session, now: datetime) -> Sequence[int]:
    """The ids of queued broadcasts whose moment has come."""
    found = select(Broadcast.id).where(Broadcast.state == BroadcastState.QUEUED, Broadcast.send_at <= now)
    return session.scalars(found.order_by(Broadcast.send_at, Broadcast.id)).all()


def recipients(who: Audience) -> Select[int]:
    """The ids of everyone who may get an email to this audience right now."""
    if who.whom is Whom.PERSON:
        return audience.reachable().where(Subscriber.id == who.person)
    return audience.reachable(who.tag)


def count(session: Session, who: Audience) -> int:
    """How many people an audience has right now."""
    return session.scalar(select(func.count()).select_from(recipients(who).subquery())) or 0


def count_by_tag(session: Session) -> Sequence[tuple[str, int]]:
    """Every tag with how many of its people may get a broadcast."""
    found = (
        select(Tag.name, func.count(SubscriberTag.subscriber_id))
        .join(SubscriberTag, SubscriberTag.tag_id == Tag.id)
        .where(SubscriberTag.subscriber_id.in_(audience.reachable()))
        .group_by(Tag.name)
        .order_by(Tag.name)
    )
    return [(name, number) for name, number in session.execute(found)]


def people_after(session: Session, who: Audience, after_id: int, limit: int) -> Sequence[Subscriber]:
    """The next people of an audience in the order of their ids, for going through all of them in pieces."""
    found = select(Subscriber).where(Subscriber.id.in_(recipients(who)), Subscriber.id > after_id)
    return session.scalars(found.order_by(Subscriber.id).limit(limit)).all()


def tags_of(session: Session, subscriber_ids: Iterable[int]) -> dict[int, list[str]]:
    """The tags of several people at once."""
    found = (
        select(SubscriberTag.subscriber_id, Tag.name)
        .join(Tag, Tag.id == SubscriberTag.tag_id)
        .where(SubscriberTag.subscriber_id.in_(list(subscriber_ids)))
        .order_by(Tag.name)
    )
    names: dict[int, list[str]] = defaultdict(list)
    for subscriber_id, name in session.execute(found):
        names[subscriber_id].append(name)
    return names


def person_by_address(session: Session, typed: str) -> Subscriber:
    """The subscriber an operator names by address; raises InputError when nobody may be written to under it."""
    person = audience.by_address(session, addresses.parse(typed))
    if person is None:
        raise InputError("Nobody with this address is subscribed.", remedy="Check the spelling, or see Subscribers.")
    return person


def sample(first_name: str) -> Subscriber:
    """A made-up reader for previews, who is in no session."""
    email, last_name = "alice@example.org", "Example" if first_name else ""
    return Subscriber(id=0, email=email, first_name=first_name, last_name=last_name, timezone="", fields={})


def double_of(person: Subscriber) -> Subscriber:
    """A reader's likeness for previews; its id 0 makes every link in the preview one that changes nothing."""
    return Subscriber(
        id=0,
        email=person.email,
        first_name=person.first_name,
        last_name=person.last_name,
        timezone=person.timezone,
        fields=person.fields,
    )


def tallies(session: Session, broadcast_ids: Iterable[int]) -> dict[int, Tally]:
    """How broadcasts went, by id; one that has not started has an empty tally."""
    ids = list(broadcast_ids)
    reasons = {reason_of(broadcast_id): broadcast_id for broadcast_id in ids}
    found = (
        select(Delivery.reason, Delivery.state, func.count())
        .where(Delivery.reason.in_(reasons))
        .group_by(Delivery.reason, Delivery.state)
    )
    by_id: dict[int, dict[str, int]] = {broadcast_id: {} for broadcast_id in ids}
    for reason, state, number in session.execute(found):
        by_id[reasons[reason]][state] = number
    return {broadcast_id: _tally(counts) for broadcast_id, counts in by_id.items()}


def _tally(counts: dict[str, int]) -> Tally:
    return Tally(
        total=sum(counts.values()),
        waiting=sum(counts.get(state, 0) for state in WAITING),
        accepted=counts.get(State.ACCEPTED, 0),
        deferred=counts.get(State.DEFERRED, 0),
        rejected=counts.get(State.REJECTED, 0) + counts.get(State.EXPIRED, 0),
        uncertain=counts.get(State.UNKNOWN, 0),
        canceled=counts.get(State.CANCELED, 0),
    )


def delivery_ids(session: Session, broadcast_id: int, subscriber_ids: Iterable[int]) -> Sequence[tuple[int, int]]:
    """The ledger rows of some recipients, as (subscriber id, delivery id)."""
    found = select(Delivery.subscriber_id, Delivery.id).where(
        Delivery.reason == reason_of(broadcast_id), Delivery.subscriber_id.in_(list(subscriber_ids))
    )
    return [(person, delivery) for person, delivery in session.execute(found)]


def reason_words(session: Session, reason: str) -> str:
    """Why an email of a broadcast was sent, for the outbox."""
    number = reason.partition(":")[2]
    broadcast = session.get(Broadcast, int(number)) if number.isdecimal() else None
    if broadcast is None:
        return ""
    who = audience_of(broadcast.audience)
    whom = {Whom.ALL: "everybody", Whom.TAG: f"everybody tagged {who.tag}", Whom.PERSON: "this one person"}[who.whom]
    return f"“{broadcast.subject}”, written to {whom}"
