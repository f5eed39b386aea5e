"""What the forecast knows of the house and of each reader before it runs: plain values, read once. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import cached_property
from zoneinfo import ZoneInfo

from newsletter.delivery.days import SERIES, Gone
from newsletter.sequences.rules import CountsFrom, Course, Kind, Place, Round
from newsletter.sequences.triggers import Opening


@dataclass(frozen=True, slots=True)
class Sendout:
    """A broadcast whose readers are not all in the ledger: who has the `tag` ("": everybody) is asked when it starts.

    `person`: only to that reader (0: to all). One that has started reaches those behind `after` up to `through`.
    """

    id: int
    send_at: datetime
    tag: str = ""
    person: int = 0
    after: int = 0
    through: int | None = None

    def may_reach(self, subscriber_id: int) -> bool:
        """Whether it goes to that reader, as far as their tags do not decide."""
        within = self.after < subscriber_id and (self.through is None or subscriber_id <= self.through)
        return within and self.person in {0, subscriber_id}


@dataclass(frozen=True)
class House:
    """What is the same for all readers."""

    courses: Mapping[int, Course] = field(default_factory=dict)
    sendouts: tuple[Sendout, ...] = ()  # in the order of their moments
    openings: tuple[Opening, ...] = ()  # triggers: tags that steps give and dates let readers join
    stopped: frozenset[int] = frozenset()  # paused courses: who enters one stays where they begin (semantics 3.15)
    held: frozenset[int] = frozenset()  # lanes of which nothing leaves, what is planned meanwhile waits (3.20)
    one_a_day: bool = True
    first: str = SERIES
    overdue_hours: int = 48

    @cached_property
    def from_joining(self) -> frozenset[int]:
        """The courses of which a step counts from joining."""
        counts = CountsFrom.ENROLLMENT
        return frozenset(
            one.id for one in self.courses.values() if any(step.timing.counts_from == counts for step in one.steps)
        )

    @cached_property
    def enterable(self) -> tuple[int, ...]:
        """The courses that readers may enter while their days pass: by a tag, by a date, or moved from another."""
        slugs = {course.slug: course.id for course in self.courses.values()}
        steps = (step for course in self.courses.values() for step in course.steps if not step.deleted)
        named = {slugs[to] for step in steps if step.kind == Kind.MOVE and (to := step.config.get("to")) in slugs}
        return tuple(sorted(named | {one.sequence_id for one in self.openings}))

    def with_course(self, course: Course) -> House:
        """The same house with a course as it would be after an edit."""
        return replace(self, courses={**self.courses, course.id: course})


@dataclass(frozen=True, slots=True)
class Walk:
    """A reader's way through one course; `still` when it waits for an operator's word, not for a moment."""

    course_id: int
    place: Place
    clicked: frozenset[str] = frozenset()
    still: bool = False


@dataclass(frozen=True, slots=True)
class Waiting:
    """An email in the ledger that has not left: a step's (`walk` is its place among the walks) or a broadcast's.

    `order` is its place among the reader's, as the ids of the ledger have it.
    `still` when its lane or its broadcast is held, or an operator has to decide about it; `insisted` when one has let
    it go whatever else there is on the day. `because` is what it was moved for, see `Happening`.
    """

    order: int
    due_at: datetime
    lane: int
    step_id: int = 0
    broadcast_id: int = 0
    walk: int = -1
    still: bool = False
    insisted: bool = False
    moved_from: datetime | None = None
    because: str = ""

    @property
    def reason(self) -> str:
        """What it is to others, as the ledger's reasons begin."""
        return f"step:{self.step_id}" if self.step_id else f"broadcast:{self.broadcast_id}"


@dataclass(frozen=True, slots=True)
class Told:
    """Something that just happened with the reader and that the worker has not looked at yet."""

    at: datetime
    kind: str  # audience.rules.Happened
    what: str


@dataclass(frozen=True, slots=True)
class Ended:
    """A step's email that has ended before the forecast begins, which the worker's next turn will see."""

    walk: int
    at: datetime
    sent: bool


@dataclass(frozen=True, slots=True)
class Birthday:
    """A date (local day `next_on`) at which a trigger lets the reader join; `value` says when it does after that."""

    next_at: datetime
    next_on: date
    opening_id: int
    value: str


@dataclass(frozen=True, slots=True)
class Life:
    """One reader at the moment the forecast begins. `walks` and `waiting` in the order of their ids."""

    subscriber_id: int
    zone: ZoneInfo
    walks: tuple[Walk, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    ended: tuple[Ended, ...] = ()
    sent: tuple[Gone, ...] = ()  # marketing emails of the last days
    tags: frozenset[str] = frozenset()
    downloaded: frozenset[str] = frozenset()
    fields: Mapping[str, str] = field(default_factory=dict)
    rounds: Mapping[int, Round] = field(default_factory=dict)  # the last time in courses they may enter (again)
    dates: tuple[Birthday, ...] = ()
    told: tuple[Told, ...] = ()
    paused: bool = False  # all their series are (semantics 3.15)
    presses: frozenset[str] = frozenset()  # of an invented reader: the emails (keys, or "any") whose links they press


@dataclass(frozen=True, slots=True)
class Happening:
    """An email that leaves: a step's or a broadcast's, and from when it was moved (semantics 3.17).

    `because` is the beginning of the other email's reason, as `step:4` or `broadcast:7`, or the ledger's own sentence.
    """

    at: datetime
    step_id: int = 0
    broadcast_id: int = 0
    course_id: int = 0
    moved_from: datetime | None = None
    because: str = ""
