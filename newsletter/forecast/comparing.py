"""What an edit of a series means for its readers: their days with it beside their days without it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from newsletter.sequences.drafts import EMAIL, Draft, subject

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
NEVER = datetime.max.replace(tzinfo=UTC)
Days = Mapping[int, datetime]  # when a reader gets which step, by its id


@dataclass(frozen=True, slots=True)
class Shift:
    """One email of one reader: when they would get it without the edit, and when with it; None is never."""

    subscriber_id: int
    old: datetime | None
    new: datetime | None


@dataclass(frozen=True)
class StepImpact:
    """What an edit means for one email: whose moves, who gets it only because of it, who never does any more.

    `was` is what it was called before, where that is something else; `likewise` that it moves as the one before it.
    """

    step_id: int
    title: str
    was: str
    subject: str
    deleted: bool
    moved: tuple[Shift, ...] = ()
    gained: tuple[Shift, ...] = ()
    lost: tuple[Shift, ...] = ()
    likewise: bool = False

    @property
    def shifts(self) -> list[tuple[str, int]]:
        """By how much it moves for how many, like ("1 day later", 34); the most frequent ones first."""
        counted = Counter(shift_words(one.new - one.old) for one in self.moved if one.new and one.old)
        return counted.most_common()


@dataclass(frozen=True)
class Impact:
    """What an edit means for the readers of a series.

    `people` are under way; `looked` of them were run through, those who are next; `waits_moved` and `at_once` count
    all: whose next step moves, and who would get it at once who would not without the edit (semantics 3.9).
    `finished` had everything and would get what is new if the operator wants it (3.11). Of those whose date lets them
    join within 30 days, `turned_away` join no more, and `let_in` only now.
    """

    people: int = 0
    looked: int = 0
    waits_moved: int = 0
    at_once: int = 0
    finished: int = 0
    turned_away: int = 0
    let_in: int = 0
    steps: tuple[StepImpact, ...] = ()
    readers_moved: int = 0
    readers_lost: int = 0
    readers_gained: int = 0
    first_at: datetime | None = None  # the first email that anybody gets because of it
    names: Mapping[int, str] = field(default_factory=dict)  # addresses of those whose days are shown

    @property
    def nobody(self) -> bool:
        """Whether it changes nothing for anybody in the series or soon to join, and leaves nothing to choose."""
        found = self.steps, self.waits_moved, self.at_once, self.finished, self.turned_away, self.let_in
        return not any(found)

    @property
    def whole(self) -> bool:
        """Whether everybody was run through."""
        return self.looked >= self.people

    def sample(self) -> Iterator[int]:
        """The readers whose days a page shows."""
        for step in self.steps:
            for group in (step.moved, step.gained, step.lost):
                yield from (one.subscriber_id for one in group[:SHOWN])


SHOWN = 20  # readers named for each email; more is a list that nobody reads


def compared(before: Draft, after: Draft, readers: Iterable[tuple[int, Days, Days]]) -> Impact:
    """The impact on these readers, each with their days without the edit and with it."""
    moved: dict[int, list[Shift]] = {}
    gained: dict[int, list[Shift]] = {}
    lost: dict[int, list[Shift]] = {}
    who: tuple[set[int], set[int], set[int]] = (set(), set(), set())
    looked, first = 0, None
    for reader, old, new in readers:
        looked += 1
        for step_id in old.keys() | new.keys():
            shift = Shift(reader, old.get(step_id), new.get(step_id))
            if shift.old == shift.new:
                continue
            number = 1 if shift.new is None else 2 if shift.old is None else 0
            (moved, lost, gained)[number].setdefault(step_id, []).append(shift)
            who[number].add(reader)
            first = min((at for at in (first, shift.new) if at), default=None)
    steps = tuple(_steps(before, after, moved, gained, lost))
    return Impact(
        looked=looked,
        steps=steps,
        readers_moved=len(who[0]),
        readers_lost=len(who[1]),
        readers_gained=len(who[2]),
        first_at=first,
    )


def _steps(
    before: Draft,
    after: Draft,
    moved: Mapping[int, list[Shift]],
    gained: Mapping[int, list[Shift]],
    lost: Mapping[int, list[Shift]],
) -> Iterator[StepImpact]:
    living, known = {step.id for step in after.living}, {step.id for step in before.living}
    last: StepImpact | None = None
    for step in after.steps:
        moves, gains, losses = (tuple(sorted(found.get(step.id, ()), key=_when)) for found in (moved, gained, lost))
        if step.kind != EMAIL or not (moves or gains or losses):
            continue
        deleted = step.id not in living
        title = (before if deleted else after).title(step.id)
        was = before.title(step.id) if step.id in known else title
        one = StepImpact(step.id, title, was if was != title else "", subject(step), deleted, moves, gains, losses)
        alike = last is not None and not (one.gained or one.lost) and one.shifts == last.shifts
        last = replace(one, likewise=alike)
        yield last


def _when(shift: Shift) -> tuple[datetime, int]:
    return shift.new or shift.old or NEVER, shift.subscriber_id


def shift_words(by: timedelta) -> str:
    """How far a moment moves: “1 day later”, “3 hours earlier”; days are counted as a person does, by their nights."""
    size, word = abs(by), "later" if by > timedelta() else "earlier"
    days = round(size / DAY)
    # A change of the clocks in between makes a day 23 or 25 hours long.
    if days and abs(size - days * DAY) <= HOUR:
        return f"{_many(days, 'day')} {word}"
    hours, minutes = divmod(round(size / MINUTE), 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "day"), (hours, "hour"), (0 if days else minutes, "minute")]
    return " ".join([*(_many(count, name) for count, name in parts if count), word])


def _many(count: int, name: str) -> str:
    return f"{count} {name}{'' if count == 1 else 's'}"
