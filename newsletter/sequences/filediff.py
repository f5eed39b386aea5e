"""What differs between two states of a series' folder, in words and line by line. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import unified_diff

from newsletter.sequences.differing import differences
from newsletter.sequences.drafts import EMAIL, Draft
from newsletter.sequences.files import Folder, write_step
from newsletter.sequences.ways_in import changed


def changes(before: Folder, after: Folder) -> list[str]:
    """Everything that `after` changes, a sentence each; empty when it changes nothing."""
    return [*differences(before.draft, after.draft), *changed(before.triggers, after.triggers)]


def reworded(before: Draft, after: Draft) -> Iterator[tuple[str, list[str]]]:
    """The key of each email whose words differ, and the lines that go (-) and come (+)."""
    old = {step.key: step for step in before.living}
    for step in after.living:
        was = old.get(step.key)
        if step.kind == EMAIL and was is not None and was.kind == EMAIL and was.source != step.source:
            lines = unified_diff(write_step(was).splitlines(), write_step(step).splitlines(), n=0, lineterm="")
            yield step.key, [line for line in lines if not line.startswith(("---", "+++", "@@"))]
