"""What an edit of a series would mean, worked out by the engine of the forecast before anything is changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from newsletter.accounts import queries as accounts
from newsletter.audience import queries as audience
from newsletter.forecast import reading
from newsletter.forecast.comparing import Days, Impact, compared
from newsletter.forecast.lives import House, Life, Walk
from newsletter.forecast.simulating import ahead
from newsletter.sequences import facts, foresight, openings, versions
from newsletter.sequences.conditions import lets_in
from newsletter.sequences.drafts import Draft
from newsletter.sequences.edits import Edit
from newsletter.sequences.facts import Asked
from newsletter.sequences.foresight import Moved
from newsletter.sequences.moving import Choices, Switch, course
from newsletter.sequences.rules import Place
from newsletter.sequences.triggers import SOON

# Two years: whoever has not had an email by then is told that it comes later, not that it never does.
FAR = timedelta(days=731)
# Readers run through in full; at about half a millisecond each it is the longest that a page should take.
LOOKED = 1000
SLICE = 500


def of_edit(session: Session, sequence_id: int, edit: Edit, now: datetime, choices: Choices | None = None) -> Impact:
    """What `edit` would mean under these choices; raises InputError or NotFound when it cannot be made."""
    before = versions.current(session, sequence_id)
    return of_change(session, sequence_id, before, edit.on(before), now, choices)


def of_change(
    session: Session, sequence_id: int, before: Draft, after: Draft, now: datetime, choices: Choices | None = None
) -> Impact:
    """What it would mean if a series were `after` instead of `before`."""
    choices = choices or Choices()
    moved = foresight.moves(session, sequence_id, before, after, now, finished=choices.finished)
    found = compared(before, after, _readers(session, sequence_id, after, foresight.under(choices, moved, now), now))
    turned_away, let_in = _joining(session, sequence_id, before, after, now + SOON)
    return replace(
        found,
        people=versions.under_way(session, sequence_id),
        waits_moved=len(moved),
        at_once=sum(one.at_once(now) for one in moved),
        finished=_finished(session, sequence_id, before, after),
        turned_away=turned_away,
        let_in=let_in,
        names=_names(session, found),
    )


def _joining(session: Session, sequence_id: int, before: Draft, after: Draft, until: datetime) -> tuple[int, int]:
    """Of those whose date lets them join by then, how many join no more, and how many only now.

    By what is known of them today: that may be another by their day.
    """
    if dict(before.entry) == dict(after.entry):
        return 0, 0
    coming = openings.coming(session, until)
    ids = {row.subscriber_id for row, one in coming if one.sequence_id == sequence_id and one.enabled}
    was, will = (
        {number for number, known in facts.of_joining(session, entry, ids).items() if lets_in(entry, known)}
        for entry in (before.entry, after.entry)
    )
    return len(was - will), len(will - was)


def _readers(
    session: Session, sequence_id: int, after: Draft, moved: list[Moved], now: datetime
) -> Iterator[tuple[int, Days, Days]]:
    until = now + FAR
    known = reading.known(session, now, until)
    # Whom the days themselves let in belongs to no edit; without them two years are quickly run through.
    house = replace(known.house, openings=())
    edited = house.with_course(course(after, sequence_id, house.overdue_hours))
    known = replace(known, house=house, asked=known.asked | Asked.ever(edited.courses.values()))
    places = {one.reader.subscriber_id: one.place for one in moved}
    ids = list(dict.fromkeys([*versions.next_readers(session, sequence_id, LOOKED), *places]))[:LOOKED]
    for start in range(0, len(ids), SLICE):
        part = ids[start : start + SLICE]
        for life in reading.lives(session, known, part, now, until):
            life = replace(life, dates=())
            other = _placed(life, sequence_id, places.get(life.subscriber_id))
            yield life.subscriber_id, _days(life, house, sequence_id, now), _days(other, edited, sequence_id, now)


def _placed(life: Life, sequence_id: int, place: Place | None) -> Life:
    """A reader where an edit puts them; whoever had everything goes on at `place`."""
    if place is None:
        return life
    here = [walk.course_id for walk in life.walks]
    if sequence_id not in here:
        return replace(life, walks=(*life.walks, Walk(sequence_id, place)))
    walks = [replace(walk, place=place) if walk.course_id == sequence_id else walk for walk in life.walks]
    return replace(life, walks=tuple(walks))


def _days(life: Life, house: House, sequence_id: int, now: datetime) -> Days:
    found: dict[int, datetime] = {}
    for one in ahead(life, house, now=now, until=now + FAR):
        if one.course_id == sequence_id and one.step_id:
            found.setdefault(one.step_id, one.at)
    return found


def _finished(session: Session, sequence_id: int, before: Draft, after: Draft) -> int:
    """How many had everything and now have something ahead, or might wait for it."""
    overdue = accounts.studio(session).overdue_hours
    switch = Switch(course(before, sequence_id, overdue), course(after, sequence_id, overdue))
    holds = after.evergreen and not before.evergreen
    counted = versions.finished_at(session, sequence_id).items()
    return sum(count for last, count in counted if switch.goes_on(last) or (holds and switch.ended_last(last)))


def _names(session: Session, found: Impact) -> dict[int, str]:
    people = audience.readers(session, sorted(set(found.sample())))
    return {number: person.email for number, person in people.items()}
