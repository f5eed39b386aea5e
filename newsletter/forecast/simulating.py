"""The worker's turn on a copy in memory: one reader's days, minute by minute. Pure.

Readers do not touch each other, so each is run alone. Nothing here works out when something is due: that is done by
`sequences.rules` and `delivery.days`, the same functions that the worker calls; this module calls them in the worker's
order: what happened, what ended, what is due, broadcasts, and then the ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from newsletter.audience.rules import Happened, tidy_tag
from newsletter.delivery import days
from newsletter.delivery.days import Gone
from newsletter.delivery.rules import Lane
from newsletter.forecast.lives import Birthday, Happening, House, Life, Sendout, Told, Waiting, Walk
from newsletter.sequences import dates, triggers
from newsletter.sequences.conditions import ANY
from newsletter.sequences.rules import (
    NOTHING_KNOWN,
    CaughtUp,
    Course,
    Effect,
    EnrollmentState,
    Facts,
    Finished,
    Kind,
    Left,
    Mail,
    Moved,
    Place,
    Round,
    Tagged,
    arrive,
    ending,
    enter,
    fit,
    left,
    moved,
    passed,
    why_not_enter,
)

MINUTE = timedelta(minutes=1)
LONGEST_DAY = timedelta(hours=49)  # no local day is longer, not even one that loses or gains the date line
# An email that leaves, an effect, joining (None), or why they do not join; in which course, and when.
Heard = Callable[[Happening | Effect | str | None, int, datetime], None]
COMING = 1 << 62  # in the ledger's order behind everything that is there
FACTS = frozenset(Happened) - {Happened.FORM, Happened.ZONE}  # what goals and exits may ask about


def ahead(
    life: Life, house: House, *, now: datetime, until: datetime, heard: Heard = lambda *_: None
) -> Iterator[Happening]:
    """Every email that leaves for one reader from `now` (the worker's next turn) to `until`, in their order.

    `heard` is told of them too, and of what happens between them, in the order in which it happens.
    """
    reader = Days(life, house, heard)
    moment: datetime | None = now
    while moment is not None and moment <= until:
        yield from reader.turn(moment)
        moment = reader.next_after(moment)


def _whole(moment: datetime) -> datetime:
    """The first whole minute from a moment on: that is when a worker looks."""
    floor = moment.replace(second=0, microsecond=0)
    return floor if floor == moment else floor + MINUTE


class Days:
    """One reader's state while their days pass."""

    def __init__(self, life: Life, house: House, heard: Heard = lambda *_: None) -> None:
        self.life, self.house, self.zone, self.heard = life, house, life.zone, heard
        self.walks: list[Walk | None] = list(life.walks)  # None once ended: emails name them by their place here
        self.waiting = list(life.waiting)
        self.planned = len(life.waiting)
        self.ended = [(one.walk, one.at, one.sent) for one in life.ended]
        self.sent: list[Gone] = list(life.sent)
        self.tags = life.tags
        self.rounds = dict(life.rounds)
        self.told = list(life.told)
        self.dates = sorted(life.dates, key=lambda one: (one.next_at, one.opening_id))
        # In the order of their moments, as the house has them.
        self.coming = [one for one in house.sendouts if one.may_reach(life.subscriber_id)]
        self.starting: list[Sendout] = []
        coming = tuple(one.id for one in self.coming)
        self.alike = coming, life.paused, life.downloaded, tuple(sorted(life.fields.items())), life.presses

    def next_after(self, moment: datetime) -> datetime | None:
        """The next whole minute at which something is due."""
        found = [walk.place.due_at for walk in self.walks if walk and walk.place.due_at and not walk.still]
        found += [one.due_at for one in self.waiting if not one.still]
        found += [one.send_at for one in self.coming]
        found += [one.next_at for one in self.dates]
        first = min((at for at in found if at > moment), default=None)
        return _whole(first) if first else None

    def turn(self, now: datetime) -> list[Happening]:
        """What leaves while a worker does all there is to do at one moment, again and again until nothing is left."""
        gone: list[Happening] = []
        did: object = True
        while did:
            did = (self.told or self.dates) and self._enter_due(now)
            did = (self.ended and self._settle(now)) or did
            did = self._plan(now) or did
            if self.starting or (self.coming and self.coming[0].send_at <= now):
                did = self._start(now) or did
            did = (self.waiting and self._send(now, gone)) or did
        return gone

    def state(self, moment: datetime) -> object | None:
        """All that the days from `moment` on depend on, the same for readers who stand alike; None when nobody will.

        Those who wait for a step without a window are at a minute of their own, and with an email that was moved they
        soon stand like others again: to ask for those would cost more than it saves.
        """
        if self.waiting or self.told or self.ended:
            return None
        places = []
        for walk in self.walks:
            if walk is not None:
                course = self.house.courses[walk.course_id]
                step = course.step(walk.place.step_id)
                if step is None or not step.timing.window or walk.still:
                    return None
                place = walk.place
                # When they joined is asked for a first email, and by steps that count from there.
                joined = (
                    place.enrolled_at if place.sent_at is None or walk.course_id in self.house.from_joining else None
                )
                places.append(
                    (
                        course.id,
                        joined,
                        place.since,
                        place.sent_at,
                        place.step_id,
                        place.due_at,
                        place.skips,
                        walk.clicked,
                    )
                )
        rounds = tuple(self.rounds.get(number) for number in self.house.enterable)
        sent = tuple(one for one in self.sent if one[0] > moment - LONGEST_DAY)
        return moment, self.zone.key, tuple(places), sent, self.tags, tuple(self.dates), rounds, self.alike

    # Joining

    def _enter_due(self, now: datetime) -> bool:
        told, self.told = self.told, []
        for one in told:
            for course_id in triggers.started_by(self.house.openings, one.kind, one.what):
                self._enter(course_id, one.at)
        if any(one.kind == Happened.ZONE for one in told):
            self._replan(now)
        if any(one.kind in FACTS for one in told):
            self._reconsider(now)
        due = [one for one in self.dates if one.next_at <= now]
        for birthday in due:
            self.dates.remove(birthday)
            self._celebrate(birthday, now)
        return bool(told or due)

    def _replan(self, now: datetime) -> None:
        for number, walk in enumerate(self.walks):
            if walk and walk.place.due_at:
                course = self.house.courses[walk.course_id]
                step = course.step(walk.place.step_id)
                if step is not None:
                    at = moved(course, step, walk.place, zone=self.zone, now=now)
                    self.walks[number] = replace(walk, place=replace(walk.place, due_at=at))

    def _reconsider(self, now: datetime) -> None:
        for number, walk in enumerate(self.walks):
            course = self.house.courses[walk.course_id] if walk else None
            why = left(course, self._facts(course, walk)) if course else ""
            if course and why:
                self.heard(Left(why, now), course.id, now)
                self._end(number, EnrollmentState.EXITED, now)
        for course_id, last in list(self.rounds.items()):
            course = self.house.courses[course_id]
            if last.state == EnrollmentState.CAUGHT_UP and left(course, self._facts(course, None)):
                self.rounds[course_id] = Round(EnrollmentState.EXITED, now)

    def _celebrate(self, birthday: Birthday, now: datetime) -> None:
        opening = next((one for one in self.house.openings if one.id == birthday.opening_id), None)
        if opening is None:
            return
        if opening.enabled:
            self._enter(opening.sequence_id, birthday.next_at)
        again = dates.next_date(opening.rule, birthday.value, zone=self.zone, now=now, after=birthday.next_on)
        if again is not None:
            self.dates.append(Birthday(*again, opening.id, birthday.value))

    def _enter(self, course_id: int, at: datetime) -> None:
        course = self.house.courses.get(course_id)
        if course is None:
            return
        why_not = why_not_enter(course, self.rounds.get(course_id), self._facts(course, None), at)
        if why_not:
            self.heard(why_not, course_id, at)
            return
        place = enter(course, zone=self.zone, now=at)
        if place.step_id is None:
            self.rounds[course_id] = Round(ending(evergreen=course.evergreen), at)
            return
        self.rounds[course_id] = Round(EnrollmentState.ACTIVE, None)
        self.walks.append(Walk(course_id, place, still=self.life.paused or course_id in self.house.stopped))
        self.heard(None, course_id, at)

    # The planner

    def _settle(self, now: datetime) -> bool:
        ended, self.ended = sorted(self.ended), []
        for number, at, sent in ended:
            walk = self.walks[number]
            if walk is not None:
                course = self.house.courses[walk.course_id]
                place, effects = passed(course, walk.place, at, self._facts(course, walk), sent=sent, zone=self.zone)
                self._stands(number, walk, place)
                self._carry_out(number, effects, now)
        return True

    def _plan(self, now: datetime) -> bool:
        due = [
            (walk.place.due_at, number)
            for number, walk in enumerate(self.walks)
            if walk and walk.place.due_at and walk.place.due_at <= now and not walk.still
        ]
        for _, number in sorted(due):
            walk = self.walks[number]
            if walk is not None:
                course = self.house.courses[walk.course_id]
                place, effects = arrive(course, walk.place, self._facts(course, walk), zone=self.zone, now=now)
                self._stands(number, walk, place)
                self._carry_out(number, effects, now)
        return bool(due)

    def _stands(self, number: int, walk: Walk, place: Place) -> None:
        self.walks[number] = Walk(walk.course_id, place, walk.clicked, walk.still)

    def _facts(self, course: Course, walk: Walk | None) -> Facts:
        if not course.asks:
            return NOTHING_KNOWN
        return Facts(self.tags, self.life.downloaded, walk.clicked if walk else frozenset(), self.life.fields)

    def _carry_out(self, number: int, effects: list[Effect], now: datetime) -> None:
        for effect in effects:
            walk = self.walks[number]
            if walk is not None:
                self.heard(effect, walk.course_id, now)
            match effect:
                case Mail():
                    self._plan_email(effect.at, Lane.SEQUENCE, step_id=effect.step.id, walk=number)
                case Tagged():
                    self._tag(effect, now)
                case Moved():
                    self._end(number, EnrollmentState.FINISHED, effect.at)
                    target = self._course_named(effect.to_slug)
                    if target is not None:
                        self._enter(target.id, effect.at)
                case Finished():
                    self._end(number, EnrollmentState.FINISHED, effect.at)
                case CaughtUp():
                    self._end(number, EnrollmentState.CAUGHT_UP, effect.at)
                case Left():
                    self._end(number, EnrollmentState.EXITED, now)

    def _course_named(self, slug: str) -> Course | None:
        return next((course for course in self.house.courses.values() if course.slug == slug), None)

    def _tag(self, effect: Tagged, now: datetime) -> None:
        for name in filter(None, map(tidy_tag, effect.add)):
            if name not in self.tags:
                self.tags |= {name}
                self.told.append(Told(now, Happened.TAG, name))
        for name in filter(None, map(tidy_tag, effect.remove)):
            if name in self.tags:
                self.tags -= {name}
                self.told.append(Told(now, Happened.UNTAG, name))

    def _end(self, number: int, state: EnrollmentState, at: datetime) -> None:
        walk = self.walks[number]
        if walk is not None:
            self.walks[number] = None
            self.rounds[walk.course_id] = Round(state, at)

    # Broadcasts

    def _start(self, now: datetime) -> bool:
        """A turn begins and proves a broadcast; the next one, at the same moment, fixes its readers and plans them."""
        planned, self.starting = self.starting, [one for one in self.coming if one.send_at <= now]
        if self.starting:
            self.coming = [one for one in self.coming if one.send_at > now]
        for one in planned:
            if self._reaches(one):
                self._plan_email(one.send_at, Lane.BULK, sendout=one.id)
        return bool(planned or self.starting)

    def _reaches(self, one: Sendout) -> bool:
        return not one.tag or one.tag in self.tags

    # The ledger

    def _plan_email(self, due_at: datetime, lane: Lane, *, step_id: int = 0, walk: int = -1, sendout: int = 0) -> None:
        self.waiting.append(Waiting(self.planned, due_at, lane, step_id, sendout, walk, lane in self.house.held))
        self.planned += 1

    def _send(self, now: datetime, gone: list[Happening]) -> bool:
        """Hand over what is due; whether anything was."""
        batch = [one for one in self.waiting if one.due_at <= now and not one.still]
        if not batch:
            return False
        self.waiting = [one for one in self.waiting if one not in batch]
        self.sent = [one for one in self.sent if one[0] > now - LONGEST_DAY]
        if len(batch) > 1:  # what has more right to the day is asked first, as the ledger does it
            batch.sort(key=self._rank)
        for one in [one for one in batch if self._may_go(one, now)]:
            later = self._verdict(one, now) if self.house.one_a_day and not one.insisted else None
            if later is not None:
                moved_from = one.moved_from or one.due_at
                self.waiting.append(replace(one, due_at=later.at, moved_from=moved_from, because=later.because))
                continue
            self.sent.append((now, one.reason))
            walk = self.walks[one.walk] if one.step_id else None
            if walk is not None:
                self.ended.append((one.walk, now, True))
                self._press(one.walk, walk, one.step_id)
            course_id = walk.course_id if walk else 0
            gone.append(Happening(now, one.step_id, one.broadcast_id, course_id, one.moved_from, one.because))
            self.heard(gone[-1], course_id, now)
        return True

    def _press(self, number: int, walk: Walk, step_id: int) -> None:
        """What an invented reader does with an email that has just arrived."""
        step = self.house.courses[walk.course_id].step(step_id) if self.life.presses else None
        if step and {step.key, ANY} & self.life.presses:
            self.walks[number] = replace(walk, clicked=walk.clicked | {step.key})

    def _rank(self, one: Waiting) -> tuple[int, datetime, int]:
        return days.rank(_mail(one), self.house.first)

    def _may_go(self, one: Waiting, now: datetime) -> bool:
        """Not when its reader has left the course or its step is gone, and not without a word when it is overdue."""
        if not one.step_id:
            return True
        walk = self.walks[one.walk]
        if walk is None:
            return False
        course = self.house.courses[walk.course_id]
        if course.step(one.step_id) is None or left(course, self._facts(course, walk)):
            self.ended.append((one.walk, now, False))
            return False
        return not days.is_overdue(one.due_at, now, self.house.overdue_hours)

    def _verdict(self, one: Waiting, now: datetime) -> days.Later | None:
        others = [_mail(other) for other in self.waiting if self._wants_the_day(other, now)]
        if not self.house.held and days.gives_way_to_coming(one.lane, self.house.first):  # held: the other lane is
            others += self._coming(one.lane)
        if not others and not self.sent:
            return None
        fit = self._fit_of(one)
        return days.verdict(
            _mail(one), gone=self.sent, waiting=others, first=self.house.first, zone=self.zone, now=now, fit=fit
        )

    def _wants_the_day(self, one: Waiting, now: datetime) -> bool:
        """As the ledger has it: what is held does not; what belongs to a paused reader does until its turn comes."""
        if one.still:
            return bool(one.step_id) and one.lane not in self.house.held and one.due_at > now
        return one.lane != Lane.SEQUENCE or not days.is_overdue(one.due_at, now, self.house.overdue_hours)

    def _fit_of(self, one: Waiting) -> days.Fit | None:
        walk = self.walks[one.walk] if one.step_id else None
        step = self.house.courses[walk.course_id].step(one.step_id) if walk else None
        return partial(fit, step.timing) if step else None

    def _coming(self, lane: int) -> Iterator[days.Mail]:
        """What is not in the ledger yet: steps for a broadcast that gives way to them, broadcasts for a step."""
        if lane == Lane.SEQUENCE:
            for one in [*self.coming, *self.starting]:
                if self._reaches(one):
                    yield days.Mail(Lane.BULK, one.send_at, one.send_at, COMING, f"broadcast:{one.id}")
            return
        for walk in self.walks:
            if walk and not walk.still and walk.place.due_at:
                at, step = walk.place.due_at, self.house.courses[walk.course_id].step(walk.place.step_id)
                if step is not None and step.kind == Kind.EMAIL:
                    yield days.Mail(Lane.SEQUENCE, at, at, COMING, f"step:{step.id}")


def _mail(one: Waiting) -> days.Mail:
    return days.Mail(one.lane, one.due_at, one.moved_from or one.due_at, one.order, one.reason)
