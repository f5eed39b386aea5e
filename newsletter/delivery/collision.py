"""When marketing emails meet: one per reader and local day, the others move (semantics 3.17); and what is too late.

Asked of a batch before it is made. A batch whose readers get nothing else costs three short questions to the database.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, cast

from flask import current_app
from sqlalchemy import Row, String, bindparam, func, select, union_all
from sqlalchemy.orm import Session

from newsletter.accounts import queries as accounts
from newsletter.accounts.models import Studio
from newsletter.civil import zone_of
from newsletter.database.engine import transaction
from newsletter.delivery import days, health, machine, queries, routing
from newsletter.delivery.composing import Draft, Drafts
from newsletter.delivery.days import Gone, Mail
from newsletter.delivery.letters import Later
from newsletter.delivery.models import Delivery, Event, in_state
from newsletter.delivery.rules import OVERDUE, EventKind, Lane, State
from newsletter.work.claims import among, among_given, kind_of, listed

# What a room has for these readers before a moment that is not in the ledger yet: when it is due, and its reason.
Coming = Callable[[Session, Sequence[int], datetime], Mapping[int, Sequence[tuple[datetime, str]]]]

# No local day is longer, not even one on which a place goes over the date line.
LONGEST_DAY = timedelta(hours=49)
# What is only coming stands behind whatever the ledger has.
NOT_YET = 1 << 62


@dataclass(frozen=True)
class Claims:
    """Emails that have won a day, by id, with those that other lines of workers hold for the same reader and day."""

    rivals: Mapping[int, Sequence[tuple[int, str]]]
    studio: Studio


def meet(session: Session, drafts: Drafts, now: datetime) -> tuple[Drafts, Claims | None]:
    """These drafts, with `Later` in the place of those that cannot go now: too late, or not the first on their day.

    `settle` writes that down, once this reading is over.
    """
    mine = _marketing(drafts)
    if not mine:
        return drafts, None
    studio = accounts.studio(session)
    held = _held(mine, now, studio.overdue_hours)
    drafts = drafts | held if held else drafts
    return _one_a_day(session, drafts, studio, now) if studio.one_a_day else (drafts, None)


def _marketing(drafts: Drafts) -> list[Draft]:
    return [draft for draft in drafts.values() if isinstance(draft, Draft) and draft.letter.marketing]


def _held(mine: Iterable[Draft], now: datetime, hours: int) -> dict[int, Later]:
    """Emails of series that are long overdue wait for the operator (semantics 3.16).

    Not emails to many: a slow relay, a daily cap or a warm-up spreads those over days on purpose.
    """
    ones = [draft.claimed for draft in mine if draft.claimed.lane == Lane.SEQUENCE]
    why = Later(OVERDUE, f"More than {hours} hours late, so it waits for you.")
    return {one.id: why for one in ones if days.is_overdue(one.due_at, now, hours)}


def _one_a_day(session: Session, drafts: Drafts, studio: Studio, now: datetime) -> tuple[Drafts, Claims | None]:
    mine = _marketing(drafts)
    others, coming = _others(session, mine, drafts, now), _coming(session, mine, studio, now)
    meeting: dict[int, list[Draft]] = defaultdict(list)
    for draft in mine:
        meeting[draft.reader.id].append(draft)
    crowded = {one for one, some in meeting.items() if len(some) > 1 or one in others or one in coming}
    if not crowded:
        return drafts, None
    some = [draft for draft in mine if draft.reader.id in crowded]
    first_due, insisted = _moved_from(session, some), _insisted(session, some)
    stopped = frozenset(hold.what for hold in queries.holds(session))
    later: dict[int, days.Later] = {}
    rivals: dict[int, list[tuple[int, str]]] = {}
    for one in crowded:
        table = _Table(studio, stopped, others.get(one, ()), coming.get(one, ()), now)
        for mail, draft in table.in_order(meeting[one], first_due):
            verdict = None if draft.claimed.id in insisted else table.ask(mail, draft)
            if verdict is not None:
                later[draft.claimed.id] = verdict
                continue
            table.gone.append((now, mail.label))
            if behind := table.behind(mail):
                rivals[draft.claimed.id] = behind
    moved = _in_words(session, {one.claimed.id: one for one in some}, later, first_due, studio)
    return drafts | moved, Claims(rivals, studio) if rivals else None


class _Table:
    """What one reader's emails that are due now meet."""

    def __init__(
        self,
        studio: Studio,
        stopped: Set[str],
        others: Iterable[Row[Any]],
        coming: Iterable[tuple[datetime, str]],
        now: datetime,
    ) -> None:
        self.first, self.studio_zone, self.now = studio.first, studio.timezone, now
        self.stopped, self.hours = stopped, studio.overdue_hours
        self.gone: list[Gone] = []
        self.claimed: list[Mail] = []
        self.waiting: list[Mail] = []
        self.coming = [mail for mail in (self._coming(at, reason) for at, reason in coming) if not self._held(mail)]
        for row in others:
            mail = Mail(row.lane, row.due_at, row.moved_from or row.due_at, row.id, row.reason)
            if row.state not in {State.PLANNED, State.DEFERRED, State.CLAIMED}:
                uncertain = row.tried_at if row.state == State.UNKNOWN else now
                self.gone.append((row.accepted_at or uncertain, row.reason))
            elif not self._held(mail):
                (self.claimed if row.state == State.CLAIMED else self.waiting).append(mail)

    def _held(self, mail: Mail) -> bool:
        """Whether an operator has to say a word before it goes: until then it takes no day."""
        late = mail.lane == Lane.SEQUENCE and days.is_overdue(mail.due_at, self.now, self.hours)
        return late or not self.stopped.isdisjoint((mail.label, f"lane:{int(mail.lane)}"))

    def _coming(self, at: datetime, reason: str) -> Mail:
        lane = Lane.SEQUENCE if reason.startswith("step:") else Lane.BULK
        return Mail(lane, at, at, NOT_YET, reason)

    def in_order(self, drafts: Iterable[Draft], first_due: Mapping[int, datetime]) -> list[tuple[Mail, Draft]]:
        """This reader's drafts, those that have more right to the day first."""
        mails = [(_mail(draft, first_due), draft) for draft in drafts]
        return sorted(mails, key=lambda one: days.rank(one[0], self.first))

    def ask(self, mail: Mail, draft: Draft) -> days.Later | None:
        """Whether this one has to move, and to when."""
        held = [other for other in self.claimed if days.rank(other, self.first) < days.rank(mail, self.first)]
        coming = self.coming if days.gives_way_to_coming(mail.lane, self.first) else []
        zone = zone_of(draft.reader.timezone, self.studio_zone)
        gone = [*self.gone, *((self.now, other.label) for other in held)]
        waiting = [*self.waiting, *coming]
        fit = draft.letter.fits
        return days.verdict(mail, gone=gone, waiting=waiting, first=self.first, zone=zone, now=self.now, fit=fit)

    def behind(self, mail: Mail) -> list[tuple[int, str]]:
        """What other lines hold that comes after this one."""
        rank = days.rank(mail, self.first)
        return [(other.order, other.label) for other in self.claimed if days.rank(other, self.first) > rank]


def _mail(draft: Draft, first_due: Mapping[int, datetime]) -> Mail:
    one = draft.claimed
    return Mail(one.lane, one.due_at, first_due.get(one.id, one.due_at), one.id, one.reason)


def _in_words(
    session: Session,
    drafts: Mapping[int, Draft],
    later: Mapping[int, days.Later],
    first_due: Mapping[int, datetime],
    studio: Studio,
) -> dict[int, Later]:
    # Of a step one reason stands for all its readers: asked for each, a batch would cost 250 times as much.
    kinds = {reason.partition(":enrollment")[0]: reason for reason in (found.because for found in later.values())}
    told = health.reason_words(session, kinds.values())
    moved = {}
    for one, found in later.items():
        words = told[kinds[found.because.partition(":enrollment")[0]]]
        draft = drafts[one]
        zone = zone_of(draft.reader.timezone, studio.timezone)
        moved[one] = Later(found.at, _sentence(days.why(first_due.get(one, draft.claimed.due_at), zone, words)))
    return moved


def _others(session: Session, mine: Sequence[Draft], own: Drafts, now: datetime) -> dict[int, list[Row[Any]]]:
    """What the ledger has for these readers beside this batch: what left lately, and what waits or is under way."""
    kind = kind_of(session)
    reasons = {draft.claimed.reason for draft in mine}
    given = {
        "ids": listed(kind, list({draft.reader.id for draft in mine})),
        "since": now - LONGEST_DAY,
        "until": now + LONGEST_DAY,
        # The emails of one broadcast are of one reason: without this each batch would read all its own again.
        "own": reasons.pop() if len(reasons) == 1 else "",
    }
    found: dict[int, list[Row[Any]]] = defaultdict(list)
    for row in session.connection().execute(_beside(kind), given):
        if row.id not in own:
            found[row.subscriber_id].append(row)
    return found


@cache
def _beside(kind: str) -> Any:
    tried = func.coalesce(Delivery.first_tried_at, Delivery.due_at).label("tried_at")
    columns = (
        *(Delivery.id, Delivery.subscriber_id, Delivery.reason, Delivery.lane, Delivery.state),
        *(Delivery.due_at, Delivery.moved_from, Delivery.accepted_at, tried),
    )
    moment = Delivery.due_at.type
    not_own = Delivery.reason != bindparam("own", type_=String)
    theirs = among_given(kind, Delivery.subscriber_id), Delivery.lane != int(Lane.TRANSACTIONAL), not_own
    left = select(*columns).where(*theirs, Delivery.accepted_at >= bindparam("since", type_=moment))
    is_open = in_state(State.PLANNED, State.DEFERRED, State.CLAIMED, State.SENDING, State.UNKNOWN)
    due = Delivery.due_at < bindparam("until", type_=moment)
    return union_all(left, select(*columns).where(*theirs, Delivery.accepted_at.is_(None), is_open, due))


def _coming(
    session: Session, mine: Sequence[Draft], studio: Studio, now: datetime
) -> dict[int, Sequence[tuple[datetime, str]]]:
    """What the preferred kind of email has for these readers today that is not in the ledger yet."""
    preferred = Lane.BULK if studio.first == days.BROADCAST else Lane.SEQUENCE
    rooms = cast(Mapping[Lane, Coming], current_app.extensions.get("coming", {}))
    giving = {draft.reader.id for draft in mine if days.gives_way_to_coming(draft.claimed.lane, studio.first)}
    if not giving or preferred not in rooms:
        return {}
    return dict(rooms[preferred](session, sorted(giving), now + LONGEST_DAY))


def _moved_from(session: Session, drafts: Sequence[Draft]) -> dict[int, datetime]:
    these = among(session, Delivery.id, [draft.claimed.id for draft in drafts])
    found = select(Delivery.id, Delivery.moved_from).where(these, Delivery.moved_from.is_not(None))
    return {one: at for one, at in session.execute(found) if at is not None}


def _insisted(session: Session, drafts: Sequence[Draft]) -> set[int]:
    """Those that an operator has let go at once, whatever else there is on the day."""
    these = among(session, Event.delivery_id, [draft.claimed.id for draft in drafts])
    kinds = [EventKind.HURRIED.value, EventKind.AGAIN.value]
    return set(session.scalars(select(Event.delivery_id).where(these, Event.kind.in_(kinds))))


def settle(drafts: Drafts, claims: Claims | None, worker: str, relay_id: int, now: datetime) -> Drafts:
    """Write down what goes later, and return the drafts that are left; what other lines hold is taken back first."""
    if claims is not None:
        drafts = drafts | _evicted(drafts, claims, now)
    later = {one: found for one, found in drafts.items() if isinstance(found, Later)}
    if not later:
        return drafts
    with transaction() as session:
        _put_off(session, later, worker)
        routing.unused(session, relay_id, len(later), now)
    return {one: draft for one, draft in drafts.items() if one not in later}


def _evicted(drafts: Drafts, claims: Claims, now: datetime) -> dict[int, Later]:
    """Take back what other lines have claimed and not begun to send; where that is too late, the winner moves instead.

    The bytes of what was taken back cannot leave any more: a line sends only what is still its own when the window is
    marked. It is due as before, so it is claimed again at once, meets the one that has the day, and moves.
    """
    later: dict[int, Later] = {}
    for one, behind in claims.rivals.items():
        draft = drafts[one]
        for rival, reason in behind if isinstance(draft, Draft) else ():
            # One in each transaction: two workers that hold a row each and want the other's would wait for each other.
            with transaction() as session:
                gone = not _evict(session, rival, now)
            if gone and isinstance(draft, Draft):
                later[one] = _after_all(draft, reason, claims.studio, now)
    return later


def _evict(session: Session, rival: int, now: datetime) -> bool:
    if machine.move(session, State.CLAIMED, State.PLANNED, now, Delivery.id == rival):
        return True
    stands = session.scalar(select(Delivery.state).where(Delivery.id == rival))
    return stands not in {State.SENDING, State.ACCEPTED, State.UNKNOWN}


def _after_all(draft: Draft, reason: str, studio: Studio, now: datetime) -> Later:
    zone = zone_of(draft.reader.timezone, studio.timezone)
    at = days.next_day(draft.claimed.due_at, zone=zone, now=now, fit=draft.letter.fits)
    return Later(at, _sentence(days.why(draft.claimed.due_at, zone, health.plain_reason(reason))))


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."


def _put_off(session: Session, later: Mapping[int, Later], worker: str) -> None:
    """Return claimed emails to the plan, each to its moment and with its reason in words."""
    groups: dict[Later, list[int]] = defaultdict(list)
    for one, found in later.items():
        groups[found].append(one)
    kind = kind_of(session)
    for found, ids in groups.items():
        given = {"ids": listed(kind, ids), "at": found.at, "why": found.why, "worker": worker}
        machine.follow(session, State.CLAIMED, State.PLANNED, _putting_off(kind), given)


@cache
def _putting_off(kind: str) -> Any:
    values = {
        "due_at": bindparam("at", type_=Delivery.due_at.type),
        "moved_from": func.coalesce(Delivery.moved_from, Delivery.due_at),
    }
    mine = among_given(kind, Delivery.id), Delivery.claimed_by == bindparam("worker", type_=String)
    why = cast(str, bindparam("why", type_=String))
    return machine.arrow(State.CLAIMED, State.PLANNED, *mine, why=why, **values)
