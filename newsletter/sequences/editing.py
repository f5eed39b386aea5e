"""Writes of edits: a sequence becomes what its new draft says, and its readers stand where they belong in it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache, partial
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.orm import Session

from newsletter.accounts import actions as accounts
from newsletter.accounts import queries as studio
from newsletter.errors import InputError, Refused
from newsletter.sequences import drafts, models, queries, timing, versions, ways_in
from newsletter.sequences.drafts import Draft, DraftStep
from newsletter.sequences.edits import Edit, Replace, Restore
from newsletter.sequences.models import Enrollment, SequenceMove, SequenceVersion
from newsletter.sequences.moving import AtOnce, Choices, Switch, chosen, course, due_at_once, moves_people
from newsletter.sequences.rules import EnrollmentState, Place, zone_of
from newsletter.sequences.versions import Reader


class Outdated(InputError):
    """Somebody else changed the sequence meanwhile; nothing was changed."""

    status = 409
    title = "Somebody was faster"


class Unconfirmed(InputError):
    """An edit would make more readers due at once than the operator has seen; `count` is how many."""

    status = 409
    title = "Please look again"

    def __init__(self, count: int) -> None:
        super().__init__(
            f"{count:,} {'person' if count == 1 else 'people'} would get an email at once.",
            means="Nothing was changed.",
            remedy="Look at the change again, and confirm that number or choose something else for them.",
        )
        self.count = count


@dataclass(frozen=True)
class Moved:
    """A reader whom an edit moves: where they stood, where they stand, and in which state."""

    reader: Reader
    place: Place
    state: str

    def at_once(self, now: datetime) -> bool:
        """Whether they are due at once now, and were not before (semantics 3.9)."""
        return not self.reader.held and due_at_once(self.reader.place, self.place, now)


def apply(
    session: Session,
    sequence_id: int,
    edit: Edit,
    *,
    now: datetime,
    expected: int | None = None,
    operator_id: int | None = None,
    choices: Choices | None = None,
) -> SequenceVersion | None:
    """Make an edit of the version `expected`, and note it; None when it changes nothing.

    Raises InputError when the sequence cannot be like that, Outdated, or Unconfirmed (semantics 3.9).
    """
    choices = choices or Choices()
    guard(session, sequence_id, expected)
    before = versions.current(session, sequence_id)
    after = edit.on(before)
    if after == before and not choices.finished:
        return None
    number = next_version(session, sequence_id)
    after = _write(session, sequence_id, after, now)
    kept = note(session, sequence_id, number, edit.words(before), before, after, operator_id, now)
    moved = moves(session, sequence_id, before, after, now, finished=choices.finished, lock=True)
    if choices.at_once == AtOnce.NOW:
        count = sum(one.at_once(now) for one in moved)
        if count > choices.confirmed:
            raise Unconfirmed(count)
    moved = under(choices, moved, now)
    _remember(session, kept, moved)
    _place(session, moved, now)
    accounts.record(session, "series.edited", by=operator_id, now=now, subject=f"series:{sequence_id}", version=number)
    return kept


def begin(session: Session, sequence_id: int, draft: Draft, now: datetime) -> None:
    """Give a new sequence its first content: nobody is in it, and there is nothing before it to go back to."""
    _write(session, sequence_id, Replace(draft).on(versions.current(session, sequence_id)), now)


def guard(session: Session, sequence_id: int, expected: int | None) -> None:
    """Lock a sequence; raises Outdated, naming who did what, when it is not in the version `expected` any more."""
    session.refresh(queries.sequence(session, sequence_id), with_for_update=True)
    check_version(session, sequence_id, expected)


def check_version(session: Session, sequence_id: int, expected: int | None) -> None:
    """Raise Outdated when a sequence is not in the version `expected` any more; None expects any."""
    if expected in {None, queries.sequence(session, sequence_id).version}:
        return
    last = versions.latest(session, sequence_id)
    whose = f"{last[1] or 'Somebody'} changed it meanwhile: {last[0].what}." if last else "It was changed meanwhile."
    raise Outdated(
        f"This is not the series you looked at any more. {whose}",
        means="Your change was not made.",
        remedy="Look at the series as it is now, and make your change again if it is still wanted.",
    )


def next_version(session: Session, sequence_id: int) -> int:
    """The number of the edit that is being made of a sequence, which `guard` has locked."""
    series = queries.sequence(session, sequence_id)
    series.version += 1
    session.flush()
    return series.version


def moves(
    session: Session,
    sequence_id: int,
    before: Draft,
    after: Draft,
    now: datetime,
    *,
    finished: bool,
    lock: bool = False,
) -> list[Moved]:
    """Everybody whom the difference moves, and where to (semantics 3.1, 3.9, 3.10, 3.11); `under` hurries nobody."""
    if not moves_people(before, after) and not finished:
        return []
    overdue, zone = studio.studio(session).overdue_hours, lru_cache(partial(_zone, versions.studio_zone(session)))
    switch = Switch(course(before, sequence_id, overdue), course(after, sequence_id, overdue))
    # Most edits move those at one step or two; nobody else need be read.
    moving = [one for one in versions.stands(session, sequence_id) if switch.moves(_standing(now, *one))]
    found = []
    for reader in versions.readers(session, sequence_id, moving, finished=finished, lock=lock):
        if reader.state == EnrollmentState.FINISHED and not switch.ended_last(reader.place.last_id):
            continue
        place = switch.place(reader.place, zone=zone(reader.zone), now=now)
        state = _state(place, evergreen=after.evergreen)
        if place != reader.place or state != reader.state:
            found.append(Moved(reader, place, state))
    return found


def _zone(studio_zone: str, name: str) -> ZoneInfo:
    return zone_of(name, studio_zone)


def _standing(now: datetime, step_id: int | None, last_id: int | None, waits: bool) -> Place:
    return Place(now, now, None, step_id, now if waits else None, last_id)


def under(choices: Choices, moved: list[Moved], now: datetime) -> list[Moved]:
    """The same readers, those who are due at once as the operator chose for them (semantics 3.9)."""
    hurried = [at for at, one in enumerate(moved) if one.at_once(now)]
    placed = list(moved)
    for number, at in enumerate(hurried):
        one = moved[at]
        placed[at] = replace(one, place=chosen(one.reader.place, one.place, choices, number / len(hurried), now))
    return placed


def _state(place: Place, *, evergreen: bool) -> str:
    if place.step_id is not None:
        return EnrollmentState.ACTIVE
    return EnrollmentState.CAUGHT_UP if evergreen else EnrollmentState.FINISHED


def _write(session: Session, sequence_id: int, draft: Draft, now: datetime) -> Draft:
    """Make the rows say what `draft` says; returns it with the ids of its new steps."""
    series = queries.sequence(session, sequence_id)
    series.name, series.description = draft.name[:120], draft.description
    series.min_gap_hours, series.evergreen = draft.min_gap_hours, draft.evergreen
    series.reentry, series.cooldown_days = draft.reentry, draft.cooldown_days
    series.goal, series.exits = dict(draft.goal), [dict(one) for one in draft.exits]
    rows = {row.id: row for row in queries.all_steps(session, sequence_id)}
    steps = []
    for position, step in enumerate(draft.steps, 1):
        row = rows.get(step.id) or models.Step(sequence_id=sequence_id, key=step.key)
        _write_step(row, step, position, now)
        session.add(row)
        session.flush()
        steps.append(replace(step, id=row.id))
    return replace(draft, steps=tuple(steps))


def _write_step(row: models.Step, step: DraftStep, position: int, now: datetime) -> None:
    when = step.timing
    row.position, row.kind, row.config, row.source = position, step.kind, dict(step.config), step.source
    row.delay_amount, row.delay_unit, row.delay_from = when.amount, when.unit, when.counts_from
    row.window_start, row.window_end = timing.write_window(when)
    row.weekdays = when.weekdays
    row.deleted_at = (row.deleted_at or now) if step.deleted else None


def note(
    session: Session,
    sequence_id: int,
    number: int,
    what: str,
    before: Draft,
    after: Draft,
    operator_id: int | None,
    now: datetime,
    ways: tuple[list[dict[str, Any]], list[dict[str, Any]]] | None = None,
) -> SequenceVersion:
    """Keep an edit as a version: `what` in words, the sequence before and after, its triggers where they changed."""
    begins, begins_now = ({"triggers": one} for one in ways) if ways else ({}, {})
    kept = SequenceVersion(
        sequence_id=sequence_id,
        version=number,
        at=now,
        operator_id=operator_id,
        what=what,
        before=drafts.written(before) | begins,
        after=drafts.written(after) | begins_now,
        undone_at=None,
    )
    session.add(kept)
    session.flush()
    return kept


def _remember(session: Session, edit: SequenceVersion, moved: list[Moved]) -> None:
    rows = [
        {
            "version_id": edit.id,
            "enrollment_id": one.reader.enrollment_id,
            "state": one.reader.state,
            "step_id": one.reader.place.step_id,
            "due_at": one.reader.place.due_at,
            "ended_at": one.reader.ended_at,
            "skips": sorted(one.reader.place.skips),
            "to_step_id": one.place.step_id,
        }
        for one in moved
    ]
    if rows:
        session.connection().execute(insert(SequenceMove), rows)


def _place(session: Session, moved: list[Moved], now: datetime) -> None:
    _place_rows(
        session,
        [
            {
                "row": one.reader.enrollment_id,
                "state": one.state,
                "step": one.place.step_id,
                "due": one.place.due_at,
                "skips": sorted(one.place.skips),
                "ended": (one.reader.ended_at or now) if one.state == EnrollmentState.FINISHED else None,
            }
            for one in moved
        ],
    )


_PLACING = (
    update(Enrollment)
    .where(Enrollment.id == bindparam("row"))
    .values(
        state=bindparam("state"),
        next_step_id=bindparam("step"),
        next_due_at=bindparam("due"),
        skips=bindparam("skips"),
        ended_at=bindparam("ended"),
    )
)


def _place_rows(session: Session, rows: list[dict[str, object]]) -> None:
    session.flush()
    if rows:
        session.connection().execute(_PLACING, rows)
    session.expire_all()


def undo(session: Session, sequence_id: int, version_id: int, *, now: datetime, operator_id: int | None) -> None:
    """Take the last edit back; raises Refused when emails went out because of it, or another edit came after it."""
    guard(session, sequence_id, None)
    edit = versions.version(session, sequence_id, version_id)
    why = why_not_undo(session, edit)
    if why:
        raise Refused(why, means="Nothing was changed.", remedy="Make the opposite change instead.")
    before = versions.current(session, sequence_id)
    after = Restore(drafts.read(edit.before)).on(before)
    number = next_version(session, sequence_id)
    after = _write(session, sequence_id, after, now)
    ways = ways_in.kept(session, sequence_id)
    ways_in.take_back(session, edit, now)
    back_to = (ways, ways_in.kept(session, sequence_id)) if "triggers" in edit.before else None
    undone = note(session, sequence_id, number, f"Taken back: {edit.what}", before, after, operator_id, now, back_to)
    undone.undone_at = edit.undone_at = now
    back = _moved_back(session, edit)
    others = moves(session, sequence_id, before, after, now, finished=False, lock=True)
    known = {one["row"] for one in back}
    _place(session, [one for one in others if one.reader.enrollment_id not in known], now)
    _place_rows(session, back)
    accounts.record(session, "series.undone", by=operator_id, now=now, subject=f"series:{sequence_id}", version=number)


def why_not_undo(session: Session, edit: SequenceVersion) -> str:
    """Why an edit cannot be taken back, in words; empty when it can."""
    if edit.undone_at is not None:
        return "This change was taken back already."
    last = versions.undoable(session, edit.sequence_id)
    if last is None or last.id != edit.id:
        return "Other changes came after this one; they have to be taken back first."
    sent = versions.sent_because(session, edit) + ways_in.sent_since(session, edit)
    if sent:
        emails = "email has gone out or is on its way" if sent == 1 else "emails have gone out or are on their way"
        return f"{sent:,} {emails} since this change was made, so it cannot be taken back any more."
    return ""


def _moved_back(session: Session, edit: SequenceVersion) -> list[dict[str, object]]:
    """The readers who still stand where the edit put them, as they stood before it."""
    found = (
        select(SequenceMove)
        .join(Enrollment, Enrollment.id == SequenceMove.enrollment_id)
        .where(
            SequenceMove.version_id == edit.id,
            Enrollment.next_step_id.is_not_distinct_from(SequenceMove.to_step_id),
            Enrollment.state != EnrollmentState.EXITED,
        )
        .with_for_update(of=Enrollment)
    )
    return [
        {
            "row": move.enrollment_id,
            "state": move.state,
            "step": move.step_id,
            "due": move.due_at,
            "skips": move.skips,
            "ended": move.ended_at,
        }
        for move in session.scalars(found)
    ]
