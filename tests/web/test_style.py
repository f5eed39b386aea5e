"""The style sheets: what holds everywhere is said once."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.house import ROOT

# The browser's own triangle, and the arrow that base.css draws in its place; a summary that is a button has neither.
_MARKER = re.compile(r"summary::-webkit-details-marker|summary::marker|summary\.button::before")


def test_how_a_summary_is_marked_is_said_once() -> None:
    assert sorted(_said()) == [
        ("base.css", "summary.button::before"),
        ("base.css", "summary::-webkit-details-marker"),
    ]


def _said() -> Iterator[tuple[str, str]]:
    for sheet in (ROOT / "static" / "css").glob("*.css"):
        for found in _MARKER.findall(sheet.read_text(encoding="utf-8")):
            yield sheet.name, found
