"""Steps, conditions and the rules of a series in words, for whoever reads them in the back office. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

KIND_WORDS = {
    "email": "Email",
    "wait": "Wait",
    "condition": "Question",
    "tag": "Tag",
    "move": "Another series",
    "end": "End",
}
KIND_HELP = {
    "email": "A letter to the reader.",
    "wait": "Some time passes; the next step counts from its end.",
    "condition": "Asks something about the reader; yes and no may go different ways.",
    "tag": "Gives the reader a tag, or takes one away.",
    "move": "Here they change over to another series.",
    "end": "Nothing more comes after this.",
}
REENTRY_WORDS = {
    "never": "Never again: nobody gets it twice",
    "completed": "Again once they finished it",
    "always": "Again whenever they finished or left it",
}


@dataclass(frozen=True)
class Names:
    """What steps (by key), gifts and series (by slug) are called; what is not known is called by its key or slug."""

    steps: Mapping[str, str] = field(default_factory=dict)
    gifts: Mapping[str, str] = field(default_factory=dict)
    series: Mapping[str, str] = field(default_factory=dict)


NOBODY_KNOWN = Names()


def say_condition(condition: Mapping[str, Any], names: Names = NOBODY_KNOWN) -> str:
    """A condition about a reader: “have the tag “client””, “did not press a link in email 2”; empty for none."""
    no = bool(condition.get("not"))
    if "tag" in condition:
        return f"{'do not have' if no else 'have'} the tag “{condition['tag']}”"
    if "clicked" in condition:
        key = str(condition["clicked"])
        where = "any email of this series" if key == "any" else names.steps.get(key, f"“{key}”")
        return f"{'did not press' if no else 'pressed'} a link in {where}"
    if "downloaded" in condition:
        slug = str(condition["downloaded"])
        what = "any gift" if slug == "any" else f"“{names.gifts.get(slug, slug)}”"
        return f"{'did not download' if no else 'downloaded'} {what}"
    return _say_field(condition, no) if "field" in condition else ""


def _say_field(condition: Mapping[str, Any], no: bool) -> str:
    name, value = condition["field"], condition.get("value", "")
    how = condition.get("is", "equals")
    if how == "set":
        return f"have {'nothing' if no else 'something'} in the field “{name}”"
    if how == "contains":
        return f"have a field “{name}” that {'does not contain' if no else 'contains'} “{value}”"
    no = no != (how == "not")
    return f"have a field “{name}” that is {'not ' if no else ''}“{value}”"


def say_entry(entry: Mapping[str, Any], names: Names = NOBODY_KNOWN) -> str:
    """Who may join, like “only those who have the tag “client” join”; empty when everybody may."""
    return f"only those who {say_condition(entry, names) or 'were asked nothing'} join" if entry else ""


def say_not_joined(series: str, why: str, *, again: bool) -> str:
    """What the history of a person says who would have joined a series; `again` when they were in it before."""
    what = f"begin the series “{series}” again" if again else f"join the series “{series}”"
    return f"Did not {what}: {why}"


def say_exit(exit_on: Mapping[str, Any]) -> str:
    """Why somebody left a series early, like “they get the tag “client””."""
    if "tagged" in exit_on:
        return f"they get the tag “{exit_on['tagged']}”"
    if "untagged" in exit_on:
        return f"they lose the tag “{exit_on['untagged']}”"
    return f"they {say_condition(exit_on) or 'were asked nothing'}"


def say_jump(key: str, names: Names = NOBODY_KNOWN) -> str:
    """Where a question leads: “on to the next step”, “to email 4”, “the series ends”."""
    if not key:
        return "on to the next step"
    return "the series ends" if key == "end" else f"to {names.steps.get(key, f'“{key}”')}"


def say_step(kind: str, config: Mapping[str, Any], names: Names = NOBODY_KNOWN) -> str:
    """What a step does, in one sentence; empty for an email, which says so itself."""
    if kind == "condition":
        then, other = (say_jump(str(config.get(name, "")), names) for name in ("then", "else"))
        return f"If they {say_condition(config.get('if', {}), names)}: {then}. If not: {other}."
    if kind == "tag":
        return _say_tags(config.get("add", ()), config.get("remove", ()))
    if kind == "move":
        slug = str(config.get("to", ""))
        return f"They change over to the series “{names.series.get(slug, slug)}”."
    return {"wait": "Nothing is sent.", "end": "The series ends here."}.get(kind, "")


def title_of(kind: str, config: Mapping[str, Any], names: Names = NOBODY_KNOWN) -> str:
    """A step that sends nothing as the heading of its card: “If they have the tag “client””, “Wait”."""
    if kind == "condition":
        return f"If they {say_condition(config.get('if', {}), names)}"
    if kind == "wait":
        return "Wait"
    return say_step(kind, config, names).removesuffix(".")


def _say_tags(add: Iterable[str], remove: Iterable[str]) -> str:
    given, taken = (" and ".join(f"“{name}”" for name in tags) for tags in (add, remove))
    parts = [f"gets {given}"] if given else []
    parts += [f"loses {taken}"] if taken else []
    return f"The reader {' and '.join(parts)}."


def say_exits(exits: Iterable[Mapping[str, Any]]) -> str:
    """Which tags end the series, like “whoever gets the tag “client””; empty when none does."""
    rows = list(exits)
    parts = [f"gets the tag “{row['tagged']}”" for row in rows if "tagged" in row]
    parts += [f"loses the tag “{row['untagged']}”" for row in rows if "untagged" in row]
    return f"whoever {' or '.join(parts)}" if parts else ""


def say_reentry(reentry: str, cooldown_days: int) -> str:
    """Whether people may come twice, with the days in between."""
    words = REENTRY_WORDS.get(reentry, REENTRY_WORDS["never"])
    if reentry == "never" or not cooldown_days:
        return words
    return f"{words}, after at least {cooldown_days} day{'' if cooldown_days == 1 else 's'}"
