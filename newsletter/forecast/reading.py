"""Reading the house and its readers for the forecast, a slice of readers at a time; nothing is written."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from newsletter.accounts import queries as accounts
from newsletter.audience import queries as people
from newsletter.audience.models import Occasion
from newsletter.audience.queries import Reader
from newsletter.broadcasts import queries as broadcasts
from newsletter.broadcasts import rules as broadcast_rules
from newsletter.broadcasts.models import Broadcast
from newsletter.broadcasts.rules import BroadcastState
from newsletter.delivery import queries as ledger
from newsletter.delivery.days import Gone, is_overdue
from newsletter.delivery.models import Delivery, Event, in_state
from newsletter.delivery.rules import ENDED, EventKind, Lane, State
from newsletter.forecast.lives import Birthday, Ended, House, Life, Sendout, Told, Waiting, Walk
from newsletter.sequences import facts, openings, triggers
from newsletter.sequences import queries as sequences
from newsletter.sequences.facts import Asked
from newsletter.sequences.models import Enrollment, PausedReader, TriggerDate
from newsletter.sequences.models import Sequence as Series
from newsletter.sequences.rules import NOTHING_KNOWN, EnrollmentState, Round, zone_of
from newsletter.work.claims import among

LATELY = timedelta(days=3)  # emails sent before that are on no local day that is still to come
LEAVING = in_state(State.PLANNED, State.DEFERRED, State.CLAIMED, State.SENDING, State.UNKNOWN)
MARKETING = (int(Lane.SEQUENCE), int(Lane.BULK))


@dataclass(frozen=True)
class Known:
    """The house with what is needed to read its readers: which facts are asked for."""

    house: House
    asked: Asked
    studio_zone: str
    held: frozenset[str]


def known(session: Session, now: datetime, until: datetime) -> Known:
    """The house as it is now, with the broadcasts that start by `until`."""
    studio = accounts.studio(session)
    stopped = dict(session.execute(select(Series.id, Series.paused_at)).all())
    ids = list(stopped)
    courses = sequences.courses(session, ids)
    triggers_there = tuple(openings.all_of(session))
    unplanned = [*broadcasts.starting(session), *broadcasts.due(session, until)]
    queued = [broadcasts.find(session, number) for number in unplanned]
    held = frozenset(hold.what for hold in ledger.holds(session))
    house = House(
        courses=courses,
        sendouts=tuple(
            sorted(
                (_sendout(one, now) for one in queued if not _goes_back(one, now, studio.overdue_hours)),
                key=lambda one: (one.send_at, one.id),
            )
        ),
        openings=triggers_there,
        stopped=frozenset(one for one in ids if studio.series_paused_at or stopped[one]),
        held=frozenset(lane for lane in MARKETING if f"lane:{lane}" in held),
        one_a_day=studio.one_a_day,
        first=studio.first,
        overdue_hours=studio.overdue_hours,
    )
    asked = Asked.ever(courses.values())
    tags = any(one.tag for one in house.sendouts) or any(one.kind == triggers.Kind.TAG for one in triggers_there)
    fields = any(one.kind == triggers.Kind.DATE for one in triggers_there)
    asked = replace(asked, tags=asked.tags or tags, fields=asked.fields or fields)
    return Known(house, asked, studio.timezone, held)


def _goes_back(row: Broadcast, now: datetime, hours: int) -> bool:
    """Whether it is so late that the next turn gives it back to its writer instead of starting it (semantics 3.16)."""
    return row.state == BroadcastState.QUEUED and row.send_at is not None and is_overdue(row.send_at, now, hours)


def _sendout(row: Broadcast, now: datetime) -> Sendout:
    who = broadcast_rules.audience(row.audience)
    through = row.through_id if row.state == BroadcastState.STARTING else None
    return Sendout(row.id, row.send_at or now, who.tag, who.person, row.planned_to if through else 0, through)


@lru_cache(maxsize=1000)
def zone(name: str, studio_zone: str) -> ZoneInfo:
    """A reader's zone, or the studio's (semantics 3.8)."""
    return zone_of(name, studio_zone)


def next_readers(session: Session, known: Known, until: datetime, after: int, limit: int) -> list[int]:
    """The ids of the next readers whom something may reach by `until`, in order; at most `limit`."""
    found: set[int] = set()
    for column, wanted in _touched(known, until):
        ids = wanted.where(column > after).order_by(column).limit(limit)
        found.update(session.connection().execute(ids).scalars())
    return sorted(found)[:limit]


def _touched(known: Known, until: datetime) -> list[tuple[Any, Select[int]]]:
    active = Enrollment.state == EnrollmentState.ACTIVE
    waits = Delivery.accepted_at.is_(None), LEAVING, Delivery.lane.in_(MARKETING)
    dates = TriggerDate.next_at <= until
    touched: list[tuple[Any, Select[int]]] = [
        (Enrollment.subscriber_id, select(Enrollment.subscriber_id).where(active).distinct()),
        (Delivery.subscriber_id, select(Delivery.subscriber_id).where(*waits).distinct()),
        (TriggerDate.subscriber_id, select(TriggerDate.subscriber_id).where(dates).distinct()),
        (Occasion.subscriber_id, select(Occasion.subscriber_id).distinct()),
    ]
    for one in known.house.sendouts:
        who = broadcast_rules.Audience(
            broadcast_rules.Whom.PERSON if one.person else broadcast_rules.Whom.ALL, "", one.person
        )
        reached = broadcasts.recipients(who)
        touched.append((reached.selected_columns[0], reached))
    return touched


def lives(session: Session, known: Known, ids: Collection[int], now: datetime, until: datetime) -> list[Life]:
    """These readers as the forecast needs them, in the order of their ids; those who may get nothing are left out."""
    readers = people.readers(session, sorted(ids))
    barred = sequences.barred(session, readers.values())
    there = [number for number in sorted(readers) if number not in barred]
    rows = _Rows(session, known, there, now, until)
    return [rows.life(readers[number]) for number in there]


class _Rows:
    """What the database holds about a slice of readers, by reader."""

    def __init__(self, session: Session, known: Known, ids: Sequence[int], now: datetime, until: datetime) -> None:
        self.session, self.known, self.ids, self.now = session, known, ids, now
        self.enrollments = self._enrollments()
        self.mails = self._mails()
        self.insisted = self._insisted()
        self.outcomes = self._outcomes()
        self.sent = self._sent() if known.house.one_a_day else {}
        self.rounds = self._rounds() if known.house.enterable else {}
        self.dates = self._dates(until)
        self.told = self._told()
        self.paused = set(
            session.scalars(select(PausedReader.subscriber_id).where(self._theirs(PausedReader.subscriber_id)))
        )
        pairs = [(-number, number) for number in ids]  # facts about a reader, whatever they are in
        pairs += [(row.id, row.subscriber_id) for found in self.enrollments.values() for row in found]
        self.facts = facts.load(session, pairs, known.house.courses, known.asked) if known.asked != Asked() else {}

    def _enrollments(self) -> dict[int, list[Any]]:
        wanted = (
            Enrollment.id,
            Enrollment.sequence_id,
            Enrollment.subscriber_id,
            Enrollment.enrolled_at,
            Enrollment.waits_since,
            Enrollment.last_sent_at,
            Enrollment.next_step_id,
            Enrollment.next_due_at,
            Enrollment.last_step_id,
            Enrollment.skips,
            Enrollment.held_at,
            Enrollment.shifted_minutes,
        )
        found = select(*wanted).where(
            Enrollment.state == EnrollmentState.ACTIVE, among(self.session, Enrollment.subscriber_id, self.ids)
        )
        return self._by_reader(found.order_by(Enrollment.id))

    def _mails(self) -> dict[int, list[Any]]:
        wanted = Delivery.id, Delivery.subscriber_id, Delivery.reason, Delivery.lane, Delivery.state, Delivery.due_at
        found = select(*wanted, Delivery.moved_from, Delivery.state_why, Delivery.first_tried_at).where(
            Delivery.accepted_at.is_(None), LEAVING, Delivery.lane.in_(MARKETING), self._theirs(Delivery.subscriber_id)
        )
        return self._by_reader(found.order_by(Delivery.id))

    def _insisted(self) -> set[int]:
        """Emails that an operator has let go whatever else there is on their day."""
        ids = [row.id for found in self.mails.values() for row in found]
        kinds = [EventKind.HURRIED.value, EventKind.AGAIN.value]
        wanted = select(Event.delivery_id).where(among(self.session, Event.delivery_id, ids), Event.kind.in_(kinds))
        return set(self.session.scalars(wanted)) if ids else set()

    def _outcomes(self) -> dict[str, tuple[str, datetime | None]]:
        """How the emails ended of those who wait for one that is not under way any more."""
        on_their_way = {
            sequences.reason(row.next_step_id, row.id)
            for found in self.enrollments.values()
            for row in found
            if row.next_step_id is not None and row.next_due_at is None
        } - {row.reason for found in self.mails.values() for row in found}
        if not on_their_way:
            return {}
        wanted = select(Delivery.reason, Delivery.state, Delivery.accepted_at, Delivery.ended_at)
        rows = self.session.execute(wanted.where(Delivery.reason.in_(on_their_way), Delivery.state.in_(ENDED)))
        return {row.reason: (row.state, row.accepted_at or row.ended_at) for row in rows}

    def _sent(self) -> dict[int, list[Any]]:
        wanted = select(Delivery.subscriber_id, Delivery.accepted_at, Delivery.reason)
        lately = Delivery.accepted_at >= self.now - LATELY, Delivery.lane.in_(MARKETING)
        return self._by_reader(wanted.where(*lately, self._theirs(Delivery.subscriber_id)).order_by(Delivery.id))

    def _rounds(self) -> dict[int, list[Any]]:
        wanted = select(Enrollment.subscriber_id, Enrollment.sequence_id, Enrollment.state, Enrollment.ended_at)
        enterable = Enrollment.sequence_id.in_(self.known.house.enterable)
        return self._by_reader(
            wanted.where(enterable, self._theirs(Enrollment.subscriber_id)).order_by(Enrollment.round)
        )

    def _dates(self, until: datetime) -> dict[int, list[tuple[TriggerDate, triggers.Opening]]]:
        dates: dict[int, list[tuple[TriggerDate, triggers.Opening]]] = {}
        if any(one.kind == triggers.Kind.DATE for one in self.known.house.openings):
            for row, opening in openings.coming(self.session, until, self.ids):
                dates.setdefault(row.subscriber_id, []).append((row, opening))
        return dates

    def _told(self) -> dict[int, list[Any]]:
        wanted = select(Occasion.subscriber_id, Occasion.kind, Occasion.what, Occasion.at)
        return self._by_reader(wanted.where(self._theirs(Occasion.subscriber_id)).order_by(Occasion.id))

    def _theirs(self, column: Any) -> Any:
        return among(self.session, column, self.ids)

    def _by_reader(self, statement: Any) -> dict[int, list[Any]]:
        found: dict[int, list[Any]] = {}
        for row in self.session.connection().execute(statement):
            found.setdefault(row.subscriber_id, []).append(row)
        return found

    def life(self, reader: Reader) -> Life:
        """One reader."""
        number = reader.id
        mails = self.mails.get(number, ())
        rows = self.enrollments.get(number, ())
        places = {row.id: at for at, row in enumerate(rows)}
        waiting, gone = self._waiting(rows, places, mails)
        about = self.facts.get(-number, NOTHING_KNOWN)
        fields = about.fields
        rounds = {row.sequence_id: Round(row.state, row.ended_at) for row in self.rounds.get(number, ())}
        rounds |= {row.sequence_id: Round(EnrollmentState.ACTIVE, None) for row in rows}
        return Life(
            subscriber_id=number,
            zone=zone(reader.timezone, self.known.studio_zone),
            walks=tuple(self._walk(row) for row in rows),
            waiting=tuple(waiting),
            ended=tuple(self._ended(rows)),
            sent=tuple(gone) + tuple((row.accepted_at, _begins(row.reason)) for row in self.sent.get(number, ())),
            tags=about.tags,
            downloaded=about.downloaded,
            fields=fields,
            rounds=rounds,
            dates=tuple(self._birthdays(number, fields)),
            told=tuple(Told(row.at, row.kind, row.what) for row in self.told.get(number, ())),
            paused=number in self.paused,
        )

    def _walk(self, row: Any) -> Walk:
        clicked = self.facts.get(row.id, NOTHING_KNOWN).clicked
        # Who joined while a pause was pressed is held when their turn comes.
        paused = row.sequence_id in self.known.house.stopped or row.subscriber_id in self.paused
        return Walk(row.sequence_id, sequences.place(row), clicked, still=paused or row.held_at is not None)

    def _waiting(
        self, rows: Sequence[Any], places: Mapping[int, int], mails: Sequence[Any]
    ) -> tuple[list[Waiting], list[Gone]]:
        waiting: list[Waiting] = []
        gone: list[Gone] = []
        for mail in mails:
            if mail.state == State.UNKNOWN:
                gone.append((mail.first_tried_at or mail.due_at, _begins(mail.reason)))
                continue
            step_id, broadcast_id, walk = 0, 0, -1
            still = {f"lane:{mail.lane}", mail.reason} & self.known.held != set()
            if mail.lane == Lane.SEQUENCE:
                step_id, enrollment_id = sequences.read_reason(mail.reason)
                if enrollment_id not in places:
                    continue  # they have left: it is withdrawn when its turn comes
                walk = places[enrollment_id]
                still = still or rows[walk].held_at is not None
            else:
                broadcast_id = int(mail.reason.partition(":")[2])
            waiting.append(
                Waiting(
                    len(waiting),
                    mail.due_at,
                    mail.lane,
                    step_id,
                    broadcast_id,
                    walk,
                    still,
                    mail.id in self.insisted,
                    mail.moved_from,
                    mail.state_why,
                )
            )
        return waiting, gone

    def _ended(self, rows: Sequence[Any]) -> Iterable[Ended]:
        for at, row in enumerate(rows):
            if row.next_step_id is None or row.next_due_at is not None:
                continue
            found = self.outcomes.get(sequences.reason(row.next_step_id, row.id))
            if found is not None and found[0] != State.REJECTED:
                yield Ended(at, found[1] or self.now, found[0] == State.ACCEPTED)

    def _birthdays(self, number: int, fields: Mapping[str, str]) -> Iterable[Birthday]:
        for row, opening in self.dates.get(number, ()):
            if row.next_at is not None and row.next_on is not None:
                yield Birthday(row.next_at, row.next_on, opening.id, fields.get(opening.what, ""))


def _begins(reason: str) -> str:
    return reason.partition(":enrollment")[0]
