"""Each line of the decisions about series has tests that name it: `test_3_12_…` shows line 12 of section 3."""

from __future__ import annotations

import ast
import re
from collections import Counter
from functools import cache

import pytest

from tests.house import ROOT, tree_of

SERIES = 3
LINES = 21
# What a line is about, so that a missing test tells what is not shown.
ABOUT = {
    1: "a step's id is never reused, reordering never resends",
    2: "wording is live until sent, structure is versioned",
    3: "delays count from the actual send, 20 hours between two",
    4: "1 day is a calendar day, 24 hours are elapsed",
    5: "times that do not exist or occur twice",
    6: "windows across midnight, and those that cannot be",
    7: "weekdays: forward, at the same clock time",
    8: "the reader's zone, and a changed one",
    9: "a delay edited while people wait",
    10: "a step deleted while people wait",
    11: "a step appended after people finished",
    12: "re-entry, and a second trigger while active",
    13: "exits at once and at sending",
    14: "unsubscribing from what the email belongs to",
    15: "pauses and their ends",
    16: "what is long overdue is held",
    17: "one marketing email a day",
    18: "the first email at once",
    19: "imports are staggered and get no confirmation",
    20: "the clock jumps",
    21: "the forecast equals what happens",
}


@cache
def named() -> Counter[int]:
    """How many tests name each line of the section."""
    found: Counter[int] = Counter()
    for path in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef) and node.name.startswith(f"test_{SERIES}_"):
                found.update(int(line) for line in re.findall(rf"(?<![0-9]){SERIES}_(\d+)", node.name))
    return found


@pytest.mark.parametrize("line", range(1, LINES + 1))
def test_every_line_about_series_is_named_by_a_test(line: int) -> None:
    assert named()[line], f"no test shows 3.{line}: {ABOUT[line]}"
