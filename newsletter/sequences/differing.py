"""The difference between two drafts of a sequence in words. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from newsletter.sequences.drafts import EMAIL, Draft, DraftStep, subject
from newsletter.sequences.rules import CountsFrom, Timing
from newsletter.sequences.saying import Names, say_condition, say_entry, say_exits, say_reentry, say_step
from newsletter.sequences.timing import say, say_amount

# Rules of a draft that hold for every step of it.
WHOLE = ("min_gap_hours", "evergreen", "reentry", "cooldown_days", "entry", "goal", "exits")


def timing_words(draft: Draft, step: DraftStep, new: Timing) -> str:
    """Like “Email 3 goes 3 days after email 2 instead of 2 days”; both timings whole where more differs."""
    title, first = _capital(draft.title(step.id)), step == draft.living[0]
    old = step.timing
    start = "joining" if first or old.counts_from == CountsFrom.ENROLLMENT else _before(draft, step)
    same_otherwise = Timing(new.amount, new.unit, old.counts_from, old.window, old.weekdays) == new
    if same_otherwise and old.amount and new.amount:
        return f"{title} goes {say_amount(new)} after {start} instead of {say_amount(old)}"
    was, will = (say(one, first=first, mails=step.kind == EMAIL) for one in (old, new))
    if not first:
        was, will = (words.replace(" later", f" after {_before(draft, step)}", 1) for words in (was, will))
    return f"{title} goes {will}, instead of {was}"


def _before(draft: Draft, step: DraftStep) -> str:
    living = draft.living
    return draft.title(living[living.index(step) - 1].id)


def rules_words(before: Draft, after: Draft) -> str:
    """What differs in the rules of a whole series; empty when nothing does."""
    return "; ".join(_rules(before, after))


def _rules(before: Draft, after: Draft) -> Iterator[str]:
    if before.name != after.name:
        yield f"Its name is “{after.name}” instead of “{before.name}”"
    if before.description != after.description:
        yield "Another description"
    if before.min_gap_hours != after.min_gap_hours:
        yield f"At least {after.min_gap_hours} hours between two emails instead of {before.min_gap_hours}"
    if before.evergreen != after.evergreen:
        yield "Whoever had everything waits for new emails" if after.evergreen else "Whoever had everything is finished"
    if (before.reentry, before.cooldown_days) != (after.reentry, after.cooldown_days):
        yield f"Joining again: {say_reentry(after.reentry, after.cooldown_days)}"
    if dict(before.entry) != dict(after.entry):
        only = say_entry(after.entry, names_of(after))
        yield f"{_capital(only)} from now on" if only else "Everybody may join again"
    if dict(before.goal) != dict(after.goal):
        goal = say_condition(after.goal, names_of(after))
        yield f"The goal is reached by those who {goal}" if goal else "No goal any more"
    if list(before.exits) != list(after.exits):
        leaving = say_exits(after.exits)
        yield f"The series ends early for {leaving}" if leaving else "No tag ends the series any more"


def differences(before: Draft, after: Draft) -> list[str]:
    """Everything in which two drafts differ, a sentence each; empty when they are the same."""
    return [*_gone(before, after), *_come(before, after), *_changed(before, after), *_rules(before, after)]


def _gone(before: Draft, after: Draft) -> Iterator[str]:
    left = {step.key for step in after.living}
    for step in before.living:
        if step.key not in left:
            yield f"{_capital(before.title(step.id))}{_named(step)} is deleted"


def _come(before: Draft, after: Draft) -> Iterator[str]:
    had, living = {step.key for step in before.living}, after.living
    for at, step in enumerate(living):
        if step.key not in had:
            mails = step.kind == EMAIL
            yield f"New: {after.title(step.id)}{_named(step)}, {say(step.timing, first=at == 0, mails=mails)}"


def _changed(before: Draft, after: Draft) -> Iterator[str]:
    old = {step.key: step for step in before.living}
    common = [step.key for step in after.living if step.key in old]
    if common != [key for key in old if key in set(common)]:
        yield "Another order: " + ", ".join(before.title(old[key].id) for key in common)
    for step in after.living:
        was = old.get(step.key)
        if was is None:
            continue
        title = _capital(before.title(was.id))
        if was.timing != step.timing:
            yield timing_words(before, was, step.timing)
        if was.kind != step.kind:
            yield f"{title} is a {step.kind} instead of a {was.kind}"
        elif dict(was.config) != dict(step.config):
            yield f"{title}: {say_step(step.kind, step.config, names_of(after))}"
        if was.source != step.source:
            yield f"New words for {before.title(was.id)}{_named(step)}"


def names_of(draft: Draft) -> Names:
    """What the steps of a draft are called, for sentences about forks."""
    return Names(steps={step.key: draft.title(step.id) for step in draft.living})


def _named(step: DraftStep) -> str:
    title = subject(step)
    return f" “{title}”" if title else ""


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def touched(before: Draft, after: Draft) -> set[int]:
    """The steps that somebody may get, or get at another time, only because of the difference; emails among them.

    A step is touched when it, or what it follows, is another; where people's ways change as a whole, all are.
    """
    if any(getattr(before, name) != getattr(after, name) for name in WHOLE):
        return {step.id for step in (*before.living, *after.living)}
    found: set[int] = set()
    old, new = _with_what_precedes(before), _with_what_precedes(after)
    for draft in (before, after):
        forked = reached = False
        for step in draft.living:
            changed = old.get(step.id) != new.get(step.id)
            forked = forked or (changed and step.kind == "condition")  # it may lead anywhere behind it
            reached = reached or changed
            if reached or forked:
                found.add(step.id)
            reached = reached and step.kind != EMAIL
    return found


def _with_what_precedes(draft: Draft) -> dict[int, tuple[object, ...]]:
    living = draft.living
    before = [0, *(step.id for step in living)]
    return {
        step.id: (before[at], step.timing, step.kind, dict(step.config), step.source) for at, step in enumerate(living)
    }
