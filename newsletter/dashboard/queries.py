"""Figures from everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, case, func, select
from sqlalchemy.orm import Session

from newsletter.accounts.models import Studio
from newsletter.audience.models import Subscriber
from newsletter.audience.rules import Status
from newsletter.broadcasts import queries as broadcasts_queries
from newsletter.broadcasts.models import Broadcast
from newsletter.broadcasts.rules import BroadcastState
from newsletter.dashboard.rules import Day, Health, plural
from newsletter.delivery import health as delivery_health
from newsletter.delivery import overdue, relay_rows
from newsletter.delivery.rules import State
from newsletter.landing.models import Comment
from newsletter.landing.rules import CommentState
from newsletter.magnets.models import Download, Magnet
from newsletter.sequences.models import Enrollment
from newsletter.sequences.models import Sequence as Series
from newsletter.sequences.rules import EnrollmentState
from newsletter.settings import Settings
from newsletter.work import heartbeats

WAITING = (State.PLANNED, State.CLAIMED, State.SENDING)
COMING = 6  # rows of what goes out next


@dataclass(frozen=True)
class Week:
    """What happened since a moment."""

    signed_up: int
    confirmed: int
    sent: int
    downloads: int


@dataclass(frozen=True)
class Coming:
    """An email that goes out next; `who` is empty when it goes to many, or says how many still wait for it."""

    at: datetime
    what: str
    who: str
    url: str


def week(session: Session, since: datetime) -> Week:
    """Sign-ups, confirmations, emails sent and downloads since a moment."""
    return Week(
        signed_up=_count(session, Subscriber.created_at >= since),
        confirmed=_count(session, Subscriber.confirmed_at >= since),
        sent=delivery_health.ended_since(session, [State.ACCEPTED], since),
        downloads=_count(session, Download.at >= since),
    )


def _count(session: Session, *where: ColumnElement[bool]) -> int:
    return session.scalar(select(func.count()).where(*where)) or 0


def people(session: Session) -> dict[str, int]:
    """How many people have each status."""
    grouped = select(Subscriber.status, func.count()).group_by(Subscriber.status)
    return {str(status): count for status, count in session.execute(grouped)}


def waiting(session: Session) -> int:
    """How many emails are planned or on their way."""
    counted = delivery_health.totals(session)
    return sum(counted.get(state, 0) for state in WAITING)


def per_day(session: Session, days: Sequence[Day]) -> list[tuple[int, int]]:
    """How many signed up on each day, and how many of these have confirmed since."""
    # One pass with a sum per day: grouping by a zone's calendar day is where the two databases differ.
    confirmed = Subscriber.confirmed_at.is_not(None)
    columns = [column for day in days for column in (_sum_of(_within(day)), _sum_of(_within(day), confirmed))]
    row = session.execute(select(*columns).where(Subscriber.created_at >= days[0].start)).one()
    return [(row[at], row[at + 1]) for at in range(0, 2 * len(days), 2)]


def _within(day: Day) -> ColumnElement[bool]:
    return and_(Subscriber.created_at >= day.start, Subscriber.created_at < day.end)


def _sum_of(*conditions: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((and_(*conditions), 1), else_=0)), 0)


def coming(session: Session) -> list[Coming]:
    """What goes out next: planned emails, steps of series that fall due, queued emails to many."""
    found = [*_planned(session), *_steps(session), *_queued(session)]
    return sorted(found, key=lambda row: row.at)[:COMING]


def _planned(session: Session) -> list[Coming]:
    to_one = delivery_health.next_out(session, COMING)
    to_many = delivery_health.to_many_next(session)
    reasons = [*(row.reason for row, _ in to_one), *(reason for _, reason, _ in to_many)]
    words = delivery_health.reason_words(session, reasons)
    told = [Coming(row.due_at, words[row.reason], email, f"/admin/ledger/{row.id}") for row, email in to_one]
    for at, reason, many in to_many:
        url = f"/admin/ledger?reason={reason}"
        told.append(Coming(at, words[reason], plural(many, "more reader", "more readers"), url))
    return told


def _steps(session: Session) -> list[Coming]:
    rows = session.execute(
        select(Enrollment.next_due_at, Series.name, Subscriber.email, Subscriber.id)
        .join(Series, Series.id == Enrollment.sequence_id)
        .join(Subscriber, Subscriber.id == Enrollment.subscriber_id)
        .where(Enrollment.state == EnrollmentState.ACTIVE, Enrollment.next_due_at.is_not(None))
        .where(Enrollment.held_at.is_(None))
        .order_by(Enrollment.next_due_at)
        .limit(COMING)
    )
    return [
        Coming(at, f"Next of “{name}”", email, f"/admin/subscribers/{person}") for at, name, email, person in rows if at
    ]


def _queued(session: Session) -> list[Coming]:
    queued = select(Broadcast).where(Broadcast.state == BroadcastState.QUEUED, Broadcast.send_at.is_not(None))
    rows = session.scalars(queued.order_by(Broadcast.send_at).limit(COMING))
    return [Coming(row.send_at, row.subject, "", f"/admin/broadcasts/{row.id}") for row in rows if row.send_at]


def health(session: Session, studio: Studio, settings: Settings, now: datetime) -> Health:
    """How everything is, for the warnings."""
    by_state = delivery_health.totals(session)
    broken = select(Magnet.title, Magnet.press_error).where(Magnet.press_error != "")
    stuck = select(Broadcast.subject, Broadcast.problem).where(
        Broadcast.problem != "", Broadcast.state.in_((BroadcastState.DRAFT, BroadcastState.QUEUED))
    )
    return Health(
        now=now,
        smtp=not relay_rows.into_mailbox(session),
        local=settings.is_local,
        postal_address=bool(studio.postal_address or settings.postal_address),
        last_beat=heartbeats.last_beat(session),
        relays=[(relay.name, relay.problem) for relay in delivery_health.relays(session) if relay.problem],
        relays_left=any(not relay.problem for relay in delivery_health.relays(session)),
        uncertain=by_state.get(State.UNKNOWN, 0),
        series_paused=studio.series_paused_at is not None,
        overdue=overdue.count(session),
        retried=by_state.get(State.DEFERRED, 0),
        refused_lately=delivery_health.ended_since(session, [State.REJECTED], now - timedelta(days=7)),
        paused=[(row.id, row.subject, row.paused_why) for row in broadcasts_queries.paused(session)],
        held_comments=_count(session, Comment.state == CommentState.HELD),
        broken_magnets=[(title, problem) for title, problem in session.execute(broken)],
        broken_broadcasts=[(subject, problem) for subject, problem in session.execute(stuck)],
    )


def anybody(session: Session) -> bool:
    """Whether there is any subscriber yet."""
    return session.scalar(select(Subscriber.id).where(Subscriber.status != Status.ERASED).limit(1)) is not None
