"""What differs between two states of a series' folder, in words and line by line. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import unified_diff
from typing import Any

from newsletter.sequences.differing import differences
from newsletter.sequences.drafts import EMAIL, Draft
from newsletter.sequences.files import Folder, write_step

_BEGINS = {
    "form": "whoever joins by the form “{}”",
    "magnet": "whoever downloads “{}”",
    "tag": "whoever gets the tag “{}”",
    "date": "whoever has the date “{}”",
}


def changes(before: Folder, after: Folder) -> list[str]:
    """Everything that `after` changes, a sentence each; empty when it changes nothing."""
    return [*differences(before.draft, after.draft), *_begins(before, after)]


def _begins(before: Folder, after: Folder) -> Iterator[str]:
    for trigger in before.triggers:
        if trigger not in after.triggers:
            yield f"No longer begins for {trigger_words(trigger)}"
    for trigger in after.triggers:
        if trigger not in before.triggers:
            yield f"Begins for {trigger_words(trigger)}"


def trigger_words(trigger: Mapping[str, Any]) -> str:
    """Who joins by a trigger, like “whoever gets the tag “client””."""
    words = _BEGINS[trigger["kind"]].format(trigger["what"])
    config = trigger["config"]
    if trigger["kind"] == "date":
        days = abs(config["days"])
        side = "before it" if config["days"] < 0 else "after it"
        when = f"{days} day{'' if days == 1 else 's'} {side}" if days else "on that day"
        words += f", {when} at {config['at']}{', every year' if config['yearly'] else ''}"
    return words if trigger["enabled"] else f"{words} (switched off)"


def reworded(before: Draft, after: Draft) -> Iterator[tuple[str, list[str]]]:
    """The key of each email whose words differ, and the lines that go (-) and come (+)."""
    old = {step.key: step for step in before.living}
    for step in after.living:
        was = old.get(step.key)
        if step.kind == EMAIL and was is not None and was.kind == EMAIL and was.source != step.source:
            lines = unified_diff(write_step(was).splitlines(), write_step(step).splitlines(), n=0, lineterm="")
            yield step.key, [line for line in lines if not line.startswith(("---", "+++", "@@"))]
