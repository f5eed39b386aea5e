"""A sheet: the words of a one-page PDF, as an operator writes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from newsletter.errors import MagnetError
from newsletter.figures.exercises import EXERCISES

STARTER = Path(__file__).resolve().parent.parent / "starter" / "stretch-series.yaml"
FEWEST_STEPS, MOST_STEPS = 2, 4
MOST_ITEMS = 8
# In characters. A text longer than this is a page of its own, whatever the size of the type.
LONGEST = {
    "title": 120,
    "intro": 600,
    "when": 400,
    "note": 400,
    "name": 60,
    "aim": 40,
    "dose": 60,
    "caution": 200,
    "step": 240,
}


@dataclass(frozen=True)
class Item:
    """One move: `figure` is a key of the drawings, `steps` are the instructions in order."""

    figure: str
    name: str
    steps: tuple[str, ...]
    dose: str
    aim: str = ""
    caution: str = ""

    @property
    def alt(self) -> str:
        """What the picture shows, in words."""
        return EXERCISES[self.figure].alt


@dataclass(frozen=True)
class Imprint:
    """What the footer says of the studio; `url` and `video` are whole addresses."""

    name: str
    url: str
    video: str
    postal_address: str = ""
    signature: str = ""


@dataclass(frozen=True)
class Sheet:
    """A one-page gift: what it is for, when to do it, its moves in order, and a note for safety."""

    title: str
    intro: str
    when: str
    items: tuple[Item, ...]
    note: str = ""
    language: str = "en"

    def as_dict(self) -> dict[str, Any]:
        """The sheet as it is stored."""
        kept = asdict(self)
        return kept | {"items": [item | {"steps": list(item["steps"])} for item in kept["items"]]}


def starter() -> Sheet:
    """The sheet that ships."""
    return parse(yaml.safe_load(STARTER.read_text(encoding="utf-8")))


def parse(raw: Mapping[str, Any]) -> Sheet:
    """Read a stored or shipped sheet; raises MagnetError with a sentence about the first thing amiss."""
    items = raw.get("items")
    if not isinstance(items, list) or not 1 <= len(items) <= MOST_ITEMS:
        raise MagnetError("The sheet has no moves, or too many.", remedy=f"Give it 1 to {MOST_ITEMS}.")
    return Sheet(
        title=_text(raw, "title", "The sheet"),
        intro=_text(raw, "intro", "The sheet"),
        when=_text(raw, "when", "The sheet"),
        items=tuple(_item(item, number) for number, item in enumerate(items, 1)),
        note=_text(raw, "note", "The sheet", needed=False),
        language=str(raw.get("language") or "en"),
    )


def _item(raw: object, number: int) -> Item:
    where = f"Move {number}"
    if not isinstance(raw, Mapping):
        raise MagnetError(f"{where} has no fields.", remedy="It needs a figure, a name, steps and a dose.")
    figure = str(raw.get("figure", ""))
    if figure not in EXERCISES:
        raise MagnetError(
            f"{where} asks for the picture “{figure}”, which does not exist.",
            remedy=f"Use one of: {', '.join(sorted(EXERCISES))}.",
        )
    steps = tuple(" ".join(str(step).split()) for step in raw.get("steps") or () if str(step).strip())
    if not FEWEST_STEPS <= len(steps) <= MOST_STEPS:
        raise MagnetError(
            f"{where} has {len(steps)} instructions.", remedy=f"Write {FEWEST_STEPS} to {MOST_STEPS}, one on each line."
        )
    for step in steps:
        _check_length(step, "step", where)
    return Item(
        figure=figure,
        name=_text(raw, "name", where),
        steps=steps,
        dose=_text(raw, "dose", where),
        aim=_text(raw, "aim", where, needed=False),
        caution=_text(raw, "caution", where, needed=False),
    )


def _text(raw: Mapping[str, Any], field: str, where: str, *, needed: bool = True) -> str:
    text = " ".join(str(raw.get(field) or "").split())
    if needed and not text:
        raise MagnetError(f"{where} has no {field}.", remedy="Fill it in.")
    _check_length(text, field, where)
    return text


def _check_length(text: str, field: str, where: str) -> None:
    if len(text) > LONGEST[field]:
        raise MagnetError(
            f"{where}: the {field} has {len(text)} characters.",
            means="That is more than one page can take.",
            remedy=f"Keep it to {LONGEST[field]}.",
        )
