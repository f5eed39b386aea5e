"""What differs between two states of a series' folder, in words and line by line. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import unified_diff
from typing import Any

from newsletter.sequences.differing import differences
from newsletter.sequences.drafts import EMAIL, Draft
from newsletter.sequences.files import Folder, write_step
from newsletter.sequences.triggers import Opening, say


def changes(before: Folder, after: Folder) -> list[str]:
    """Everything that `after` changes, a sentence each; empty when it changes nothing."""
    return [*differences(before.draft, after.draft), *_begins(before, after)]


def _begins(before: Folder, after: Folder) -> Iterator[str]:
    for trigger in before.triggers:
        if trigger not in after.triggers:
            yield f"No longer begins when {trigger_words(trigger)}"
    for trigger in after.triggers:
        if trigger not in before.triggers:
            yield f"Begins when {trigger_words(trigger)}"


def trigger_words(trigger: Mapping[str, Any]) -> str:
    """Who joins by a trigger, like “somebody gets the tag “client””."""
    words = say(Opening(0, trigger["kind"], trigger["what"], trigger["config"]), {})
    return words if trigger["enabled"] else f"{words} (switched off)"


def reworded(before: Draft, after: Draft) -> Iterator[tuple[str, list[str]]]:
    """The key of each email whose words differ, and the lines that go (-) and come (+)."""
    old = {step.key: step for step in before.living}
    for step in after.living:
        was = old.get(step.key)
        if step.kind == EMAIL and was is not None and was.kind == EMAIL and was.source != step.source:
            lines = unified_diff(write_step(was).splitlines(), write_step(step).splitlines(), n=0, lineterm="")
            yield step.key, [line for line in lines if not line.startswith(("---", "+++", "@@"))]
