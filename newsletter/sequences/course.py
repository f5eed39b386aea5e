"""A sequence, and where a reader stands in it, as the planner sees them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Any

from newsletter.sequences.civil import Timing, Way
from newsletter.sequences.conditions import Condition


class Kind(StrEnum):
    """What a step does when its moment has come."""

    EMAIL = "email"
    WAIT = "wait"  # nothing: it is its delay
    CONDITION = "condition"  # asks about the reader and goes on at one of two later steps
    TAG = "tag"
    MOVE = "move"  # ends this sequence and begins another one
    END = "end"


class Reentry(StrEnum):
    """Whether a person may have a sequence more than once (semantics 3.12)."""

    NEVER = "never"
    COMPLETED = "completed"  # once they have had it to its end
    ALWAYS = "always"  # whenever they are not in it, after the cool-down


AT_ONCE = Timing()
END = "end"  # where a condition may lead beside a step's key


@dataclass(frozen=True)
class Step:
    """A step as the planner sees it."""

    id: int
    key: str
    position: int
    kind: str = Kind.EMAIL
    timing: Timing = AT_ONCE
    config: Mapping[str, Any] = field(default_factory=dict, hash=False)
    deleted: bool = False


@dataclass(frozen=True)
class Course:
    """A sequence as the planner sees it; `steps` in the order of their positions, deleted ones among them.

    `entry` is asked of whoever would join, and never again.
    What is later than `overdue_hours` is not moved into the next window but handed over as late as it is (3.16).
    """

    id: int = 0
    slug: str = ""
    steps: tuple[Step, ...] = ()
    min_gap_hours: int = 20
    evergreen: bool = False
    reentry: str = Reentry.NEVER
    cooldown_days: int = 0
    entry: Condition = field(default_factory=dict, hash=False)
    goal: Condition = field(default_factory=dict, hash=False)
    exits: tuple[Condition, ...] = field(default=(), hash=False)
    overdue_hours: int = 48

    @cached_property
    def _by_id(self) -> dict[int, Step]:
        return {step.id: step for step in self.steps}

    @cached_property
    def asks(self) -> bool:
        """Whether its way, or who may join, depends on facts about the reader; if not, nobody need know them."""
        live = any(step.kind == Kind.CONDITION for step in self.steps if not step.deleted)
        return bool(self.entry or self.goal or self.exits or live)

    @cached_property
    def conditions(self) -> tuple[Condition, ...]:
        """What is asked of those who are inside: its goal, its exits, and what its steps ask."""
        live = (step for step in self.steps if step.kind == Kind.CONDITION and not step.deleted)
        return self.goal, *self.exits, *(step.config.get("if") or {} for step in live)

    def step(self, step_id: int | None) -> Step | None:
        """The step with that id, unless it was deleted."""
        found = self._by_id.get(step_id) if step_id is not None else None
        return None if found is None or found.deleted else found

    def after(self, step_id: int | None, skips: frozenset[int] = frozenset()) -> Step | None:
        """The step that follows the one with that id (which may be deleted) and is not among `skips`.

        The first one after None.
        """
        known = self._by_id.get(step_id) if step_id is not None else None
        passed = known.position if known else -1
        ahead = (step for step in self.steps if step.position > passed)
        return next((step for step in ahead if not step.deleted and step.id not in skips), None)

    def onward(self, step: Step, key: str, skips: frozenset[int] = frozenset()) -> Step | None:
        """Where a condition's branch leads: to the later step of that key, "" the next one, None the end.

        Only ever forward, so that no reader walks in circles; a step that was deleted leads to what follows it.
        """
        if key == END:
            return None
        named = next((other for other in self.steps if key and other.key == key), None)
        if named is None or named.position <= step.position:
            return self.after(step.id, skips)
        return self.after(named.id, skips) if named.deleted or named.id in skips else named


@dataclass(frozen=True, slots=True)
class Place(Way):
    """Where a reader stands: at which step, and when it is due (None while its email is on its way).

    `step_id` None: at the end; `last_id` is the step passed last; `skips` are passed over, as if they were not there:
    a step this reader has had already, which an edit moved ahead of them (semantics 3.1).
    """

    step_id: int | None = None
    due_at: datetime | None = None
    last_id: int | None = None
    skips: frozenset[int] = frozenset()
