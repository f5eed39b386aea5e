"""How sending is doing, for the outbox, the overview, the doctor and the metrics: nothing here counts the ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from flask import current_app
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from newsletter.audience.models import Subscriber
from newsletter.delivery.models import ENDED_OR_UNKNOWN, Delivery, Hold, Relay, Tally, in_state
from newsletter.delivery.relay_rows import ours
from newsletter.delivery.rules import PARKED, WAITING, Lane, State

LANE_WORDS = {
    Lane.TRANSACTIONAL: "Confirmations and gifts",
    Lane.SEQUENCE: "The emails of series",
    Lane.BULK: "Emails to many",
}
LANE = "lane:"
RELAY = "relay:"  # tallies of attempts, by relay, stand beside those of emails


@dataclass(frozen=True)
class Held:
    """Something on hold: `what` as the ledger names it, in `words` for people, and whether it is a whole lane."""

    what: str
    words: str
    why: str
    since: datetime
    lane: bool


def reason_words(session: Session, reasons: Iterable[str]) -> dict[str, str]:
    """Why each email is sent, in words: as its own room says it, else as far as the reason tells."""
    rooms: dict[str, Callable[[Session, str], str]] = current_app.extensions.get("reason_words", {})
    words = {}
    for reason in set(reasons):
        tell = rooms.get(reason.partition(":")[0])
        words[reason] = (tell(session, reason) if tell else "") or plain_reason(reason)
    return words


def plain_reason(reason: str) -> str:
    """Why an email is sent, as far as the reason itself tells; rooms know more through `reason_words`."""
    kind, _, rest = reason.partition(":")
    number = rest.partition(":")[0]
    words = {
        "confirm": "Confirmation of a sign-up",
        "reminder": "Reminder to confirm",
        "magnet": f"Gift no. {number}",
        "step": f"Series, step no. {number}",
        "broadcast": f"Email to many, no. {number}",
    }
    return words.get(kind, reason)


def held(session: Session) -> list[Held]:
    """Everything on hold, lanes first."""
    rows = session.scalars(select(Hold).where(Hold.over.is_(False)).order_by(Hold.since)).all()
    words = reason_words(session, [row.what for row in rows if not row.what.startswith(LANE)])
    words |= {f"{LANE}{int(lane)}": told for lane, told in LANE_WORDS.items()}
    found = [Held(row.what, words[row.what], row.why, row.since, row.what.startswith(LANE)) for row in rows]
    return sorted(found, key=lambda one: not one.lane)


def relays(session: Session) -> Sequence[Relay]:
    """The mail servers in use: those of the back office, and the one that SMTP_URL names now."""
    found = select(Relay).where(Relay.enabled, ours())
    return session.scalars(found.order_by(Relay.priority, Relay.id)).all()


def by_lane(session: Session) -> Counter[tuple[Lane, State]]:
    """How many emails of each lane are in each state."""
    found = select(Tally.batch, Tally.state, Tally.count).where(~Tally.batch.startswith(RELAY), Tally.count > 0)
    counted: Counter[tuple[Lane, State]] = Counter()
    for batch, state, count in session.execute(found):
        counted[_lane_of(batch), State(state)] += count
    return counted


def _lane_of(batch: str) -> Lane:
    return Lane(int(batch.removeprefix(LANE))) if batch.startswith(LANE) else Lane.BULK


def totals(session: Session, *, lane: Lane | None = None, reason: str = "") -> dict[State, int]:
    """How many emails are in each state: all, those of one lane, or those of one email to many."""
    if reason:
        found = select(Tally.state, Tally.count).where(Tally.batch == reason, Tally.count > 0)
        return {State(state): count for state, count in session.execute(found)}
    counted: Counter[State] = Counter()
    for (of_lane, state), count in by_lane(session).items():
        if lane in {None, of_lane}:
            counted[state] += count
    return dict(counted)


def attempts_made(session: Session) -> dict[tuple[str, str], int]:
    """How many answers each relay has given, by relay and outcome, since this installation began."""
    found = select(Tally.batch, Tally.state, Tally.count).where(Tally.batch.startswith(RELAY))
    return {(batch.removeprefix(RELAY), state): count for batch, state, count in session.execute(found)}


def oldest_due(session: Session, now: datetime) -> dict[Lane, datetime]:
    """Since when the longest waiting email of each lane is due; lanes where nothing is due are left out."""
    found = {}
    for lane in Lane:
        waiting = in_state(State.PLANNED, State.DEFERRED), Delivery.lane == int(lane)
        due = session.scalar(select(func.min(Delivery.due_at)).where(*waiting))
        if due is not None and due <= now < PARKED:
            found[lane] = due
    return found


def next_out(session: Session, limit: int) -> list[tuple[Delivery, str]]:
    """The emails to single people that go out next, with the readers' addresses; what is on hold is not among them."""
    found: list[tuple[Delivery, str]] = []
    for lane in (Lane.TRANSACTIONAL, Lane.SEQUENCE):  # one by one along the index of what waits: no sorting
        waiting = in_state(State.PLANNED, State.DEFERRED), Delivery.lane == int(lane), Delivery.due_at < PARKED
        rows = select(Delivery, Subscriber.email).join(Subscriber, Subscriber.id == Delivery.subscriber_id)
        rows = rows.where(*waiting).order_by(Delivery.due_at, Delivery.id).limit(limit)
        found += session.execute(rows).all()
    return sorted(found, key=lambda row: row[0].due_at)[:limit]


def to_many_next(session: Session) -> list[tuple[datetime, str, int]]:
    """When the next email to many goes out, and for each its reason and how many wait; without those on hold."""
    waiting = in_state(State.PLANNED, State.DEFERRED), Delivery.lane == int(Lane.BULK), Delivery.due_at < PARKED
    due = session.scalar(select(Delivery.due_at).where(*waiting).order_by(Delivery.due_at, Delivery.id).limit(1))
    if due is None:
        return []
    many = select(Tally.batch, func.sum(Tally.count)).where(Tally.state.in_([*WAITING, State.CLAIMED, State.SENDING]))
    of_many = ~Tally.batch.startswith(LANE), ~Tally.batch.startswith(RELAY)
    on_hold = {hold.what for hold in held(session)}
    found = session.execute(many.where(*of_many).group_by(Tally.batch).having(func.sum(Tally.count) > 0)).all()
    return [(due, batch, int(count)) for batch, count in found if batch not in on_hold]


def stuck(session: Session, now: datetime) -> int:
    """How many emails a worker took and did not finish before its lease ended."""
    over = in_state(State.CLAIMED, State.SENDING), Delivery.lease_until < now
    return session.scalar(select(func.count(Delivery.id)).where(*over)) or 0


def ended_since(session: Session, states: Iterable[State], since: datetime) -> int:
    """How many emails have come to one of these ends since a moment."""
    ended = in_state(*ENDED_OR_UNKNOWN), Delivery.state.in_(list(states)), Delivery.ended_at >= since
    return session.scalar(select(func.count()).select_from(Delivery).where(*ended)) or 0
