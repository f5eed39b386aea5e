"""Letting people join by triggers: what just happened with them, dates that have come, crowds from a file.

A sweep costs what is new: happenings are rows that are taken away, dates are found by the moment they come.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete
from sqlalchemy.orm import Session

from newsletter.accounts import queries as accounts
from newsletter.audience import occasions
from newsletter.audience import queries as people
from newsletter.audience import rules as audience_rules
from newsletter.audience.occasions import Told
from newsletter.audience.queries import Reader
from newsletter.audience.rules import Happened
from newsletter.civil import zone_of
from newsletter.errors import InputError
from newsletter.sequences import actions, crowds, dates, openings, triggers
from newsletter.sequences.models import Trigger, TriggerDate
from newsletter.sequences.triggers import Kind, Opening

# What goals and exits may ask about.
FACTS = frozenset({Happened.TAG, Happened.UNTAG, Happened.MAGNET, Happened.FIELD, Happened.CLICK})


def checked(sequence_id: int, kind: str, what: str, config: Mapping[str, Any]) -> Opening:
    """A trigger with its names as they are kept; raises InputError when it cannot be asked."""
    if kind == Kind.TAG:
        what = audience_rules.tidy_tag(what)
    elif kind == Kind.DATE:
        what = audience_rules.column_name(what)
    problem = triggers.problem_with(kind, what, config)
    if problem:
        raise InputError(problem, remedy="Correct it and try again.")
    return Opening(sequence_id, kind, what, dict(config))


def add(session: Session, sequence_id: int, kind: str, what: str, config: Mapping[str, Any], now: datetime) -> Trigger:
    """Let people join a series from now on whenever this happens; raises InputError when it cannot be asked."""
    opening = checked(sequence_id, kind, what, config)
    row = Trigger(
        sequence_id=sequence_id,
        kind=opening.kind,
        what=opening.what,
        config=dict(opening.config),
        enabled=True,
        through_id=0,
        through_at=None,
        zone="",
        created_at=now,
    )
    session.add(row)
    session.flush()
    return row


def switch(session: Session, sequence_id: int, trigger_id: int, *, enabled: bool) -> Trigger:
    """Let a trigger rest, or work again; what happens while it rests lets nobody join, not later either."""
    row = openings.trigger(session, sequence_id, trigger_id)
    row.enabled = enabled
    return row


def remove(session: Session, sequence_id: int, trigger_id: int) -> Opening:
    """Take a trigger away; who has joined by it stays."""
    row = openings.trigger(session, sequence_id, trigger_id)
    gone = openings.opening(row)
    session.execute(delete(TriggerDate).where(TriggerDate.trigger_id == trigger_id))
    session.delete(row)
    session.flush()
    return gone


def replace(session: Session, sequence_id: int, wanted: Sequence[Mapping[str, Any]], now: datetime) -> bool:
    """Make a series' triggers be these ({kind, what, config, enabled}); those that stay keep their dates.

    Returns whether anything is another than before; raises InputError.
    """
    had = openings.all_of(session, sequence_id)
    kept: set[int] = set()
    changed = False
    for one in wanted:
        kind, what, config = str(one["kind"]), str(one.get("what") or triggers.ANY), dict(one.get("config") or {})
        enabled = bool(one.get("enabled", True))
        same = (old for old in had if (old.kind, old.what, dict(old.config)) == (kind, what, config))
        found = next((old for old in same if old.id not in kept), None)
        number = found.id if found else add(session, sequence_id, kind, what, config, now).id
        kept.add(number)
        if found is None or found.enabled != enabled:
            switch(session, sequence_id, number, enabled=enabled)
            changed = True
    for old in had:
        if old.id not in kept:
            remove(session, sequence_id, old.id)
            changed = True
    return changed


def ask_tagged(session: Session, sequence_id: int, tag: str, now: datetime) -> None:
    """Let everybody who has a tag already join a series, one after another like a crowd from a file."""
    occasions.to_selected(session, people.reachable(tag), Happened.ASKED, str(sequence_id), now)


def take_in(session: Session, now: datetime, limit: int) -> int:
    """Look at up to `limit` things that just happened; who is to join because of them joins; returns how many."""
    told = occasions.take(session, limit, now)
    if not told:
        return 0
    # After the taking: a trigger that was made before this happened is seen, whoever committed first.
    known = openings.all_of(session)
    readers = people.readers(session, sorted({one.subscriber_id for one in told}))
    # In the order of people, so that two workers who let the same ones join do not wait for each other in a circle.
    for one in sorted((one for one in told if not one.crowd), key=lambda one: (one.subscriber_id, one.id)):
        for sequence_id in triggers.started_by(known, one.kind, one.what):
            actions.enroll(session, sequence_id, one.subscriber_id, f"{one.kind}:{one.what}", one.at)
    _let_crowds_join(session, told, known, readers, now)
    for subscriber_id in sorted({one.subscriber_id for one in told if one.kind == Happened.ZONE}):
        actions.replan(session, now, subscriber_id=subscriber_id)
    changed = {one.subscriber_id for one in told if one.kind in {Happened.ZONE, Happened.FIELD}}
    if any(one.kind == Kind.DATE for one in known):
        write_dates(
            session, openings.of_dates(session), [readers[key] for key in sorted(changed) if key in readers], now
        )
    actions.reconsider(session, sorted({one.subscriber_id for one in told if one.kind in FACTS} & readers.keys()), now)
    return len(told)


def _let_crowds_join(
    session: Session, told: Sequence[Told], known: Sequence[Opening], readers: Mapping[int, Reader], now: datetime
) -> None:
    groups: dict[tuple[int, str], list[int]] = {}
    for one in told:
        reader = readers.get(one.subscriber_id)
        # Most of a file without proof of consent may not get a series, and need no line each to say so.
        if one.crowd and reader and not audience_rules.why_not_marketing(reader.status, reader.marketing):
            asked = one.kind == Happened.ASKED
            wanted = [int(one.what)] if asked else triggers.started_by(known, one.kind, one.what)
            for sequence_id in wanted:
                source = "operator" if asked else f"{one.kind}:{one.what}"
                groups.setdefault((sequence_id, source), []).append(one.subscriber_id)
    for (sequence_id, source), crowd in sorted(groups.items()):
        crowds.join(session, sequence_id, crowd, source, now)


def join_by_date(session: Session, now: datetime, limit: int) -> int:
    """Let up to `limit` people join whose date has come, as of that moment; returns how many were looked at.

    While a trigger rests its dates pass without anybody joining.
    """
    due = openings.dates_due(session, now, limit)
    readers = people.readers(session, sorted({row.subscriber_id for row, _ in due}))
    studio_zone = accounts.studio(session).timezone
    for row, opening in due:
        reader, moment = readers[row.subscriber_id], row.next_at or now
        if opening.enabled and not audience_rules.why_not_marketing(reader.status, reader.marketing):
            actions.enroll(session, opening.sequence_id, row.subscriber_id, opening.source, moment)
        zone, value = zone_of(reader.timezone, studio_zone), str(reader.fields.get(opening.what, ""))
        row.last_on = row.next_on
        _set(row, dates.next_date(opening.rule, value, zone=zone, now=now, after=row.last_on))
    session.flush()
    return len(due)


def read_dates(session: Session, now: datetime, limit: int) -> int:
    """Read the dates of the next `limit` people for a new trigger, or anew when the studio's zone changed."""
    studio_zone = accounts.studio(session).timezone
    trigger = openings.unread(session, studio_zone)
    if trigger is None:
        return 0
    if trigger.zone != studio_zone:
        trigger.zone, trigger.through_id, trigger.through_at = studio_zone, 0, None
    readers = people.readers_after(session, trigger.through_id, limit)
    write_dates(session, [trigger], readers, now)
    if len(readers) < limit:
        # Who is being added this moment was told of (or is told of when committed), so nobody is missed.
        trigger.through_at = now
    if readers:
        trigger.through_id = readers[-1].id
    session.flush()
    return max(len(readers), 1)


def write_dates(session: Session, rows: Sequence[Trigger], readers: Sequence[Reader], now: datetime) -> None:
    """Keep when each of these people joins next by each of these triggers, which are locked."""
    studio_zone = accounts.studio(session).timezone
    for trigger in rows if readers else ():
        opening = openings.opening(trigger)
        had = openings.dates_of(session, trigger.id, [reader.id for reader in readers])
        for reader in readers:
            value, row = str(reader.fields.get(opening.what, "")).strip(), had.get(reader.id)
            if row is None and value:
                row = TriggerDate(trigger_id=trigger.id, subscriber_id=reader.id, unreadable=False)
                session.add(row)
            if row is not None:
                zone = zone_of(reader.timezone, studio_zone)
                row.unreadable = bool(value) and dates.read(value) is None
                _set(row, dates.next_date(opening.rule, value, zone=zone, now=now, after=row.last_on))
    session.flush()


def _set(row: TriggerDate, found: tuple[datetime, Any] | None) -> None:
    row.next_at, row.next_on = found or (None, None)


def forget(session: Session, subscriber_id: int) -> None:
    """Drop the dates of a person who is erased."""
    session.execute(delete(TriggerDate).where(TriggerDate.subscriber_id == subscriber_id))


def absorb(session: Session, keep_id: int, drop_id: int) -> None:  # noqa: ARG001 - the other's dates are read anew
    """Drop the dates of a record that becomes part of another; where the other had none, its fields tell of them."""
    forget(session, drop_id)
