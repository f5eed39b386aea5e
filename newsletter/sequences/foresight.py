"""Whom an edit of a sequence moves and where to: worked out beforehand, and only looked over under the lock."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache, partial
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from newsletter.accounts import queries as studio
from newsletter.sequences import versions
from newsletter.sequences.drafts import Draft
from newsletter.sequences.models import Enrollment
from newsletter.sequences.moving import AtOnce, Choices, Switch, chosen, course, due_at_once, moves_people
from newsletter.sequences.rules import EnrollmentState, Place, zone_of
from newsletter.sequences.versions import Reader, Stand


@dataclass(frozen=True, slots=True)
class Moved:
    """A reader whom an edit moves: where they stood, where they stand, and in which state."""

    reader: Reader
    place: Place
    state: str

    def at_once(self, now: datetime) -> bool:
        """Whether they are due at once now, and were not before (semantics 3.9)."""
        return not self.reader.held and due_at_once(self.reader.place, self.place, now)


Where = tuple[str, int | None, tuple[int, ...]]  # a state, the next step, and the steps that are passed over
Groups = dict[Where, list[dict[str, Any]]]  # enrollments that come to stand alike: `id`, and `due` as databases read it


@dataclass
class Foreseen:
    """What was worked out about an edit while nothing was locked, and of which readers as they stood then.

    `basis` is all else that it depends on; `places` speaks of new steps by the ids below 0 that a draft gives them.
    """

    basis: object = None
    marks: dict[int, int] = field(default_factory=dict)
    places: Groups = field(default_factory=dict)
    hurried: set[int] = field(default_factory=set)  # the enrollments that become due at once


@dataclass(frozen=True)
class Way:
    """An edit's way from one draft to another, for everybody but those whom an undo of version `but` puts back."""

    sequence_id: int
    before: Draft
    after: Draft
    choices: Choices
    but: int | None = None

    def moves_anybody(self) -> bool:
        """Whether there may be anybody to move."""
        return moves_people(self.before, self.after) or self.choices.finished


def moves(
    session: Session, sequence_id: int, before: Draft, after: Draft, now: datetime, *, finished: bool
) -> list[Moved]:
    """Everybody whom the difference moves, and where to (semantics 3.1, 3.9, 3.10, 3.11); `under` hurries nobody."""
    way = Way(sequence_id, before, after, Choices(finished=finished))
    if not way.moves_anybody():
        return []
    switch = _switch(session, way)
    at = _moving(session, way, switch, now)
    return _moved(session, way, switch, at, versions.marks(session, sequence_id, at, finished=finished), now)


def foresee(session: Session, way: Way, now: datetime) -> Foreseen:
    """Everything about an edit that takes long, worked out from a reader's view of the database: nobody waits for it.

    A hundred thousand readers take seconds, and SQLite has one writer at a time.
    """
    if not way.moves_anybody():
        return Foreseen(basis=_basis(session, way))
    switch = _switch(session, way)
    at = _moving(session, way, switch, now)
    # Read first: who changes between the two reads is seen to have changed under the lock.
    marks = versions.marks(session, way.sequence_id, at, finished=way.choices.finished, but=way.but)
    moved = _moved(session, way, switch, at, marks, now)
    hurried = {one.reader.enrollment_id for one in moved if one.at_once(now)}
    return Foreseen(_basis(session, way), marks, grouped(session, under(way.choices, moved, now)), hurried)


def present(session: Session, way: Way, foreseen: Foreseen | None, now: datetime) -> Foreseen:
    """What holds now of what was foreseen: whoever has changed since is worked out anew, and all are locked.

    Nothing foreseen, or of another series than this one is now, means all of them.
    """
    known = foreseen if foreseen is not None and foreseen.basis == _basis(session, way) else Foreseen()
    if not way.moves_anybody():
        return known
    switch = _switch(session, way)
    at = _moving(session, way, switch, now)
    marks = versions.marks(session, way.sequence_id, at, finished=way.choices.finished, but=way.but, lock=True)
    changed = {key for key, mark in marks.items() if known.marks.get(key) != mark}
    stale = changed | (known.marks.keys() - marks.keys())
    again = _moved(session, way, switch, at, changed, now)
    places = _without(known.places, stale) if stale else known.places
    for where, rows in grouped(session, under(way.choices, again, now)).items():
        places = places | {where: [*places.get(where, ()), *rows]}
    hurried = (known.hurried - stale) | {one.reader.enrollment_id for one in again if one.at_once(now)}
    return Foreseen(known.basis, marks, places, hurried)


def _without(places: Groups, stale: Collection[int]) -> Groups:
    return {where: [row for row in rows if row["id"] not in stale] for where, rows in places.items()}


def _basis(session: Session, way: Way) -> object:
    kept = studio.studio(session)
    return way, kept.overdue_hours, kept.timezone


def _switch(session: Session, way: Way) -> Switch:
    overdue = studio.studio(session).overdue_hours
    return Switch(course(way.before, way.sequence_id, overdue), course(way.after, way.sequence_id, overdue))


def _moving(session: Session, way: Way, switch: Switch, now: datetime) -> list[Stand]:
    """Most edits move those at one step or two; nobody else need be read."""
    found = versions.stands(session, way.sequence_id)
    return [one for one in sorted(found, key=str) if switch.moves(_standing(now, *one))]


def _standing(now: datetime, step_id: int | None, last_id: int | None, waits: bool) -> Place:
    return Place(now, now, None, step_id, now if waits else None, last_id)


def _moved(
    session: Session, way: Way, switch: Switch, at: Iterable[Stand], ids: Iterable[int], now: datetime
) -> list[Moved]:
    zone = lru_cache(partial(_zone, versions.studio_zone(session)))
    asked = versions.readers(
        session, way.sequence_id, at, ids, finished=way.choices.finished, but=way.but, entry=way.after.entry
    )
    found = []
    for reader in asked:
        if reader.state == EnrollmentState.FINISHED and not switch.ended_last(reader.place.last_id):
            continue
        place = switch.place(reader.place, zone=zone(reader.zone), now=now)
        state = _state(place, evergreen=way.after.evergreen)
        if place != reader.place or state != reader.state:
            found.append(Moved(reader, place, state))
    return found


def _zone(studio_zone: str, name: str) -> ZoneInfo:
    return zone_of(name, studio_zone)


def _state(place: Place, *, evergreen: bool) -> str:
    if place.step_id is not None:
        return EnrollmentState.ACTIVE
    return EnrollmentState.CAUGHT_UP if evergreen else EnrollmentState.FINISHED


def under(choices: Choices, moved: list[Moved], now: datetime) -> list[Moved]:
    """The same readers, those who are due at once as the operator chose for them (semantics 3.9)."""
    if choices.at_once == AtOnce.NOW:
        return moved
    hurried = [at for at, one in enumerate(moved) if one.at_once(now)]
    placed = list(moved)
    for number, at in enumerate(hurried):
        one = moved[at]
        placed[at] = replace(one, place=chosen(one.reader.place, one.place, choices, number / len(hurried), now))
    return placed


def grouped(session: Session, moved: Iterable[Moved]) -> Groups:
    """Where readers come to stand, those alike together: only when they are due differs then."""
    dialect = session.get_bind().dialect
    write = Enrollment.next_due_at.type.dialect_impl(dialect).bind_processor(dialect) or str
    groups: Groups = {}
    for one in moved:
        place, skips = one.place, tuple(sorted(one.place.skips))
        due = str(write(place.due_at)) if place.due_at is not None else None
        groups.setdefault((str(one.state), place.step_id, skips), []).append(
            {"id": one.reader.enrollment_id, "due": due}
        )
    return groups
