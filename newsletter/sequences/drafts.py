"""A whole sequence as one value: what an edit begins with and ends in, and what a version keeps. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import time
from functools import lru_cache
from typing import Any

from newsletter.errors import NotFound, SourceError
from newsletter.messages.source import parse
from newsletter.sequences import models, timing
from newsletter.sequences.rules import CountsFrom, Timing, Unit

EMAIL = "email"
TITLES = {
    EMAIL: "email",
    "wait": "wait",
    "condition": "question",
    "tag": "tag",
    "move": "change of series",
    "end": "end",
}


@dataclass(frozen=True)
class DraftStep:
    """A step with everything it says and does; `id` is below 0 as long as the database has not seen it."""

    id: int
    key: str
    kind: str = EMAIL
    timing: Timing = field(default_factory=Timing)
    config: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""
    deleted: bool = False


@dataclass(frozen=True)
class Draft:
    """A sequence as it is or might be; `steps` in their order, deleted ones behind what they stood behind."""

    slug: str
    name: str
    description: str = ""
    steps: tuple[DraftStep, ...] = ()
    min_gap_hours: int = 20
    evergreen: bool = False
    reentry: str = "never"
    cooldown_days: int = 0
    entry: Mapping[str, Any] = field(default_factory=dict)
    goal: Mapping[str, Any] = field(default_factory=dict)
    exits: tuple[Mapping[str, Any], ...] = ()

    @property
    def living(self) -> tuple[DraftStep, ...]:
        """The steps that were not deleted."""
        return tuple(step for step in self.steps if not step.deleted)

    def step(self, step_id: int) -> DraftStep:
        """The living step with that id; raises NotFound."""
        found = next((step for step in self.living if step.id == step_id), None)
        if found is None:
            raise NotFound("This series has no such step (any more).", remedy="Go back to the series.")
        return found

    def with_step(self, changed: DraftStep) -> Draft:
        """The same with one step replaced by another of its id."""
        return replace(self, steps=tuple(changed if step.id == changed.id else step for step in self.steps))

    def title(self, step_id: int) -> str:
        """What people call a step: “email 3”, “the wait after email 2”, “the question at the start”."""
        emails = 0
        for step in self.living:
            emails += step.kind == EMAIL
            if step.id == step_id:
                break
        else:
            return self._deleted_title(step_id)
        if step.kind == EMAIL:
            return f"email {emails}"
        return f"the {TITLES.get(step.kind, step.kind)} {f'after email {emails}' if emails else 'at the start'}"

    def _deleted_title(self, step_id: int) -> str:
        gone = next((step for step in self.steps if step.id == step_id), None)
        return f"“{subject(gone) or gone.key}” (deleted)" if gone else "a step"


def subject(step: DraftStep) -> str:
    """An email's subject as its author wrote it; empty for the other kinds."""
    return _subject(step.source) if step.kind == EMAIL else ""


@lru_cache(maxsize=256)
def _subject(source: str) -> str:
    try:
        return parse(source).subject
    except SourceError:
        return ""


def of_rows(series: models.Sequence, rows: Iterable[models.Step]) -> Draft:
    """What the database holds of a sequence; `rows` in their order, deleted ones among them."""
    return Draft(
        slug=series.slug,
        name=series.name,
        description=series.description,
        steps=tuple(_of_row(row) for row in rows),
        min_gap_hours=series.min_gap_hours,
        evergreen=series.evergreen,
        reentry=series.reentry,
        cooldown_days=series.cooldown_days,
        entry=series.entry,
        goal=series.goal,
        exits=tuple(series.exits),
    )


def _of_row(row: models.Step) -> DraftStep:
    when = timing.of_step(row)
    return DraftStep(row.id, row.key, row.kind, when, row.config, row.source, row.deleted_at is not None)


def written(draft: Draft) -> dict[str, Any]:
    """A draft as JSON."""
    return {
        "slug": draft.slug,
        "name": draft.name,
        "description": draft.description,
        "steps": [_written(step) for step in draft.steps],
        "min_gap_hours": draft.min_gap_hours,
        "evergreen": draft.evergreen,
        "reentry": draft.reentry,
        "cooldown_days": draft.cooldown_days,
        "entry": dict(draft.entry),
        "goal": dict(draft.goal),
        "exits": [dict(one) for one in draft.exits],
    }


def _written(step: DraftStep) -> dict[str, Any]:
    opens, closes = timing.write_window(step.timing)
    return {
        "id": step.id,
        "key": step.key,
        "kind": step.kind,
        "amount": step.timing.amount,
        "unit": str(step.timing.unit),
        "counts_from": str(step.timing.counts_from),
        "window": [opens, closes] if opens else [],
        "weekdays": step.timing.weekdays,
        "config": dict(step.config),
        "source": step.source,
        "deleted": step.deleted,
    }


def read(kept: Mapping[str, Any]) -> Draft:
    """A draft from the JSON of `written`."""
    plain = {name: kept[name] for name in kept if name not in {"steps", "exits", "triggers"}}
    return Draft(**plain, steps=tuple(_read(step) for step in kept["steps"]), exits=tuple(kept["exits"]))


def _read(kept: Mapping[str, Any]) -> DraftStep:
    opens, closes = kept["window"] or ("", "")
    window = (time.fromisoformat(opens), time.fromisoformat(closes)) if opens else None
    when = Timing(kept["amount"], Unit(kept["unit"]), CountsFrom(kept["counts_from"]), window, kept["weekdays"])
    return DraftStep(kept["id"], kept["key"], kept["kind"], when, kept["config"], kept["source"], kept["deleted"])
