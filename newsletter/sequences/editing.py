"""Writes of edits: a sequence becomes what its new draft says, and its readers stand where they belong in it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.accounts import actions as accounts
from newsletter.errors import InputError, Refused
from newsletter.sequences import (
    checking,
    drafts,
    foresight,
    models,
    placing,
    queries,
    reach,
    timing,
    versions,
    ways_in,
)
from newsletter.sequences.drafts import Draft, DraftStep
from newsletter.sequences.edits import Edit, Replace, Restore
from newsletter.sequences.foresight import Foreseen, Way
from newsletter.sequences.models import SequenceVersion
from newsletter.sequences.moving import AtOnce, Choices


class Outdated(InputError):
    """Somebody else changed the sequence meanwhile; nothing was changed."""

    status = 409
    title = "Somebody was faster"


class Unconfirmed(InputError):
    """An edit, or taking one back, would make more readers due at once than was seen; `count` is how many."""

    status = 409
    title = "Please look again"

    def __init__(self, count: int, remedy: str = "Confirm that number, or choose something else for them.") -> None:
        super().__init__(
            f"{count:,} {'person' if count == 1 else 'people'} would get an email at once.",
            means="Nothing was changed.",
            remedy=f"Look at the change again. {remedy}",
        )
        self.count = count


def apply(
    session: Session,
    sequence_id: int,
    edit: Edit,
    *,
    now: datetime,
    expected: int | None = None,
    operator_id: int | None = None,
    choices: Choices | None = None,
    foreseen: Foreseen | None = None,
) -> SequenceVersion | None:
    """Make an edit of the version `expected`, and note it; None when it changes nothing.

    With what `foresee` found beforehand, a hundred thousand readers hold up the other writers for about a second.
    Raises InputError when the sequence cannot be like that, Outdated, or Unconfirmed (semantics 3.9).
    """
    choices = choices or Choices()
    guard(session, sequence_id, expected)
    before = versions.current(session, sequence_id)
    after = edit.on(before)
    if after == before and not choices.finished:
        return None
    number = next_version(session, sequence_id)
    written = _write(session, sequence_id, before, after, now)
    kept = note(session, sequence_id, number, edit.words(before), before, written, operator_id, now)
    found = foresight.present(session, Way(sequence_id, before, after, choices), foreseen, now)
    if choices.at_once == AtOnce.NOW and len(found.hurried) > choices.confirmed:
        raise Unconfirmed(len(found.hurried))
    placing.place(session, found.places, _new_ids(after, written), now, kept.id)
    accounts.record(session, "series.edited", by=operator_id, now=now, subject=f"series:{sequence_id}", version=number)
    return kept


def foresee(
    session: Session, sequence_id: int, edit: Edit, *, now: datetime, choices: Choices | None = None
) -> Foreseen:
    """What `apply` needs to know about an edit and takes long to work out; only reads, and keeps nobody waiting.

    Raises InputError or NotFound when the edit cannot be made.
    """
    before = versions.current(session, sequence_id)
    after = edit.on(before)
    return foresight.foresee(session, Way(sequence_id, before, after, choices or Choices()), now)


def check_leads(session: Session, before: Draft | None, after: Draft) -> None:
    """Raise InputError where an edit moves people on to a series that is not there, or over others back to this one."""
    if any(step.kind == "move" for step in after.living):
        checking.check_moves(before, after, reach.leads(session))


def _new_ids(after: Draft, written: Draft) -> dict[int, int]:
    """The ids that new steps have got; they stand in the same order."""
    pairs = zip(after.steps, written.steps, strict=True)
    return {step.id: row.id for step, row in pairs if step.id != row.id}


def begin(session: Session, sequence_id: int, draft: Draft, now: datetime) -> None:
    """Give a new sequence its first content: nobody is in it, and there is nothing before it to go back to."""
    before = versions.current(session, sequence_id)
    _write(session, sequence_id, before, Replace(draft).on(before), now)


def guard(session: Session, sequence_id: int, expected: int | None) -> None:
    """Lock a sequence; raises Outdated, naming who did what, when it is not in the version `expected` any more."""
    # Its key stays free: who joins meanwhile must not wait.
    session.refresh(queries.sequence(session, sequence_id), with_for_update={"key_share": True})
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


def _write(session: Session, sequence_id: int, before: Draft, draft: Draft, now: datetime) -> Draft:
    """Make the rows say what `draft` says; returns it with the ids of its new steps."""
    if any(step.kind == "move" for step in draft.living):
        # One after another: two edits at once would each lead people half way round, and neither see the other's.
        first = select(models.Sequence.id).order_by(models.Sequence.id).limit(1)
        session.execute(first.with_for_update(key_share=True))
    check_leads(session, before, draft)
    series = queries.sequence(session, sequence_id)
    series.name, series.description = draft.name[:120], draft.description
    series.min_gap_hours, series.evergreen = draft.min_gap_hours, draft.evergreen
    series.reentry, series.cooldown_days = draft.reentry, draft.cooldown_days
    series.entry, series.goal, series.exits = dict(draft.entry), dict(draft.goal), [dict(one) for one in draft.exits]
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


def undo(
    session: Session,
    sequence_id: int,
    version_id: int,
    *,
    now: datetime,
    operator_id: int | None,
    foreseen: Foreseen | None = None,
    confirmed: int = 0,
) -> None:
    """Take the last edit back; raises Refused when emails went out because of it, or another edit came after it.

    Raises Unconfirmed when that makes more than `confirmed` people due at once (semantics 3.9).
    """
    guard(session, sequence_id, None)
    edit = versions.version(session, sequence_id, version_id)
    why = why_not_undo(session, edit)
    if why:
        raise Refused(why, means="Nothing was changed.", remedy="Make the opposite change instead.")
    way = _way_back(session, sequence_id, edit)
    number = next_version(session, sequence_id)
    after = _write(session, sequence_id, way.before, way.after, now)
    ways = ways_in.kept(session, sequence_id)
    ways_in.take_back(session, edit, now)
    back_to = (ways, ways_in.kept(session, sequence_id)) if "triggers" in edit.before else None
    what = f"Taken back: {edit.what}"
    undone = note(session, sequence_id, number, what, way.before, after, operator_id, now, back_to)
    undone.undone_at = edit.undone_at = now
    others = foresight.present(session, way, foreseen, now)
    hurried = versions.hurried_back(session, edit.id, now) + len(others.hurried)
    if hurried > confirmed:
        raise Unconfirmed(hurried, "Press “Take it back” again if they may get it, or leave everything as it is.")
    placing.back(session, edit.id)
    placing.place(session, others.places, _new_ids(way.after, after), now, None)
    accounts.record(session, "series.undone", by=operator_id, now=now, subject=f"series:{sequence_id}", version=number)


def foresee_undo(session: Session, sequence_id: int, version_id: int, *, now: datetime) -> Foreseen:
    """What `undo` needs to know about those whom the edit itself did not move; only reads."""
    edit = versions.version(session, sequence_id, version_id)
    if why_not_undo(session, edit):
        return Foreseen()  # to be refused in words under the lock
    return foresight.foresee(session, _way_back(session, sequence_id, edit), now)


def _way_back(session: Session, sequence_id: int, edit: SequenceVersion) -> Way:
    before = versions.current(session, sequence_id)
    after = Restore(drafts.read(edit.before), drafts.read(edit.after)).on(before)
    return Way(sequence_id, before, after, Choices(), but=edit.id)


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
