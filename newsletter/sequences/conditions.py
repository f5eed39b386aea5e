"""Questions about one reader that a step, an entry, a goal or an exit may ask; each is one dictionary. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ANY = "any"
FIELD_QUESTIONS = ("equals", "not", "contains", "set")
SUBJECTS = ("tag", "clicked", "downloaded", "field")
EXIT_SUBJECTS = ("tagged", "untagged")

Condition = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Facts:
    """About one reader, as far as conditions ask: tags, slugs of magnets, fields, and the steps of this enrollment
    whose links they clicked, by key."""

    tags: frozenset[str] = frozenset()
    downloaded: frozenset[str] = frozenset()
    clicked: frozenset[str] = frozenset()
    fields: Mapping[str, str] = field(default_factory=dict)


NOTHING_KNOWN = Facts()


def holds(condition: Condition, facts: Facts) -> bool:
    """Whether a condition is true of a reader; one that cannot be understood is not."""
    if not any(subject in condition for subject in SUBJECTS):
        return False
    return _plain(condition, facts) != bool(condition.get("not"))


def _plain(condition: Condition, facts: Facts) -> bool:
    if "tag" in condition:
        return str(condition["tag"]).casefold() in {tag.casefold() for tag in facts.tags}
    if "clicked" in condition:
        return _in(str(condition["clicked"]), facts.clicked)
    if "downloaded" in condition:
        return _in(str(condition["downloaded"]), facts.downloaded)
    return _field(condition, facts.fields)


def _in(wanted: str, known: frozenset[str]) -> bool:
    return bool(known) if wanted == ANY else wanted in known


def _field(condition: Condition, fields: Mapping[str, str]) -> bool:
    has, value = str(fields.get(str(condition["field"]), "")).casefold(), str(condition.get("value", "")).casefold()
    question = condition.get("is", "equals")
    if question == "set":
        return bool(has.strip())
    if question == "contains":
        return value in has
    return bool((has == value) != (question == "not"))


def leaves(exit_on: Condition, facts: Facts) -> bool:
    """Whether an exit lets this reader go (semantics 3.13)."""
    tags = {tag.casefold() for tag in facts.tags}
    if "tagged" in exit_on:
        return str(exit_on["tagged"]).casefold() in tags
    if "untagged" in exit_on:
        return str(exit_on["untagged"]).casefold() not in tags
    return holds(exit_on, facts)


def problem_with(condition: Condition) -> str:
    """Why a condition cannot be asked, in words; empty when it can."""
    subjects = [subject for subject in SUBJECTS if subject in condition]
    if len(subjects) != 1:
        return "A condition asks about one thing: a tag, a click, a download or a field."
    if not str(condition[subjects[0]]).strip():
        return f"The condition does not say which {subjects[0]} it asks about."
    if subjects[0] == "field":
        question = condition.get("is", "equals")
        if question not in FIELD_QUESTIONS:
            return f"“{question}” is nothing that can be asked about a field."
        if question != "set" and not str(condition.get("value", "")).strip():
            return "The condition does not say what to compare the field with."
    return ""


def lets_in(entry: Condition, facts: Facts) -> bool:
    """Whether an entry lets this reader join."""
    return not entry or holds(entry, facts)


def problem_with_entry(entry: Condition) -> str:
    """Why that cannot be asked of whoever would join, in words; empty when it can, or when nothing is asked."""
    if "clicked" in entry:
        return "Who may join cannot hang on a click: before they join, nobody has an email of this series to press in."
    return problem_with(entry) if entry else ""


def problem_with_exit(exit_on: Condition) -> str:
    """Why an exit cannot be asked, in words; empty when it can."""
    for subject in EXIT_SUBJECTS:
        if subject in exit_on:
            return "" if str(exit_on[subject]).strip() else "The exit does not say which tag it waits for."
    return problem_with(exit_on)
