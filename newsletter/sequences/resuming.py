"""How a reader's way goes on after a pause (semantics 3.15). Pure, so that its impact can be told beforehand."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from newsletter.civil import instant
from newsletter.sequences.conditions import Facts
from newsletter.sequences.rules import Course, Effect, Mail, Place, arrive, due, passed, with_tags


class Choice(StrEnum):
    """What becomes of what came due during a pause; what a person reads is in `CHOICE_WORDS`."""

    SHIFTED = "shifted"  # the whole way moves by as many days as the pause lasted
    SPACED = "spaced"  # the days stay; what was missed goes out one by one, as far apart as the series says
    SKIP = "skip"  # what came due is never sent; the way goes on as if it had been


CHOICE_WORDS = {
    Choice.SHIFTED: (
        "Go on where it stopped",
        "Everything moves by as many days as the pause lasted, at its usual time of day. Nobody misses an email.",
    ),
    Choice.SPACED: (
        "Catch up",
        "What was missed goes out from now on, one email at a time with the usual distance between two.",
    ),
    Choice.SKIP: (
        "Leave out what was missed",
        "Emails that came due during the pause are never sent. The next ones come on the days they would have come.",
    ),
}


def shifted(moment: datetime, whole_days: int, zone: ZoneInfo) -> datetime:
    """A moment so many calendar days later, at the same time of day in the reader's zone."""
    return instant(moment.astimezone(zone).replace(tzinfo=None) + timedelta(days=whole_days), zone)


def whole_days(since: datetime, now: datetime, zone: ZoneInfo) -> int:
    """How many whole days by the clock on a wall lie between: also when it was put forward or back meanwhile."""
    then, there = (moment.astimezone(zone).replace(tzinfo=None) for moment in (since, now))
    return (there - then) // timedelta(days=1)


def resumed(
    course: Course, place: Place, held_at: datetime, now: datetime, choice: Choice, facts: Facts, *, zone: ZoneInfo
) -> tuple[Place, list[Effect]]:
    """Where a reader stands after a pause from `held_at` until `now`, and what happens on the way there.

    A place whose email was in the ledger already is given with the moment that was due at; what comes back without
    a moment of its own (`due_at` None) has ended.
    """
    if place.step_id is None or place.due_at is None:
        return place, []
    if choice is Choice.SKIP:
        return _skipped(course, place, facts, now=now, zone=zone)
    if choice is Choice.SHIFTED:
        whole = whole_days(held_at, now, zone)
        joined, since = shifted(place.enrolled_at, whole, zone), shifted(place.since, whole, zone)
        place = replace(place, enrolled_at=joined, since=since, due_at=shifted(place.due_at, whole, zone))
    step = course.step(place.step_id)
    at = place.due_at or now
    if step is None:  # deleted meanwhile: they wait out what is left (semantics 3.10)
        return replace(place, due_at=max(at, now)), []
    return replace(place, due_at=due(course, step, place, zone=zone, now=now)), []


def _skipped(
    course: Course, place: Place, facts: Facts, *, now: datetime, zone: ZoneInfo
) -> tuple[Place, list[Effect]]:
    """Run the days of the pause without its emails; tags, questions and changes of series happen as they would have."""
    happened: list[Effect] = []
    while place.step_id is not None and place.due_at is not None and place.due_at <= now:
        place, effects = arrive(course, place, facts, zone=zone, now=place.due_at)
        happened += [effect for effect in effects if not isinstance(effect, Mail)]
        mail = next((effect for effect in effects if isinstance(effect, Mail)), None)
        if mail is not None:
            place, more = passed(course, place, mail.at, facts, sent=False, zone=zone)
            happened += more
        for effect in effects:
            facts = with_tags(facts, effect)
    return place, happened
