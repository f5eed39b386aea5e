"""The sheet as an operator writes it."""

from __future__ import annotations

from typing import Any

import pytest

from newsletter.errors import MagnetError
from newsletter.magnets import sheet


def written(**changes: Any) -> dict[str, Any]:
    return sheet.starter().as_dict() | changes


def with_item(**changes: Any) -> dict[str, Any]:
    first, *others = sheet.starter().as_dict()["items"]
    return written(items=[first | changes, *others])


def test_the_shipped_sheet_is_the_stretch_series() -> None:
    """The brief: four moves that cover flexion, extension and rotation, with dose, caution and when to do them."""
    starter = sheet.starter()
    assert [item.figure for item in starter.items] == ["cat-cow", "puppy-pose", "thread-the-needle", "open-book"]
    assert all(2 <= len(item.steps) <= 4 and item.dose and item.caution and item.alt for item in starter.items)
    aims = " ".join(item.aim for item in starter.items).lower()
    assert all(word in aims for word in ("round", "arch", "turn"))
    assert starter.when
    assert "stop" in starter.note


def test_what_is_stored_reads_back_the_same() -> None:
    assert sheet.parse(sheet.starter().as_dict()) == sheet.starter()


def test_spaces_and_line_breaks_are_tidied() -> None:
    assert sheet.parse(written(title="  Two \n words ")).title == "Two words"


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({}, "no moves"),
        (written(items=[]), "no moves"),
        (written(items=written()["items"] * 3), "too many"),
        (written(items=["cat-cow"] * 2), "Move 1 has no fields"),
        (written(title=" "), "no title"),
        (written(intro="x" * 601), "601 characters"),
        (with_item(figure="moon-walk"), "moon-walk"),
        (with_item(steps=["Only one."]), "1 instructions"),
        (with_item(steps=["a", "b", "c", "d", "e"]), "5 instructions"),
        (with_item(steps=["fine", "x" * 241]), "241 characters"),
        (with_item(dose=""), "no dose"),
        (with_item(name=None), "no name"),
    ],
)
def test_what_is_amiss_is_said_in_words(raw: dict[str, Any], said: str) -> None:
    with pytest.raises(MagnetError, match=said) as refused:
        sheet.parse(raw)
    assert refused.value.remedy
