"""The fields of a series' files: from the texts of YAML to rules, conditions and triggers, and back. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import yaml

from newsletter.audience.rules import column_name, tidy_tag
from newsletter.errors import SourceError
from newsletter.sequences import conditions
from newsletter.sequences.checking import REENTRY
from newsletter.sequences.drafts import Draft
from newsletter.sequences.rules import mask
from newsletter.sequences.timing import DAYS, NAMED
from newsletter.sequences.triggers import problem_with

Plain = Any  # a text, or lists and mappings of texts: what YAML's BaseLoader makes
Fields = Mapping[str, Plain]

NEXT, END = "next", "end"
ANSWERS = frozenset({NEXT, END, conditions.ANY})  # stand where a step's key may stand, so no step is called so
USUAL_GAP = 20  # hours
TRIGGERS = ("form", "magnet", "tag", "date")
WIDTH = 118  # of folded prose, which is indented by two
LONG = 100  # characters; shorter prose stays on the line of its field

# Tags and fields are kept under tidy names, wherever they come from.
_KEPT: Mapping[str, Callable[[str], str]] = {"tag": tidy_tag, "date": column_name}
_HOURS = re.compile(r"(\d{1,4})\s*hours?")
_DAYS = re.compile(r"(\d{1,5})\s*days?")
_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_RULES = {"gap", "evergreen", "reentry", "cooldown", "entry", "goal", "exits"}
_ABOUT = {"series", "name", "description", "triggers"} | _RULES


def refuse_strange(fields: Fields, known: Collection[str], where: str) -> None:
    """Raise SourceError for the first field that is not known: a slip of the pen must not pass for a default."""
    strange = sorted(set(fields) - set(known))
    if strange:
        raise SourceError(
            f"{where}: the field {strange[0]} is not known.", remedy=f"Known: {', '.join(sorted(known))}."
        )


def text(fields: Fields, name: str, where: str) -> str:
    """A field's value, empty when it is not there. Raises SourceError when it is a list or a mapping."""
    value = fields.get(name, "")
    if not isinstance(value, str):
        raise SourceError(f"{where}: the field {name} is not a line of text.", remedy="Put it in quotes.")
    return value.strip()


def _flag(fields: Fields, name: str, where: str, *, default: bool = False) -> bool:
    value = text(fields, name, where).lower()
    if value not in {"", "true", "yes", "false", "no"}:
        raise SourceError(f"{where}: {name} is “{value}”.", remedy="Write true or false.")
    return value in {"true", "yes"} if value else default


def _amount(fields: Fields, name: str, where: str, form: re.Pattern[str], like: str, default: int) -> int:
    value = text(fields, name, where)
    found = form.fullmatch(value)
    if value and not found:
        raise SourceError(f"{where}: the {name} “{value}” is not understood.", remedy=f"Write it like “{like}”.")
    return int(found[1]) if found else default


def _list(fields: Fields, name: str, where: str) -> list[Plain]:
    value = fields.get(name) or []
    if not isinstance(value, list):
        raise SourceError(
            f"{where}: {name} is not a list.", remedy="Write each on a line of its own that begins with -."
        )
    return value


def _mapping(value: Plain, where: str, like: str) -> Fields:
    if not isinstance(value, Mapping) or not all(isinstance(part, str) for part in value.values()):
        raise SourceError(f"{where} is not understood.", remedy=f"Write it like {like}.")
    return value


def rules(fields: Fields, where: str) -> dict[str, Any]:
    """What `series.yaml` says of the whole series, as a draft has it. Raises SourceError."""
    refuse_strange(fields, _ABOUT, where)
    name = text(fields, "name", where)
    if not name:
        raise SourceError(f"{where} gives the series no name.", remedy="Begin it with name: …")
    return {
        "name": name[:120],
        "description": text(fields, "description", where),
        "min_gap_hours": _amount(fields, "gap", where, _HOURS, "20 hours", USUAL_GAP),
        "evergreen": _flag(fields, "evergreen", where),
        "reentry": text(fields, "reentry", where) or REENTRY[0],
        "cooldown_days": _amount(fields, "cooldown", where, _DAYS, "30 days", 0),
        "entry": _entry(fields["entry"], f"{where}: the entry") if fields.get("entry") else {},
        "goal": condition(fields["goal"], f"{where}: the goal") if fields.get("goal") else {},
        "exits": tuple(_exit(one, f"{where}: the exit") for one in _list(fields, "exits", where)),
    }


def triggers(fields: Fields, where: str) -> tuple[dict[str, Any], ...]:
    """What lets people join by itself, as `series.yaml` says it. Raises SourceError."""
    return tuple(_trigger(one, f"{where}: the trigger") for one in _list(fields, "triggers", where))


def about_fields(draft: Draft, triggers: Sequence[Mapping[str, Any]]) -> dict[str, Plain]:
    """The fields of `series.yaml`; what is as it mostly is stays out."""
    fields = {
        "name": draft.name,
        "description": _Prose(draft.description),
        "gap": _counted(draft.min_gap_hours, "hour") if draft.min_gap_hours != USUAL_GAP else "",
        "evergreen": draft.evergreen,
        "reentry": draft.reentry if draft.reentry != REENTRY[0] else "",
        "cooldown": _counted(draft.cooldown_days, "day") if draft.cooldown_days else "",
        "entry": _Line(draft.entry),
        "goal": _Line(draft.goal),
        "exits": [_Line(one) for one in draft.exits],
        "triggers": [_trigger_fields(one) for one in triggers],
    }
    return {name: value for name, value in fields.items() if value}


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def condition(value: Plain, where: str) -> dict[str, Any]:
    """A condition like {tag: vip} or {field: city, is: equals, value: Berlin, not: true}. Raises SourceError."""
    given = _mapping(value, where, "{tag: vip}")
    asked = [subject for subject in conditions.SUBJECTS if subject in given]
    refuse_strange(given, {*asked, "not"} | ({"is", "value"} if "field" in given else set()), where)
    found: dict[str, Any] = {subject: given[subject].strip() for subject in asked}
    if "field" in given:
        found["field"] = column_name(found["field"])
        found["is"] = given.get("is", "").strip() or "equals"
        found["value"] = "" if found["is"] == "set" else given.get("value", "")
    if _flag(given, "not", where):
        found["not"] = True
    _refuse(conditions.problem_with(found), where)
    return found


def _refuse(problem: str, where: str, like: str = "{tag: vip} or {clicked: any}") -> None:
    if problem:
        raise SourceError(f"{where}: {problem}", remedy=f"Write it like {like}.")


def _entry(value: Plain, where: str) -> dict[str, Any]:
    found = condition(value, where)
    _refuse(conditions.problem_with_entry(found), where, "{tag: vip} or {downloaded: any}")
    return found


def _exit(value: Plain, where: str) -> dict[str, Any]:
    given = _mapping(value, where, "{tagged: client}")
    if not set(conditions.EXIT_SUBJECTS) & given.keys():
        return condition(given, where)
    if len(given) != 1:
        raise SourceError(f"{where} waits for two things.", remedy="Write each on a line of its own.")
    found = {kind: name.strip() for kind, name in given.items()}
    _refuse(conditions.problem_with_exit(found), where)
    return found


def _trigger(value: Plain, where: str) -> dict[str, Any]:
    given = _mapping(value, where, "{tag: client}")
    asked = [kind for kind in TRIGGERS if kind in given]
    if len(asked) != 1 or not given[asked[0]].strip():
        raise SourceError(f"{where} begins with nothing, or with two things.", remedy="Write each like {tag: client}.")
    kind = asked[0]
    refuse_strange(given, {kind, "enabled"} | ({"yearly", "days", "at"} if kind == "date" else set()), where)
    config: dict[str, Any] = {}
    if kind == "date":
        days, at = text(given, "days", where) or "0", text(given, "at", where) or "09:00"
        if not re.fullmatch(r"[+-]?\d{1,4}", days) or not _CLOCK.fullmatch(at):
            raise SourceError(f"{where}: days {days}, at {at}.", remedy='Write them like days: -3, at: "09:00".')
        config = {"yearly": _flag(given, "yearly", where, default=True), "days": int(days), "at": at}
    what = _KEPT.get(kind, str.strip)(given[kind])
    problem = problem_with(kind, what, config)
    if problem:
        raise SourceError(f"{where} {given[kind]}: {problem}", remedy="Write each like {tag: client}.")
    return {"kind": kind, "what": what, "config": config, "enabled": _flag(given, "enabled", where, default=True)}


def _trigger_fields(trigger: Mapping[str, Any]) -> dict[str, Plain]:
    usual = {"yearly": True, "days": 0, "enabled": True}
    told = {**trigger["config"], "enabled": trigger["enabled"]}
    unusual = {name: value for name, value in told.items() if name not in usual or usual[name] != value}
    return _Line({trigger["kind"]: trigger["what"], **unusual})


def config(kind: str, fields: Fields, where: str) -> dict[str, Any]:
    """What a step that is no email does, as the database keeps it. Raises SourceError."""
    if kind == "condition":
        where_to = {name: text(fields, name, where) for name in ("then", "else")}
        return {
            "if": condition(fields.get("if"), f"{where}: the field if"),
            **{name: "" if key == NEXT else key for name, key in where_to.items()},
        }
    if kind == "tag":
        names = {name: _tags(fields, name, where) for name in ("add", "remove")}
        if not any(names.values()):
            raise SourceError(f"{where}: no tag is added or removed.", remedy="Write add: [tag] or remove: [tag].")
        return names
    if kind == "move":
        to = text(fields, "to", where)
        if not to:
            raise SourceError(f"{where}: it is not said where to.", remedy="Write to: and the other series' name.")
        return {"to": to}
    return {}


def _tags(fields: Fields, name: str, where: str) -> list[str]:
    value = fields.get(name) or []
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(one, str) and one.strip() for one in names):
        raise SourceError(f"{where}: {name} is not a list of tags.", remedy="Write it like [one, two].")
    return [one.strip() for one in names]


def config_fields(kind: str, held: Mapping[str, Any]) -> dict[str, Plain]:
    """The fields of a step that is no email."""
    if kind == "condition":
        where_to = {name: held.get(name) for name in ("then", "else")}
        return {"if": _Line(held["if"]), **{name: key for name, key in where_to.items() if key}}
    if kind == "tag":
        return {name: _Row(held[name]) for name in ("add", "remove") if held.get(name)}
    return {"to": held["to"]} if kind == "move" else {}


def write_days(weekdays: int) -> str:
    """A mask as front matter has it: `weekdays`, `weekend`, or `mon,wed`."""
    for name, named in NAMED.items():
        if weekdays == named:
            return name
    return ",".join(day for at, day in enumerate(DAYS) if weekdays & mask([at]))


class _Prose(str):
    """Text that may run over several lines of the file."""


class _Line(dict[str, Any]):
    """A mapping on one line, in braces."""


class _Row(list[Any]):
    """A list on one line, in brackets."""


class _Dumper(yaml.SafeDumper):
    """Writes what people want to read: fields in their order, long prose folded, small things on one line."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        """Lists are indented under their field."""
        super().increase_indent(flow, False)


def _prose(dumper: yaml.SafeDumper, text: _Prose) -> yaml.Node:
    lines = text.split("\n")
    plain = all(line.isprintable() and line == " ".join(line.split()) for line in lines)
    style = ("|" if len(lines) > 1 else ">" if len(text) > LONG else None) if plain else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style=style)


_Dumper.add_representer(_Prose, _prose)
_Dumper.add_representer(
    _Line, lambda dumper, value: dumper.represent_mapping("tag:yaml.org,2002:map", value.items(), flow_style=True)
)
_Dumper.add_representer(
    _Row, lambda dumper, value: dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=True)
)


def dumped(fields: Fields) -> str:
    """Fields as YAML, one a line."""
    prose = any(isinstance(value, _Prose) for value in fields.values())
    return str(
        yaml.dump(dict(fields), Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=WIDTH if prose else 100_000)
    )
