"""Edits of a sequence as values: each makes a new draft of the old one, says itself in words, and may refuse. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Protocol

from newsletter.errors import InputError, NotFound
from newsletter.sequences import stepforms, wording
from newsletter.sequences.checking import END, check
from newsletter.sequences.differing import rules_words, timing_words
from newsletter.sequences.drafts import EMAIL, TITLES, Draft, DraftStep, subject
from newsletter.sequences.rules import Timing
from newsletter.sequences.stepforms import Form
from newsletter.sequences.timing import say

NEW = -1  # the id of a step that the database has not seen


class Edit(Protocol):
    """A change of a sequence that nobody has made yet."""

    structural: ClassVar[bool]  # false: only words change, and nobody moves (semantics 3.2)

    def on(self, draft: Draft) -> Draft:
        """The sequence after it; raises InputError or NotFound when it cannot be."""
        ...

    def words(self, draft: Draft) -> str:
        """What it does to `draft`, as a sentence without its full stop."""
        ...


@dataclass(frozen=True)
class Add:
    """A new step behind the living one with id `after`, first where that is None."""

    after: int | None
    kind: str
    timing: Timing
    config: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""
    structural: ClassVar[bool] = True

    def on(self, draft: Draft) -> Draft:
        """The draft with the step in its place, under a key of its own."""
        wish = subject(DraftStep(NEW, "", source=self.source)) if self.kind == EMAIL else self.kind
        step = DraftStep(NEW, fresh_key(draft, wish), self.kind, self.timing, self.config, self.source)
        return check(_behind(draft, self.after, step))

    def words(self, draft: Draft) -> str:
        """Like “A new email “Hips” behind email 2: 3 days later”."""
        title = subject(DraftStep(NEW, "", source=self.source)) if self.kind == EMAIL else ""
        named = f"{TITLES.get(self.kind, self.kind)}{f' “{title}”' if title else ''}"
        place = "at the start" if self.after is None else f"behind {draft.title(self.after)}"
        return f"A new {named} {place}: {say(self.timing, first=self.after is None, mails=self.kind == EMAIL)}"


@dataclass(frozen=True)
class Duplicate:
    """A copy of a step right behind it."""

    step: int
    structural: ClassVar[bool] = True

    def on(self, draft: Draft) -> Draft:
        """The draft with the copy, under a key of its own."""
        found = draft.step(self.step)
        return check(_behind(draft, found.id, replace(found, id=NEW, key=fresh_key(draft, found.key))))

    def words(self, draft: Draft) -> str:
        """Like “A copy of email 2 behind it”."""
        return f"A copy of {draft.title(draft.step(self.step).id)} behind it"


@dataclass(frozen=True)
class Delete:
    """A step less; those who wait on it wait out the remainder and go on to the next (semantics 3.10)."""

    step: int
    structural: ClassVar[bool] = True

    def on(self, draft: Draft) -> Draft:
        """The draft with the step marked deleted: its id and its place stay."""
        return check(draft.with_step(replace(draft.step(self.step), deleted=True)))

    def words(self, draft: Draft) -> str:
        """Like “Email 3 “Hips” is deleted”."""
        found = draft.step(self.step)
        named = f" “{subject(found)}”" if found.kind == EMAIL else ""
        return f"{_capital(draft.title(found.id))}{named} is deleted"


@dataclass(frozen=True)
class Move:
    """A step at another place, `to` counted from 1 among the living."""

    step: int
    to: int
    structural: ClassVar[bool] = True

    def on(self, draft: Draft) -> Draft:
        """The draft in the new order, every deleted step still behind the one it stood behind."""
        found = draft.step(self.step)
        living = [step for step in draft.living if step.id != found.id]
        if not 1 <= self.to <= len(living) + 1:
            raise InputError("There is no such place in this series.", remedy="Go back to the series.")
        living.insert(self.to - 1, found)
        return check(replace(draft, steps=_with_deleted(draft, living)))

    def words(self, draft: Draft) -> str:
        """Like “Email 4 goes before email 2”."""
        others = [step for step in draft.living if step.id != self.step]
        title = _capital(draft.title(draft.step(self.step).id))
        if self.to > len(others):
            return f"{title} goes last"
        return f"{title} goes before {draft.title(others[max(self.to, 1) - 1].id)}"


@dataclass(frozen=True)
class Change:
    """Another timing, or another thing that a step does."""

    step: int
    timing: Timing
    config: Mapping[str, Any] = field(default_factory=dict)
    structural: ClassVar[bool] = True

    def on(self, draft: Draft) -> Draft:
        """The draft with the step changed."""
        found = draft.step(self.step)
        return check(draft.with_step(replace(found, timing=self.timing, config=self.config)))

    def words(self, draft: Draft) -> str:
        """Like “Email 3 goes 3 days after email 2 instead of 2 days”."""
        found = draft.step(self.step)
        said = []
        if found.timing != self.timing:
            said.append(timing_words(draft, found, self.timing))
        if dict(found.config) != dict(self.config):
            said.append(f"{_capital(draft.title(found.id))} does something else")
        return " and ".join(said) or f"Nothing about {draft.title(found.id)}"


@dataclass(frozen=True)
class Rules:
    """What holds for the whole series: the gap between emails, who may join and again, evergreen, goal and exits."""

    min_gap_hours: int
    reentry: str
    cooldown_days: int
    evergreen: bool
    entry: Mapping[str, Any] = field(default_factory=dict)
    goal: Mapping[str, Any] = field(default_factory=dict)
    exits: tuple[Mapping[str, Any], ...] = ()
    structural: ClassVar[bool] = True

    def on(self, draft: Draft) -> Draft:
        """The draft under these rules."""
        named = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "structural"}
        return check(replace(draft, **named))

    def words(self, draft: Draft) -> str:
        """Like “At least 24 hours between two emails instead of 20”."""
        return rules_words(draft, self.on(draft)) or "Nothing about the rules of this series"


@dataclass(frozen=True)
class Reword:
    """New words for an email; whoever has not got it yet gets these (semantics 3.2)."""

    step: int
    subject: str
    preheader: str
    body: str
    structural: ClassVar[bool] = False

    def on(self, draft: Draft) -> Draft:
        """The draft with the email's source written anew."""
        found = draft.step(self.step)
        if found.kind != EMAIL:
            raise NotFound("Only emails have words.", remedy="Go back to the series.")
        return draft.with_step(replace(found, source=wording.write(self.subject, self.preheader, self.body)))

    def words(self, draft: Draft) -> str:
        """Like “New words for email 3”."""
        return f"New words for {draft.title(draft.step(self.step).id)}"


@dataclass(frozen=True)
class Replace:
    """The whole series as another draft has it, its steps known by their keys (semantics 3.1)."""

    draft: Draft
    structural: ClassVar[bool] = True

    def on(self, draft: Draft) -> Draft:
        """The other draft with this one's ids; steps it does not have are deleted and keep their places."""
        known = {step.key: step for step in draft.steps}
        ids = iter(range(NEW, NEW - len(self.draft.steps) - 1, -1))
        living = [
            replace(step, id=known[step.key].id if step.key in known else next(ids), deleted=False)
            for step in self.draft.living
        ]
        return check(replace(self.draft, slug=draft.slug, steps=_with_deleted(draft, living)))

    def words(self, draft: Draft) -> str:  # noqa: ARG002
        """What it is; the differences say the rest."""
        return "The whole series is brought in from its files"


@dataclass(frozen=True)
class Restore:
    """The series as it was once, its steps known by their ids; what came since is deleted.

    `undone` is what the edit that is taken back had made of it: a name it did not give stays, as renaming is no edit.
    """

    draft: Draft
    undone: Draft | None = None
    structural: ClassVar[bool] = True

    def on(self, draft: Draft) -> Draft:
        """The old draft, with the steps that it did not have as deleted ones."""
        old = replace(self.draft, slug=draft.slug, steps=_with_deleted(draft, list(self.draft.living)))
        if self.undone is not None and self.undone.name == self.draft.name:
            old = replace(old, name=draft.name)
        if self.undone is not None and self.undone.description == self.draft.description:
            old = replace(old, description=draft.description)
        return check(old)

    def words(self, draft: Draft) -> str:  # noqa: ARG002
        """What it is; the differences say the rest."""
        return "The series as it was before"


def read(form: Form, draft: Draft) -> Edit:
    """The edit that a form describes; raises SourceError, InputError or NotFound saying what is wrong with it."""
    match form.get("edit"):
        case "add":
            kind = form.get("kind") or EMAIL
            words = wording.write(form.get("subject"), form.get("preheader"), form.get("body")) if kind == EMAIL else ""
            after = _number(form, "after") if form.get("after") else None
            return Add(after, kind, stepforms.timing_of(form), stepforms.config_of(kind, form), words)
        case "duplicate":
            return Duplicate(_number(form, "step"))
        case "delete":
            return Delete(_number(form, "step"))
        case "move":
            return Move(_number(form, "step"), _number(form, "to"))
        case "change":
            step = draft.step(_number(form, "step"))
            return Change(step.id, stepforms.timing_of(form), stepforms.config_of(step.kind, form))
        case "rules":
            return _read_rules(form)
        case "reword":
            return Reword(_number(form, "step"), form.get("subject"), form.get("preheader"), form.get("body"))
    raise InputError("It is not said what to change.", remedy="Go back to the series and try again.")


def _read_rules(form: Form) -> Rules:
    return Rules(
        min_gap_hours=_number(form, "min_gap_hours"),
        reentry=form.get("reentry") or "never",
        cooldown_days=_number(form, "cooldown_days") if form.get("cooldown_days") else 0,
        evergreen=form.get("evergreen") == "yes",
        entry=stepforms.condition_of(form, "entry"),
        goal=stepforms.condition_of(form, "goal"),
        exits=tuple(stepforms.exits_of(form)),
    )


def _number(form: Form, name: str) -> int:
    text = form.get(name).strip()
    if not text.isdecimal() or len(text) > 9:
        raise InputError(f"“{text[:20]}” is not a whole number.", remedy="Go back and type one.")
    return int(text)


def fresh_key(draft: Draft, wish: str) -> str:
    """A key that no step of the series has or had: a used one would count as sent already (semantics 3.1)."""
    base = re.sub(r"[^a-z0-9]+", "-", wish.lower()).strip("-")[:60].strip("-") or "step"
    base = "finish" if base == END else base  # a condition that leads to “end” means the end
    taken = {step.key for step in draft.steps}
    if base not in taken:
        return base
    base = re.sub(r"-\d+$", "", base) or base
    number = 2
    while f"{base}-{number}" in taken:
        number += 1
    return f"{base}-{number}"


def _behind(draft: Draft, after: int | None, step: DraftStep) -> Draft:
    if after is None:
        return replace(draft, steps=(step, *draft.steps))
    place = draft.steps.index(draft.step(after)) + 1
    return replace(draft, steps=(*draft.steps[:place], step, *draft.steps[place:]))


def _with_deleted(draft: Draft, living: list[DraftStep]) -> tuple[DraftStep, ...]:
    """The living steps in their new order, and each of the others behind the one it stood behind.

    Readers who wait on a deleted step go on from its place.
    """
    order, ids = list(living), {step.id for step in living}
    for at, step in enumerate(draft.steps):
        if step.id not in ids:
            place = [one.id for one in order].index(draft.steps[at - 1].id) + 1 if at else 0
            order.insert(place, replace(step, deleted=True))
    return tuple(order)


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
