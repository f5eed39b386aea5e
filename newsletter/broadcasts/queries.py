"""Reads about broadcasts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, case, exists, func, or_, select
from sqlalchemy.orm import Session

from newsletter import addresses
from newsletter.audience import queries as audience
from newsletter.audience.models import Subscriber, SubscriberTag, Tag
from newsletter.audience.queries import Reader
from newsletter.broadcasts.models import Broadcast, Unmakeable
from newsletter.broadcasts.rules import RUNNING, Answers, Audience, BroadcastState, Whom
from newsletter.broadcasts.rules import audience as audience_of
from newsletter.delivery.models import Delivery
from newsletter.delivery.models import Tally as Counter
from newsletter.delivery.rules import State
from newsletter.errors import InputError, NotFound
from newsletter.tracking import queries as tracking
from newsletter.tracking.queries import LinkClicks
from newsletter.web.paging import LIKE_ESCAPE, containing


@dataclass(frozen=True)
class Tally:
    """How a broadcast went so far, in emails."""

    total: int = 0
    planned: int = 0
    under_way: int = 0
    accepted: int = 0
    deferred: int = 0
    rejected: int = 0
    expired: int = 0
    uncertain: int = 0
    canceled: int = 0

    @property
    def waiting(self) -> int:
        """Emails that have not been tried yet."""
        return self.planned + self.under_way

    @property
    def open(self) -> int:
        """Emails that something may still happen to."""
        return self.waiting + self.deferred + self.uncertain

    @property
    def done(self) -> int:
        """Emails that need nothing more."""
        return self.total - self.open

    @property
    def answers(self) -> Answers:
        """What mail servers said for good."""
        return Answers(self.accepted, self.rejected)


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
    """Broadcasts: running first, then queued ones, then drafts, then the others, the latest first."""
    rank = case(
        (Broadcast.state.in_(RUNNING), 0),
        (Broadcast.state == BroadcastState.QUEUED, 1),
        (Broadcast.state == BroadcastState.DRAFT, 2),
        else_=3,
    )
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


def running(session: Session) -> Sequence[Broadcast]:
    """The broadcasts that were started and are not over, as they are in the database now."""
    found = select(Broadcast).where(Broadcast.state.in_(RUNNING)).order_by(Broadcast.id)
    return session.scalars(found.execution_options(populate_existing=True)).all()


def paused(session: Session) -> Sequence[Broadcast]:
    """The broadcasts that wait for an operator's word; `paused_why` says why."""
    found = select(Broadcast).where(Broadcast.state == BroadcastState.PAUSED)
    return session.scalars(found.order_by(Broadcast.paused_at)).all()


def starting(session: Session) -> Sequence[int]:
    """The ids of the broadcasts that are being proved or planned."""
    found = select(Broadcast.id).where(Broadcast.state == BroadcastState.STARTING)
    return session.scalars(found.order_by(Broadcast.started_at, Broadcast.id)).all()


def unswept(session: Session) -> Sequence[int]:
    """The ids of canceled broadcasts of which emails may still wait."""
    found = select(Broadcast.id).where(
        Broadcast.state == BroadcastState.CANCELED, Broadcast.started_at.is_not(None), Broadcast.finished_at.is_(None)
    )
    return session.scalars(found.order_by(Broadcast.id)).all()


def recipients(who: Audience) -> Select[int]:
    """The ids of everyone who may get an email to this audience right now."""
    if who.whom is Whom.PERSON:
        return audience.reachable().where(Subscriber.id == who.person)
    return audience.reachable(who.tag)


def highest_id(session: Session) -> int:
    """The newest subscriber's id; everybody who joins from now on has a higher one."""
    return session.scalar(select(func.max(Subscriber.id))) or 0


def snapshot(broadcast: Broadcast, after_id: int, to_id: int) -> Select[int]:
    """The ids of a started broadcast's readers above `after_id` and up to `to_id`, less those who have left since.

    An old subscriber who confirms, or gets the tag, while the slices go by has joined later as well (semantics 2.12).
    """
    who, at = audience_of(broadcast.audience), broadcast.started_at
    theirs = Subscriber.id > after_id, Subscriber.id <= min(broadcast.through_id, to_id)
    found = audience.reachable().where(*theirs, or_(Subscriber.confirmed_at.is_(None), Subscriber.confirmed_at <= at))
    if who.whom is Whom.PERSON:
        return found.where(Subscriber.id == who.person)
    if who.whom is Whom.ALL:
        return found
    # Asked per reader and within the slice: joined, both databases may walk through all who have the tag, for each
    # slice anew. With half a million tagged that made 200 readers take 0.8 s.
    tag_id = select(Tag.id).where(Tag.name == who.tag).scalar_subquery()
    within = SubscriberTag.subscriber_id > after_id, SubscriberTag.subscriber_id <= to_id
    tagged_then = exists().where(
        SubscriberTag.subscriber_id == Subscriber.id,
        SubscriberTag.tag_id == tag_id,
        SubscriberTag.tagged_at <= at,
        *within,
    )
    return found.where(tagged_then)


def readers(session: Session, broadcast: Broadcast, after_id: int, to_id: int, limit: int) -> list[Reader]:
    """The next readers to prove, at most `limit` and up to `to_id`."""
    columns = [getattr(Subscriber, name) for name in Reader._fields]
    found = snapshot(broadcast, after_id, to_id).with_only_columns(*columns).order_by(Subscriber.id).limit(limit)
    # On the connection: through the session each row would be looked for among the objects it keeps.
    return [Reader._make(row) for row in session.connection().execute(found)]


def unmakeable(session: Session, broadcast_id: int, after_id: int, to_id: int, limit: int) -> Sequence[tuple[int, str]]:
    """The readers among these ids for whom it cannot be made, and why."""
    found = select(Unmakeable.subscriber_id, Unmakeable.why).where(
        Unmakeable.broadcast_id == broadcast_id, Unmakeable.subscriber_id > after_id, Unmakeable.subscriber_id <= to_id
    )
    return [(person, why) for person, why in session.execute(found.order_by(Unmakeable.subscriber_id).limit(limit))]


def commonest_problem(session: Session, broadcast_id: int) -> str:
    """Why it cannot be made for most of those for whom it cannot."""
    found = select(Unmakeable.why).where(Unmakeable.broadcast_id == broadcast_id).group_by(Unmakeable.why)
    return session.scalar(found.order_by(func.count().desc(), Unmakeable.why).limit(1)) or ""


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


def tagged(session: Session, tag: str, subscriber_ids: Sequence[int]) -> set[int]:
    """Those of these people who have the tag."""
    found = (
        select(SubscriberTag.subscriber_id)
        .join(Tag, Tag.id == SubscriberTag.tag_id)
        .where(Tag.name == tag, SubscriberTag.subscriber_id.in_(subscriber_ids))
    )
    return set(session.scalars(found))


def person_by_address(session: Session, typed: str) -> Subscriber:
    """The subscriber an operator names by address; raises InputError when nobody may be written to under it."""
    person = audience.by_address(session, addresses.parse(typed))
    if person is None:
        raise InputError("Nobody with this address is subscribed.", remedy="Check the spelling, or see Subscribers.")
    return person


def tallies(session: Session, broadcast_ids: Iterable[int]) -> dict[int, Tally]:
    """How broadcasts went, by id; one that has not started has an empty tally."""
    reasons = {reason_of(broadcast_id): broadcast_id for broadcast_id in broadcast_ids}
    kept = select(Counter.batch, Counter.state, Counter.count).where(Counter.batch.in_(reasons))
    by_id: dict[int, dict[str, int]] = {broadcast_id: {} for broadcast_id in reasons.values()}
    for reason, state, number in session.execute(kept):
        by_id[reasons[reason]][state] = number
    # Those of the first version, which kept no tallies, are counted row by row.
    bare = [reason for reason, broadcast_id in reasons.items() if not by_id[broadcast_id]]
    counted = select(Delivery.reason, Delivery.state, func.count()).where(Delivery.reason.in_(bare))
    for reason, state, number in session.execute(counted.group_by(Delivery.reason, Delivery.state)) if bare else ():
        by_id[reasons[reason]][state] = number
    return {broadcast_id: _tally(counts) for broadcast_id, counts in by_id.items()}


def tally_of(session: Session, broadcast_id: int) -> Tally:
    """How one broadcast went."""
    return tallies(session, [broadcast_id])[broadcast_id]


def _tally(counts: dict[str, int]) -> Tally:
    return Tally(
        total=sum(counts.values()),
        planned=counts.get(State.PLANNED, 0),
        under_way=counts.get(State.CLAIMED, 0) + counts.get(State.SENDING, 0),
        accepted=counts.get(State.ACCEPTED, 0),
        deferred=counts.get(State.DEFERRED, 0),
        rejected=counts.get(State.REJECTED, 0),
        expired=counts.get(State.EXPIRED, 0),
        uncertain=counts.get(State.UNKNOWN, 0),
        canceled=counts.get(State.CANCELED, 0),
    )


def delivery_ids(session: Session, broadcast_id: int, subscriber_ids: Iterable[int]) -> Sequence[tuple[int, int]]:
    """The ledger rows of some recipients, as (subscriber id, delivery id)."""
    found = select(Delivery.subscriber_id, Delivery.id).where(
        Delivery.reason == reason_of(broadcast_id), Delivery.subscriber_id.in_(list(subscriber_ids))
    )
    return [(person, delivery) for person, delivery in session.execute(found)]


@dataclass(frozen=True)
class Pressed:
    """Which links of a broadcast its readers pressed, the one with the most readers first, and how many did at all."""

    readers: int
    links: list[LinkClicks]


def pressed(session: Session, broadcast_id: int) -> Pressed:
    """What readers pressed so far; reads every click of the broadcast, so it is for a page and not for a poll."""
    theirs = select(Delivery.id).where(Delivery.reason == reason_of(broadcast_id))
    links = tracking.clicks_by_link(session, theirs)
    return Pressed(tracking.readers_who_clicked(session, theirs) if links else 0, links)


def reason_words(session: Session, reason: str) -> str:
    """Why an email of a broadcast was sent, for the outbox."""
    number = reason.partition(":")[2]
    broadcast = session.get(Broadcast, int(number)) if number.isdecimal() else None
    if broadcast is None:
        return ""
    who = audience_of(broadcast.audience)
    whom = {Whom.ALL: "everybody", Whom.TAG: f"everybody tagged {who.tag}", Whom.PERSON: "this one person"}[who.whom]
    return f"“{broadcast.subject}”, written to {whom}"
