"""What a sequence must keep to, whatever is edited: times that exist, jumps that lead forward. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from newsletter.errors import InputError
from newsletter.sequences.conditions import problem_with_entry
from newsletter.sequences.drafts import TITLES, Draft, DraftStep
from newsletter.sequences.rules import problem_with

REENTRY = ("never", "completed", "always")
END = "end"
LONGEST_GAP = 720  # hours between two emails; a month is already no rule against bunching any more


def check(draft: Draft) -> Draft:
    """`draft`, if a sequence can be like that; raises InputError saying which step cannot (semantics 3.6)."""
    keys = [step.key for step in draft.living]
    for at, step in enumerate(draft.living):
        problem = problem_with(step.timing) or _problem_of_kind(draft, step, keys[at + 1 :])
        if problem:
            raise InputError(problem, means="Nothing was changed.", remedy="Go back and change that.")
    problem = _problem_of_rules(draft)
    if problem:
        raise InputError(problem, means="Nothing was changed.", remedy="Go back and change that.")
    return draft


def _problem_of_kind(draft: Draft, step: DraftStep, later: list[str]) -> str:
    if step.kind not in TITLES:
        return f"“{step.kind}” is no kind of step."
    if step.kind == "condition":
        for jump in (step.config.get("then", ""), step.config.get("else", "")):
            if jump not in {"", END, *later}:
                return _bad_jump(draft, step, str(jump))
    if step.kind == "move" and step.config.get("to") == draft.slug:
        return "A series cannot move people to itself."
    return ""


def _bad_jump(draft: Draft, step: DraftStep, key: str) -> str:
    target = next((one for one in draft.steps if one.key == key), None)
    asker = draft.title(step.id)
    asker = asker[:1].upper() + asker[1:]
    if target is None or target.deleted:
        gone = draft.title(target.id) if target else f"“{key}”"
        return f"{asker} leads to {gone}, which would not be there any more; let it lead elsewhere first."
    return (
        f"{asker} would lead back to {draft.title(target.id)}; it can only lead forward, or people go round for ever."
    )


def check_moves(before: Draft | None, after: Draft, leads: Mapping[str, Collection[str]]) -> None:
    """Raise InputError where a new change of series leads to none, or over others back to this one.

    `leads` has every series there is, by its slug, with those that its steps lead to.
    """
    known = _targets(before) if before is not None else set()
    for step in after.living:
        to = str(step.config.get("to", "")) if step.kind == "move" else ""
        if not to or to in known:
            continue
        title = after.title(step.id)
        leading = f"{title[:1].upper()}{title[1:]} leads to the series “{to}”, and"
        if to not in leads:
            raise InputError(
                f"{leading} there is none of that name.",
                means="Nothing was changed.",
                remedy="Correct the name, or bring in that series first.",
            )
        if after.slug in _reached(to, leads):
            raise InputError(
                f"{leading} from there people come back to this one.",
                means="Nothing was changed: they would go round for ever.",
                remedy="Let one of the two end without moving people on.",
            )


def _targets(draft: Draft) -> set[str]:
    return {str(step.config.get("to", "")) for step in draft.living if step.kind == "move"}


def _reached(slug: str, leads: Mapping[str, Collection[str]]) -> set[str]:
    """The series to which people come who enter one, that one among them."""
    found, ahead = set[str](), [slug]
    while ahead:
        here = ahead.pop()
        if here not in found:
            found.add(here)
            ahead += leads.get(here, ())
    return found


def _problem_of_rules(draft: Draft) -> str:
    if not 0 <= draft.min_gap_hours <= LONGEST_GAP:
        return f"The time between two emails must be from 0 to {LONGEST_GAP} hours."
    if draft.reentry not in REENTRY:
        return f"“{draft.reentry}” is no rule for joining again."
    if not 0 <= draft.cooldown_days <= 3650:
        return "The time before joining again must be from 0 to 3,650 days."
    return problem_with_entry(draft.entry)
