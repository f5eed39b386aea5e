"""What another time zone of the studio would mean for readers who named none (semantics 3.8)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from newsletter.audience import queries as audience
from newsletter.forecast import reading
from newsletter.forecast.comparing import Days, Impact, compared
from newsletter.forecast.lives import House, Life, Walk
from newsletter.forecast.simulating import ahead
from newsletter.sequences import queries, versions
from newsletter.sequences.rules import moved, zone_of

LOOKED = 1000  # readers run through
SLICE = 500
FAR = timedelta(days=366)


@dataclass(frozen=True)
class ZoneImpact:
    """`people` named no zone and are under way; `looked` of them were run through; by series what moves in it."""

    people: int
    looked: int
    at_once: int
    series: tuple[tuple[str, Impact], ...]


def of_zone(session: Session, name: str, now: datetime) -> ZoneImpact:
    """The effect of the studio's zone being `name`."""
    ids = versions.without_zone(session, LOOKED)
    found = list(_readers(session, ids, zone_of(name), now))
    at_once = {
        reader for reader, old, new in found if any(at <= now and old.get(step, now) > now for step, at in new.items())
    }
    series, people = [], versions.count_without_zone(session)
    for number in versions.all_series(session):
        draft = versions.current(session, number)
        here = {step.id for step in draft.steps}
        impact = compared(draft, draft, [(one, _only(old, here), _only(new, here)) for one, old, new in found])
        if impact.steps:
            shown = audience.readers(session, sorted(set(impact.sample())))
            impact = replace(impact, people=people, names={key: person.email for key, person in shown.items()})
            series.append((queries.sequence(session, number).name, impact))
    return ZoneImpact(people, len(found), len(at_once), tuple(series))


def _only(days: Days, steps: set[int]) -> Days:
    return {step: at for step, at in days.items() if step in steps}


def _readers(session: Session, ids: list[int], zone: ZoneInfo, now: datetime) -> Iterator[tuple[int, Days, Days]]:
    until = now + FAR
    known = reading.known(session, now, until)
    house = replace(known.house, openings=())
    for start in range(0, len(ids), SLICE):
        for life in reading.lives(session, replace(known, house=house), ids[start : start + SLICE], now, until):
            life = replace(life, dates=())
            walks = tuple(_moved(walk, house, zone, now) for walk in life.walks)
            other = replace(life, zone=zone, walks=walks)
            yield life.subscriber_id, _days(life, house, now), _days(other, house, now)


def _moved(walk: Walk, house: House, zone: ZoneInfo, now: datetime) -> Walk:
    """A way whose next step is where the sweep of a changed zone will put it."""
    course, place = house.courses[walk.course_id], walk.place
    step = course.step(place.step_id)
    if step is None or place.due_at is None:
        return walk
    return replace(walk, place=replace(place, due_at=moved(course, step, place, zone=zone, now=now)))


def _days(life: Life, house: House, now: datetime) -> Days:
    found: dict[int, datetime] = {}
    for one in ahead(life, house, now=now, until=now + FAR):
        if one.step_id:
            found.setdefault(one.step_id, one.at)
    return found
