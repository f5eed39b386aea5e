"""A series as a folder of text files: `series.yaml`, a Markdown file for each email, a YAML file for each other step.

Pure: a folder is its file names with their texts. docs/series.md describes the form.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any, TypeGuard

import yaml

from newsletter.errors import SourceError
from newsletter.messages.source import LONGEST_SOURCE, UNREADABLE, PlainLoader, parse
from newsletter.sequences import filewords, timing, wording
from newsletter.sequences.checking import check
from newsletter.sequences.drafts import EMAIL, Draft, DraftStep
from newsletter.sequences.edits import NEW
from newsletter.sequences.filewords import Fields, Plain
from newsletter.sequences.rules import EVERY_DAY, CountsFrom, Timing, Unit

ABOUT = "series.yaml"

# What stands beside the timing in the file of each kind of step.
OWN = {
    EMAIL: frozenset({"subject", "preheader"}),
    "wait": frozenset(),
    "condition": frozenset({"if", "then", "else"}),
    "tag": frozenset({"add", "remove"}),
    "move": frozenset({"to"}),
    "end": frozenset(),
}
TIMED = frozenset({"delay", "window", "days", "after"})
_KEY = re.compile(r"[a-z0-9][a-z0-9-]{0,79}")


@dataclass(frozen=True)
class Folder:
    """A series as its folder has it: everything but its readers; the ids of the steps mean nothing."""

    draft: Draft
    triggers: tuple[Mapping[str, Any], ...] = ()


def read(name: str, files: Mapping[str, str]) -> Folder:
    """The series that a folder called `name` holds. Raises SourceError naming the file and what is wrong with it."""
    if ABOUT not in files:
        raise SourceError(f"{name}/{ABOUT} cannot be read: there is no such file.", remedy="Begin it with name: …")
    fields, where = _yaml(f"{name}/{ABOUT}", files[ABOUT]), f"{name}/{ABOUT}"
    slug = filewords.text(fields, "series", where) or name
    if not _KEY.fullmatch(slug):
        raise SourceError(
            f"A series cannot be called {slug}.", remedy="Call its folder by small letters, digits and hyphens."
        )
    steps = [read_step(step, files[step]) for step in sorted(files) if is_step(step)]
    keys = [step.key for step in steps]
    twice = next((key for key in keys if keys.count(key) > 1), "")
    if not steps or twice:
        why = f"two steps with the same key, {twice}" if twice else "no emails"
        raise SourceError(f"The series {slug} has {why}.", remedy="Mend its files.")
    numbered = tuple(replace(step, id=NEW - at) for at, step in enumerate(steps))
    draft = Draft(slug=slug, steps=numbered, **filewords.rules(fields, where))
    return Folder(check(draft), in_order(filewords.triggers(fields, where)))


def in_order(triggers: Iterable[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    """Triggers in the one order that files and database share; which of them stands first means nothing."""
    return tuple(sorted(triggers, key=lambda one: json.dumps(one, sort_keys=True)))


def is_step(name: str) -> bool:
    """Whether a file of a series' folder is a step of it."""
    return name != ABOUT and PurePath(name).suffix in {".md", ".yaml"} and not name.startswith((".", "_", "README"))


def read_step(name: str, text: str) -> DraftStep:
    """The step that a file holds. Raises SourceError naming the file and the field."""
    if PurePath(name).suffix == ".md":
        source = parse(text, name=name)
        fields: Fields = {**source.meta, "subject": source.subject, "preheader": source.preheader}
        kind, words = EMAIL, wording.write(source.subject, source.preheader, source.body)
    else:
        fields = _yaml(name, text)
        kind, words = filewords.text(fields, "kind", name), ""
        if kind not in OWN or kind == EMAIL:
            kinds = ", ".join(one for one in OWN if one != EMAIL)
            raise SourceError(
                f"{name}: “{kind}” is no kind of step.",
                remedy=f"Write kind: and one of {kinds}; an email is an .md file.",
            )
    known = TIMED | OWN[kind] | {"key"} | (frozenset() if kind == EMAIL else {"kind"})
    filewords.refuse_strange(fields, known, name)
    key = filewords.text(fields, "key", name)
    if not _KEY.fullmatch(key) or key in filewords.ANSWERS:
        raise SourceError(
            f"{name}: the field key is missing or is not like core-one.",
            means="A step is recognised by its key when its file is renamed or changed.",
            remedy="Give it a key of small letters, digits and hyphens.",
        )
    return DraftStep(NEW, key, kind, _timing(name, fields), filewords.config(kind, fields, name), words)


def _yaml(name: str, text: str) -> dict[str, Plain]:
    """The fields of a YAML file, every value the text it was written as."""
    if len(text) > LONGEST_SOURCE:
        raise SourceError(f"{name} is {len(text):,} characters long.", remedy=f"At most {LONGEST_SOURCE:,} are taken.")
    try:
        found = yaml.load(text, Loader=PlainLoader)  # noqa: S506 - it makes texts, lists and mappings only
    except UNREADABLE as problem:
        raise SourceError(f"{name} cannot be read: {problem}", remedy="Mend its YAML.") from problem
    if not isinstance(found, dict) or not all(isinstance(key, str) for key in found):
        what = "gives the series no name" if name.endswith(ABOUT) else "holds no fields"
        raise SourceError(f"{name} {what}.", remedy="Write one “field: value” a line.")
    return found


def _is_row(value: Plain) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _timing(name: str, fields: Fields) -> Timing:
    days = fields.get("days")
    plain = {**fields, "days": ",".join(days)} if _is_row(days) else fields
    delay, window, weekdays, after = (filewords.text(plain, one, name) for one in ("delay", "window", "days", "after"))
    try:
        return timing.parse(delay or "0 days", window, weekdays, after)
    except SourceError as problem:
        raise SourceError(f"{name}: {problem.happened}", means=problem.means, remedy=problem.remedy) from problem


def write(folder: Folder, name: str) -> dict[str, str]:
    """The files of a folder called `name`, in the one form that `read` gives back."""
    draft = folder.draft
    fields = filewords.about_fields(draft, folder.triggers)
    files = {ABOUT: filewords.dumped(fields if name == draft.slug else {"series": draft.slug, **fields})}
    width = max(2, len(str(len(draft.living))))
    for place, step in enumerate(draft.living, 1):
        files[f"{place:0{width}d}-{step.key}.{'md' if step.kind == EMAIL else 'yaml'}"] = write_step(step)
    return files


def write_step(step: DraftStep) -> str:
    """The text of a step's file."""
    when = dict(_timing_fields(step.timing))
    if step.kind != EMAIL:
        does = filewords.config_fields(step.kind, step.config)
        return filewords.dumped({"key": step.key, "kind": step.kind, **when, **does})
    source = parse(step.source)
    front = {"key": step.key, "subject": source.subject, "preheader": source.preheader}
    written = {name: value for name, value in front.items() if value}
    return f"---\n{filewords.dumped({**written, **when})}---\n{source.body.strip()}\n"


def _timing_fields(when: Timing) -> Iterable[tuple[str, str]]:
    if when.amount or when.unit != Unit.DAYS:
        yield "delay", timing.say_amount(when)
    if when.window:
        yield "window", "-".join(timing.write_window(when))
    if when.weekdays != EVERY_DAY:
        yield "days", filewords.write_days(when.weekdays)
    if when.counts_from != CountsFrom.PREVIOUS:
        yield "after", str(when.counts_from)
