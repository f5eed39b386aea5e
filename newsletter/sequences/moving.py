"""Where the readers of a sequence stand after an edit of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from zoneinfo import ZoneInfo

from newsletter.errors import InputError
from newsletter.sequences.drafts import Draft
from newsletter.sequences.rules import Course, Kind, Place, Step, due, minute

LONGEST_SPREAD = 336  # hours; beyond two weeks it is another series


class AtOnce(StrEnum):
    """What becomes of those whom an edit makes due at once (semantics 3.9)."""

    NOW = "now"
    SPREAD = "spread"  # one after the other over some hours
    KEEP = "keep"  # not before the moment for which their next step was due anyway


@dataclass(frozen=True)
class Choices:
    """What the operator chose about an edit; `confirmed` is how many due at once they have seen and agreed to.

    `finished`: those who finished get what was appended, too (semantics 3.11).
    """

    at_once: str = AtOnce.NOW
    spread_hours: int = 24
    finished: bool = False
    confirmed: int = 0

    def __post_init__(self) -> None:
        if self.at_once not in set(AtOnce) or not 1 <= self.spread_hours <= LONGEST_SPREAD:
            raise InputError("That cannot be chosen.", remedy=f"Spread over 1 to {LONGEST_SPREAD} hours.")


def course(draft: Draft, sequence_id: int, overdue_hours: int) -> Course:
    """A draft as the planner sees it."""
    steps = tuple(
        Step(step.id, step.key, at, step.kind, step.timing, step.config, step.deleted)
        for at, step in enumerate(draft.steps, 1)
    )
    return Course(
        sequence_id,
        draft.slug,
        steps,
        draft.min_gap_hours,
        draft.evergreen,
        draft.reentry,
        draft.cooldown_days,
        draft.entry,
        draft.goal,
        draft.exits,
        overdue_hours,
    )


def moves_people(before: Draft, after: Draft) -> bool:
    """Whether the difference is one by which a reader may stand elsewhere, or wait for another moment."""
    return _paths(before) != _paths(after)


def _paths(draft: Draft) -> tuple[object, ...]:
    steps = [(step.id, step.kind, step.timing, step.deleted) for step in draft.steps]
    return steps, draft.min_gap_hours, draft.evergreen


@dataclass(frozen=True)
class Switch:
    """From one course to another: where each reader goes on."""

    before: Course
    after: Course

    def place(self, place: Place, *, zone: ZoneInfo, now: datetime) -> Place:
        """Where a reader stands under the other course, with the time already waited credited (semantics 3.9).

        Whoever waits on a step that is deleted waits out the remainder (3.10); nobody meets a step again (3.1).
        """
        step, skips, alike = self._onward(place)
        due_at = place.due_at
        if not alike:
            due_at = due(self.after, step, place, zone=zone, now=now) if step is not None else None
        step_id = step.id if step is not None else place.step_id if alike else None
        # Written out: `replace` takes three times as long, and an edit moves a hundred thousand.
        return Place(place.enrolled_at, place.since, place.sent_at, step_id, due_at, place.last_id, skips)

    def _onward(self, place: Place) -> tuple[Step | None, frozenset[int], bool]:
        """The step to go on with, what is passed over, and whether its moment stays; the same for all who stand alike.

        Without a step the moment stays for those who go on waiting as they do, else nothing is ahead.
        """
        alike = place.step_id, place.last_id, place.due_at is None, place.skips
        if alike not in self._known:
            self._known[alike] = self._found(place)
        return self._known[alike]

    def _found(self, place: Place) -> tuple[Step | None, frozenset[int], bool]:
        if place.step_id is not None and (place.due_at is None or self.after.step(place.step_id) is None):
            return None, place.skips | self._met_again(place, place.step_id), True
        target = self._target(place)
        if target is None:
            return None, place.skips, False
        alike = target.id == place.step_id and self._timed_alike(target)
        return target, place.skips | self._met_again(place, target.id), alike

    def moves(self, place: Place) -> bool:
        """Whether anybody who stands at this step, whenever it is due for them, may stand elsewhere or wait anew."""
        step, skips, alike = self._onward(place)
        if step is None and not alike:
            return place.step_id is not None
        return not alike or skips != place.skips

    def ended_last(self, last_id: int | None) -> bool:
        """Whether a finished reader who passed that step last had everything, rather than came to an end before it."""
        last = self._old.get(last_id or 0)
        early = last is not None and last.kind in {Kind.END, Kind.MOVE, Kind.CONDITION}
        return not early and self.before.after(last_id) is None

    def goes_on(self, last_id: int | None) -> bool:
        """Whether somebody who had everything up to that step has something ahead now."""
        return self.ended_last(last_id) and self.after.after(last_id) is not None

    def _target(self, place: Place) -> Step | None:
        """The first step in the new order that a reader has not had and that is not behind them.

        Of the old steps that is whatever lay ahead; of the new ones, what stands behind the step they passed last.
        """
        waits = self._position(self._old, place.step_id)
        following = self.before.after(place.last_id, place.skips)
        fell_through = place.step_id is None or (following is not None and following.id == place.step_id)
        # Whoever was led here by a condition has left what lies between behind.
        from_here = self._position(self._new, place.last_id if fell_through else place.step_id) or 0
        for step in self.after.steps:
            old = self.before.step(step.id)
            ahead = step.position > from_here if old is None else waits is not None and old.position >= waits
            if (ahead or step.id == place.step_id) and not step.deleted and step.id not in place.skips:
                return step
        return None

    def _met_again(self, place: Place, here: int) -> frozenset[int]:
        """Steps that were behind a reader and lie ahead of `here` now."""
        waiting = place.step_id is not None and place.due_at is not None
        passed = self._position(self._old, place.step_id if place.step_id is not None else place.last_id)
        if passed is None:
            return frozenset()
        behind = {step.id for step in self.before.steps if step.position < passed + (not waiting)}
        return frozenset(
            step.id for step in self.after.steps if step.id in behind and step.position > self._new[here].position
        )

    def _timed_alike(self, step: Step) -> bool:
        old = self._old.get(step.id)
        alike = old is not None and (old.timing, old.kind) == (step.timing, step.kind)
        return alike and self.before.min_gap_hours == self.after.min_gap_hours

    def _position(self, steps: Mapping[int, Step], step_id: int | None) -> int | None:
        found = steps.get(step_id) if step_id is not None else None
        return found.position if found else None

    @cached_property
    def _known(self) -> dict[object, tuple[Step | None, frozenset[int], bool]]:
        return {}

    @cached_property
    def _old(self) -> dict[int, Step]:
        return {step.id: step for step in self.before.steps}

    @cached_property
    def _new(self) -> dict[int, Step]:
        return {step.id: step for step in self.after.steps}


def due_at_once(old: Place, new: Place, now: datetime) -> bool:
    """Whether an edit makes a reader due at once who was not."""
    was_due = old.due_at is not None and old.due_at <= now
    return not was_due and new.due_at is not None and new.due_at <= now and new != old


def chosen(old: Place, new: Place, choices: Choices, share: float, now: datetime) -> Place:
    """The place of a reader who would be due at once, as the operator chose; `share` of such readers come before."""
    if choices.at_once == AtOnce.KEEP:
        return replace(new, due_at=max(old.due_at or now, now))
    if choices.at_once == AtOnce.SPREAD:
        return replace(new, due_at=max(minute(now + timedelta(hours=choices.spread_hours) * share), now))
    return new
