"""The ledger as an operator reads it: lists that stay quick with a million emails, and words for reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, TextClause, exists, func, literal, or_, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from newsletter import addresses
from newsletter.audience.models import Subscriber
from newsletter.delivery import health
from newsletter.delivery.models import ENDED_OR_UNKNOWN, Delivery, MailboxMessage, Tally, in_state
from newsletter.delivery.rules import ENDED, Lane, State
from newsletter.errors import InputError, NotFound
from newsletter.web.paging import LIKE_ESCAPE, containing

KINDS = {
    "confirm": "Confirmation",
    "reminder": "Reminder",
    "magnet": "Gift",
    "step": "Series",
    "broadcast": "Email to many",
}
LANES: dict[int, str] = {Lane.TRANSACTIONAL: "At once", Lane.SEQUENCE: "Series", Lane.BULK: "To many"}

PAGE = 25
# A search looks through this many emails at a time (some 100 ms), however many there are; then it asks to go on.
LOOK = 100_000
PEOPLE = 200  # when so few people's addresses fit a search, all their emails are found by an index
RECENT = 12  # batches offered as a filter


@dataclass(frozen=True)
class Filters:
    """What an operator asks to see; an empty or nonsensical one lets all through. `reason` is a whole batch."""

    state: str = ""
    lane: str = ""
    kind: str = ""
    reason: str = ""
    search: str = ""

    @property
    def one_lane(self) -> Lane | None:
        """The lane asked for, None for any."""
        return Lane(int(self.lane)) if self.lane in {str(int(lane)) for lane in Lane} else None


@dataclass(frozen=True)
class Page:
    """One page of the list; `older` is where the next one begins (empty: nowhere), `looked` that it was a search
    that stopped after LOOK emails and may find more further on."""

    rows: Sequence[tuple[Delivery, str]]
    older: str = ""
    looked: bool = False


@dataclass(frozen=True)
class _Walk:
    """A way through the ledger along an index: rows of `where`, in the order of `keys`."""

    keys: tuple[InstrumentedAttribute[Any], ...]
    descending: bool
    where: tuple[ColumnElement[bool] | TextClause, ...] = ()
    ahead: tuple[InstrumentedAttribute[Any], ...] = ()  # of the index, but the same in all these rows

    def select(self, *columns: Any) -> Select[Any]:
        order = [key.desc() if self.descending else key.asc() for key in (*self.ahead, *self.keys)]
        return select(*columns).where(*self.where).order_by(*order)

    def beyond(self, after: tuple[Any, ...]) -> ColumnElement[bool]:
        here = tuple_(*self.keys)
        there = tuple_(*(literal(value, key.type) for value, key in zip(after, self.keys, strict=True)))
        return here < there if self.descending else here > there

    def until(self, last: tuple[Any, ...]) -> ColumnElement[bool]:
        here = tuple_(*self.keys)
        there = tuple_(*(literal(value, key.type) for value, key in zip(last, self.keys, strict=True)))
        return here >= there if self.descending else here <= there

    def read(self, typed: str) -> tuple[Any, ...] | None:
        """The place that a `cursor` names; None for nonsense."""
        parts = typed.split("~")
        if len(parts) != len(self.keys):
            return None
        try:
            return tuple(_value(key, part) for key, part in zip(self.keys, parts, strict=True))
        except ValueError:
            return None


def _value(key: InstrumentedAttribute[Any], text: str) -> Any:
    if key.type.python_type is not int:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError(text)
        return moment
    if not text.isascii() or not 0 <= int(text) < 2**31:
        raise ValueError(text)
    return int(text)


def cursor(values: Sequence[Any]) -> str:
    """A place in a list, as it stands in an address."""
    return "~".join(value.isoformat() if isinstance(value, datetime) else str(value) for value in values)


def _by_state(state: State) -> _Walk:
    """Along the partial index that holds this state; each names its rows just as the index does."""
    exactly = Delivery.state == state
    if state is State.PLANNED:
        where = (in_state(State.PLANNED, State.DEFERRED), exactly)
        return _Walk((Delivery.lane, Delivery.due_at, Delivery.id), False, where)  # as they will go out
    if state is State.DEFERRED:
        return _Walk((Delivery.first_tried_at, Delivery.id), False, (in_state(State.DEFERRED),))
    if state in ENDED:
        return _Walk((Delivery.ended_at, Delivery.id), True, (in_state(*ENDED_OR_UNKNOWN), exactly))
    if state is State.UNKNOWN:
        never = Delivery.ended_at.is_(None)
        return _Walk((Delivery.id,), True, (in_state(*ENDED_OR_UNKNOWN), exactly, never), (Delivery.ended_at,))
    return _Walk((Delivery.lease_until, Delivery.id), False, (in_state(State.CLAIMED, State.SENDING), exactly))


def _walk(session: Session, asked: Filters) -> _Walk:
    """The shortest way to what is asked: along the state, along the batch, or along everything, latest first."""
    state = State(asked.state) if asked.state in set(State) else None
    if state is None and not asked.reason:
        return _Walk((Delivery.id,), True)
    batch = _Walk((Delivery.subscriber_id,), True, (Delivery.reason == asked.reason,))
    if state is None:
        return batch
    of_batch = sum(health.totals(session, reason=asked.reason).values()) if asked.reason else 0
    return batch if 0 < of_batch < health.totals(session).get(state, 0) else _by_state(state)


def _conditions(session: Session, asked: Filters) -> tuple[list[ColumnElement[bool]], bool]:
    """What rows must be like, and whether they have to be looked at one by one for it."""
    where: list[ColumnElement[bool]] = []
    if asked.state in set(State):
        where.append(Delivery.state == asked.state)
    if asked.one_lane is not None:
        where.append(Delivery.lane == int(asked.one_lane))
    if asked.kind in KINDS:
        where.append(Delivery.reason.startswith(f"{asked.kind}:"))
    if asked.reason:
        # Not the bare column: SQLite would take the index of a whole batch for the shortest way to its few of a state.
        where.append(Delivery.reason.concat("") == asked.reason)
    one_by_one = asked.one_lane is not None or asked.kind in KINDS or bool(asked.state and asked.reason)
    if not asked.search:
        return where, one_by_one
    people = _people(session, asked.search)
    theirs = _theirs(asked.search) if people is None else Delivery.subscriber_id.in_(people)
    if "@" in asked.search:  # an address; the emails of a few people are found by an index of their own
        return [*where, theirs], people is None
    subject = Delivery.subject.ilike(containing(asked.search), escape=LIKE_ESCAPE)
    return [*where, or_(theirs, subject)], True


def _people(session: Session, search: str) -> Sequence[int] | None:
    """Whose address is that, or contains it; the whole one is looked up, a part is looked for. None: too many."""
    try:
        exact = session.scalars(select(Subscriber.id).where(Subscriber.email_key == addresses.parse(search).key)).all()
        if exact:
            return exact
    except InputError:
        pass  # half an address is a search like any other
    found = session.scalars(select(Subscriber.id).where(_fits(Subscriber, search)).limit(PEOPLE + 1)).all()
    return None if len(found) > PEOPLE else found


def _theirs(search: str) -> ColumnElement[bool]:
    them = aliased(Subscriber)
    return exists().where(them.id == Delivery.subscriber_id, _fits(them, search))


def _fits(person: type[Subscriber], search: str) -> ColumnElement[bool]:
    # The key is in lower case: comparing without case costs PostgreSQL two seconds for a million people.
    return person.email_key.like(containing(search.lower()), escape=LIKE_ESCAPE)


def page(session: Session, asked: Filters, after: str = "") -> Page:
    """The emails that are asked for, from the place `after` on.

    No list counts or skips rows: it goes on along an index, and a filter no index helps with looks through LOOK
    emails at most.
    """
    walk = _walk(session, asked)
    place = walk.read(after)
    bounds = [walk.beyond(place)] if place else []
    where, one_by_one = _conditions(session, asked)
    last = _last_place(session, walk, bounds) if one_by_one else None
    if last:
        bounds.append(walk.until(last))
    found = walk.select(Delivery, Subscriber.email).join(Subscriber, Subscriber.id == Delivery.subscriber_id)
    rows = session.execute(found.where(*bounds, *where).limit(PAGE + 1)).all()
    if len(rows) > PAGE:
        rows = rows[:PAGE]
        return Page(rows, cursor([getattr(rows[-1][0], key.key) for key in walk.keys]))
    return Page(rows, cursor(last), looked=True) if last else Page(rows)


def _last_place(session: Session, walk: _Walk, bounds: list[ColumnElement[bool]]) -> tuple[Any, ...] | None:
    """Where a search stops for now; None when it may go to the end."""
    found = session.execute(walk.select(*walk.keys).where(*bounds).offset(LOOK - 1).limit(1)).one_or_none()
    return None if found is None else tuple(found)


def batches(session: Session) -> list[str]:
    """The emails to many sent last, as their reasons."""
    found = select(Tally.batch).where(Tally.batch.startswith("broadcast:")).group_by(Tally.batch)
    # As numbers: as texts broadcast:9 comes after broadcast:10.
    return list(session.scalars(found.order_by(func.length(Tally.batch).desc(), Tally.batch.desc()).limit(RECENT)))


def uncertain(session: Session, asked: Filters, after: int = 0, limit: int = 1000) -> Sequence[int]:
    """The ids of uncertain emails that fit, in the order of their ids from `after` on."""
    walk = _by_state(State.UNKNOWN)
    found = select(Delivery.id).where(*walk.where, *_conditions(session, asked)[0], Delivery.id > after)
    return session.scalars(found.order_by(Delivery.ended_at, Delivery.id).limit(limit)).all()


def still_uncertain(session: Session, delivery_ids: Sequence[int]) -> list[int]:
    """Those of these emails that are uncertain, in the order of their ids."""
    walk = _by_state(State.UNKNOWN)
    found = select(Delivery.id).where(*walk.where, Delivery.id.in_(delivery_ids)).order_by(Delivery.id)
    return list(session.scalars(found))


def count_uncertain(session: Session, asked: Filters) -> int:
    """How many uncertain emails fit."""
    walk = _by_state(State.UNKNOWN)
    return session.scalar(select(func.count(Delivery.id)).where(*walk.where, *_conditions(session, asked)[0])) or 0


def some(session: Session, delivery_ids: Sequence[int]) -> Sequence[tuple[Delivery, str]]:
    """These emails with their readers' addresses."""
    found = select(Delivery, Subscriber.email).join(Subscriber, Subscriber.id == Delivery.subscriber_id)
    return session.execute(found.where(Delivery.id.in_(delivery_ids)).order_by(Delivery.id)).all()


def find(session: Session, delivery_id: int) -> tuple[Delivery, Subscriber]:
    """One email and its reader; raises NotFound."""
    wanted = select(Delivery, Subscriber).join(Subscriber, Subscriber.id == Delivery.subscriber_id)
    row = session.execute(wanted.where(Delivery.id == delivery_id)).one_or_none()
    if row is None:
        raise NotFound("There is no such email in the outbox.", remedy="Look for it in the list.")
    return row


def in_mailbox(session: Session, message_id: str) -> int | None:
    """The built-in mailbox's id of an email, when it went there."""
    return session.scalar(select(MailboxMessage.id).where(MailboxMessage.message_id == message_id))
