"""What a pause of series would keep back, and what each way of ending one means (semantics 3.15)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from newsletter.accounts import queries as accounts
from newsletter.audience import queries as audience
from newsletter.forecast import reading
from newsletter.forecast.lives import House, Life, Walk
from newsletter.forecast.simulating import ahead
from newsletter.sequences import versions
from newsletter.sequences.pauses import Scope
from newsletter.sequences.resuming import Choice, resumed
from newsletter.sequences.rules import Effect, Facts, Moved, Tagged, enter
from newsletter.sequences.versions import Held

AHEAD = timedelta(days=30)
DAYS_SHOWN = 7
LOOKED = 1000  # readers run through
SLICE = 500
NAMED = 8  # readers whose next email is shown for each way of ending a pause

Email = tuple[datetime, int, int]  # when, whose, which step


@dataclass(frozen=True)
class RestImpact:
    """The emails of the next 30 days under a pause's end, or those that a pause would keep back.

    `days`: how many on each of the first days in the studio's zone; `at_once`: people with one at once;
    `missed`: how many emails are never sent that another choice would send, to `without` people.
    """

    emails: int = 0
    people: int = 0
    at_once: int = 0
    days: tuple[tuple[date, int], ...] = ()
    first: tuple[tuple[int, datetime, int], ...] = ()  # a reader, when they get their next one, and which step
    missed: int = 0
    without: int = 0


@dataclass(frozen=True)
class Rest:
    """`looked` readers were run through; `ways` by choice, or one that says what a pause would keep back."""

    looked: int
    ways: Mapping[str, RestImpact]
    names: Mapping[int, str] = field(default_factory=dict)
    steps: Mapping[int, str] = field(default_factory=dict)


def of_pause(session: Session, scope: Scope, now: datetime) -> Rest:
    """What would not go out in the next days if this were paused."""
    rows = versions.in_scope(session, scope.rows, LOOKED)
    series = {row.sequence_id for row in rows}
    lives, house = _lives(session, rows, now)
    found = [one for life in lives for one in _emails(life, house, now, series)]
    return _rest(session, len(lives), {"pause": _impact(session, found, now)}, house)


def of_resume(session: Session, scope: Scope, now: datetime) -> Rest:
    """What each way of ending this pause means; readers whom another pause holds as well are taken as let go."""
    rows = versions.in_scope(session, scope.rows, LOOKED)
    by_reader: dict[int, dict[int, Held]] = {}
    for row in rows:
        by_reader.setdefault(row.subscriber_id, {})[row.sequence_id] = row
    lives, house = _lives(session, rows, now)
    found: dict[str, list[Email]] = {}
    for choice in Choice:
        series = {row.sequence_id for row in rows}
        gone_on = (_gone_on(life, by_reader.get(life.subscriber_id, {}), house, choice, now) for life in lives)
        found[choice] = [one for life in gone_on for one in _emails(life, house, now, series)]
    sent = {(who, step) for emails in found.values() for _, who, step in emails}
    ways: dict[str, RestImpact] = {}
    for way, emails in found.items():
        # Within the days looked at, or behind them: only what a way leaves out for good is missed.
        missed = sent - {(who, step) for _, who, step in emails} if way == Choice.SKIP else set()
        without = len({who for who, _ in missed})
        ways[way] = replace(_impact(session, emails, now), missed=len(missed), without=without)
    return _rest(session, len(lives), ways, house)


def _lives(session: Session, rows: Iterable[Held], now: datetime) -> tuple[list[Life], House]:
    until = now + AHEAD
    known = reading.known(session, now, until)
    house = replace(known.house, openings=())
    ids = list(dict.fromkeys(row.subscriber_id for row in rows))
    lives: list[Life] = []
    for start in range(0, len(ids), SLICE):
        lives += reading.lives(session, replace(known, house=house), ids[start : start + SLICE], now, until)
    return [replace(life, dates=()) for life in lives], house


def _emails(life: Life, house: House, now: datetime, series: set[int]) -> Iterator[Email]:
    for one in ahead(life, house, now=now, until=now + AHEAD):
        if one.step_id and one.course_id in series:
            yield one.at, life.subscriber_id, one.step_id


def _gone_on(life: Life, held: Mapping[int, Held], house: House, choice: Choice, now: datetime) -> Life:
    """A reader's ways and waiting emails as the end of the pause leaves them."""
    walks, waiting, happened = list(life.walks), list(life.waiting), list[Effect]()
    for at, walk in enumerate(walks):
        row = held.get(walk.course_id)
        if row is None:
            continue
        if row.held_at is None:  # not come due since they joined, so nothing was missed
            walks[at] = replace(walk, still=False)
            continue
        mail = next((number for number, one in enumerate(waiting) if one.walk == at), None)
        place = replace(walk.place, due_at=waiting[mail].due_at) if mail is not None else walk.place
        facts = Facts(life.tags, life.downloaded, walk.clicked, life.fields)
        course = house.courses[walk.course_id]
        after, effects = resumed(course, place, row.held_at, now, choice, facts, zone=life.zone)
        happened += effects
        if mail is not None and after.step_id == place.step_id and after.due_at is not None:
            waiting[mail] = replace(waiting[mail], due_at=after.due_at, still=False)
            after = replace(after, due_at=None)
        elif mail is not None:
            del waiting[mail]
        walks[at] = replace(walk, place=after, still=False)
    tags = life.tags
    for effect in happened:
        if isinstance(effect, Tagged):
            tags = tags.difference(effect.remove).union(effect.add)
    walks += _entered([walk.course_id for walk in walks], happened, house, life.zone)
    return replace(life, walks=tuple(walks), waiting=tuple(waiting), tags=tags)


def _entered(here: list[int], happened: Iterable[Effect], house: House, zone: ZoneInfo) -> Iterator[Walk]:
    """The ways into other series that the end of the pause leads to."""
    by_slug = {course.slug: course for course in house.courses.values()}
    for effect in happened:
        course = by_slug.get(effect.to_slug) if isinstance(effect, Moved) else None
        if course is not None and course.id not in here:
            yield Walk(course.id, enter(course, zone=zone, now=effect.at))


def _impact(session: Session, emails: list[Email], now: datetime) -> RestImpact:
    zone = accounts.zone_of(accounts.studio(session))
    first: dict[int, tuple[datetime, int]] = {}
    for at, who, step in sorted(emails):
        first.setdefault(who, (at, step))
    return RestImpact(
        emails=len(emails),
        people=len(first),
        at_once=sum(at <= now for at, _ in first.values()),
        days=tuple(_by_day([at for at, _, _ in emails], zone, now)),
        first=tuple((who, *found) for who, found in list(first.items())[:NAMED]),
    )


def _by_day(moments: Iterable[datetime], zone: ZoneInfo, now: datetime) -> Iterator[tuple[date, int]]:
    counted = Counter(at.astimezone(zone).date() for at in moments)
    today = now.astimezone(zone).date()
    for days in range(DAYS_SHOWN):
        day = today + timedelta(days=days)
        yield day, counted[day]


def _rest(session: Session, looked: int, ways: Mapping[str, RestImpact], house: House) -> Rest:
    shown = [one for way in ways.values() for one in way.first]
    people = audience.readers(session, sorted({who for who, _, _ in shown}))
    wanted = {step for _, _, step in shown}
    titles: dict[int, str] = {}
    for course in house.courses.values():
        here = wanted & {step.id for step in course.steps}
        if here:
            draft = versions.current(session, course.id)
            titles |= {step: f"{draft.title(step)} of {draft.name}" for step in here}
    return Rest(looked, ways, {number: person.email for number, person in people.items()}, titles)
