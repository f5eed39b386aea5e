"""The forms of the series editor: a step's timing and what it does, read from a request and filled in again. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from newsletter.audience.rules import column_name
from newsletter.errors import SourceError
from newsletter.sequences import conditions, timing
from newsletter.sequences.rules import EVERY_DAY, CountsFrom, Timing, Unit, mask

Config = dict[str, Any]
LONGEST_TAG = 80

# What a form offers, in its order: the word that is sent, and the words beside it.
IF_KINDS = {
    "tag": "they have the tag",
    "clicked": "they pressed a link in",
    "downloaded": "they downloaded",
    "field": "one of their fields",
}
ENTRY_KINDS = {name: words for name, words in IF_KINDS.items() if name != "clicked"}  # nobody outside has clicked
COMPARISONS = {"equals": "is", "contains": "contains", "set": "is filled in"}


class Form:
    """What a browser sent, as `dict(request.form.lists())`: one value of a name, "" where there is none, or all."""

    def __init__(self, sent: Mapping[str, Sequence[str]]) -> None:
        self._sent = sent

    def __contains__(self, name: str) -> bool:
        return name in self._sent

    def get(self, name: str) -> str:
        """The first value of that name."""
        values = self._sent.get(name, ())
        return values[0] if values else ""

    def getlist(self, name: str) -> list[str]:
        """Every value of that name."""
        return list(self._sent.get(name, ()))


def timing_of(form: Form) -> Timing:
    """Read a step's timing; raises SourceError saying what is wrong with it (semantics 3.6)."""
    amount, unit = form.get("amount").strip() or "0", form.get("unit") or Unit.DAYS
    start, end = form.get("window_start").strip(), form.get("window_end").strip()
    if bool(start) != bool(end):
        raise SourceError(
            "The time of day has only one end.", remedy="Fill in from when and until when, or leave both empty."
        )
    window = f"{start[:5]}-{end[:5]}" if start else ""
    read = timing.parse(f"{amount} {unit}", window, "", form.get("counts_from"))
    weekdays = mask(int(day) for day in form.getlist("day") if day in {"0", "1", "2", "3", "4", "5", "6"})
    return timing.checked(Timing(read.amount, read.unit, read.counts_from, read.window, weekdays))


def timing_fields(when: Timing) -> dict[str, Any]:
    """A timing as its form shows it."""
    start, end = timing.write_window(when)
    return {
        "amount": str(when.amount),
        "unit": str(when.unit),
        "counts_from": str(when.counts_from),
        "window_start": start,
        "window_end": end,
        "day": [str(day) for day in range(7) if when.weekdays >> day & 1],
    }


def typed_timing(form: Form) -> dict[str, Any]:
    """A timing as it was typed, to show it again beside what is wrong with it."""
    names = ("amount", "unit", "counts_from", "window_start", "window_end")
    return {name: form.get(name) for name in names} | {"day": form.getlist("day")}


NEW = timing_fields(Timing(1, Unit.DAYS, CountsFrom.PREVIOUS, None, EVERY_DAY))  # what a new email begins with
AT_ONCE = timing_fields(Timing())  # what everything else begins with


def config_of(kind: str, form: Form) -> Config:
    """Read what a step of that kind does; raises SourceError."""
    if kind == "condition":
        jumps = {name: form.get(name).strip() for name in ("then", "else")}
        return {"if": condition_of(form, "if"), **jumps}
    if kind == "tag":
        return _tags(form)
    if kind == "move":
        to = form.get("to_sequence").strip()
        if not to:
            raise SourceError("No series is chosen to move to.", remedy="Choose one.")
        return {"to": to}
    return {}


def _tags(form: Form) -> Config:
    add, remove = read_tags(form.get("add")), read_tags(form.get("remove"))
    if not add and not remove:
        raise SourceError("No tag is named.", remedy="Name one to add or one to take away.")
    both = sorted(set(add) & set(remove))
    if both:
        raise SourceError(f"The tag “{both[0]}” is both added and taken away.", remedy="Name it once.")
    return {"add": add, "remove": remove}


def read_tags(text: str) -> list[str]:
    """Tags between commas, each once, in their order; raises SourceError for one that is too long."""
    names = list(dict.fromkeys(" ".join(part.split()) for part in text.split(",") if part.strip()))
    for name in names:
        if len(name) > LONGEST_TAG:
            raise SourceError(f"The tag “{name[:30]}…” is too long.", remedy=f"Use at most {LONGEST_TAG} characters.")
    return names


def condition_of(form: Form, prefix: str) -> Config:
    """Read a condition from the fields that begin with `prefix`; {} when none is chosen. Raises SourceError."""
    kind = form.get(f"{prefix}_kind")
    if not kind:
        return {}
    if kind not in IF_KINDS:
        raise SourceError(f"“{kind}” is nothing that can be asked.", remedy="Choose one of the questions.")
    value = " ".join(form.get(f"{prefix}_{kind}").split())
    if not value:
        raise SourceError(
            f"It is not said what is asked: {IF_KINDS[kind]} what?", remedy="Fill in the field beside it."
        )
    # Fields are kept under tidy names, wherever they come from: “Shoe size” in a file's heading is shoe_size.
    found: Config = {kind: column_name(value) if kind == "field" else value}
    if kind == "field":
        comparison = form.get(f"{prefix}_is") or "equals"
        if comparison not in COMPARISONS:
            raise SourceError(f"“{comparison}” is no comparison.", remedy="Choose one of those offered.")
        found |= {"is": comparison, "value": "" if comparison == "set" else form.get(f"{prefix}_text").strip()}
    found |= {"not": True} if form.get(f"{prefix}_not") == "yes" else {}
    problem = conditions.problem_with(found)
    if problem:
        raise SourceError(problem, remedy="Fill in what is missing.")
    return found


def condition_fields(condition: Mapping[str, Any], prefix: str) -> dict[str, str]:
    """A condition as its form shows it."""
    kind = next((name for name in IF_KINDS if name in condition), "")
    comparison = str(condition.get("is", "equals"))
    negated = bool(condition.get("not")) != (comparison == "not")
    fields = {"kind": kind, "text": str(condition.get("value", "")), "not": "yes" if negated else ""}
    fields["is"] = "equals" if comparison == "not" else comparison
    fields |= {name: str(condition.get(name, "")) for name in IF_KINDS}
    return {f"{prefix}_{name}": value for name, value in fields.items()}


def exits_of(form: Form) -> list[Config]:
    """Read the tags that end a series for whoever gets or loses them; raises SourceError."""
    tagged, untagged = read_tags(form.get("exit_tagged")), read_tags(form.get("exit_untagged"))
    both = sorted(set(tagged) & set(untagged))
    if both:
        raise SourceError(
            f"With the tag “{both[0]}” and without it people would leave, so nobody could stay.",
            remedy="Name it once.",
        )
    return [{"tagged": name} for name in tagged] + [{"untagged": name} for name in untagged]


def exit_fields(exits: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The tags that end a series, as their form shows them."""
    rows = list(exits)
    return {f"exit_{how}": ", ".join(str(row[how]) for row in rows if how in row) for how in ("tagged", "untagged")}


def config_fields(kind: str, config: Mapping[str, Any]) -> dict[str, str]:
    """What a step does, as its form shows it."""
    if kind == "condition":
        jumps = {name: str(config.get(name, "")) for name in ("then", "else")}
        return condition_fields(config.get("if", {}), "if") | jumps
    if kind == "tag":
        return {name: ", ".join(config.get(name, ())) for name in ("add", "remove")}
    return {"to_sequence": str(config.get("to", ""))} if kind == "move" else {}


def typed(form: Form, names: Iterable[str]) -> dict[str, str]:
    """Fields as they were typed, to show them again."""
    return {name: form.get(name) for name in names}
