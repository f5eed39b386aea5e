"""What a step, a goal or an exit may ask about a reader, as tables."""

from __future__ import annotations

from typing import Any

import pytest

from newsletter.sequences.conditions import (
    NOTHING_KNOWN,
    Facts,
    holds,
    leaves,
    problem_with,
    problem_with_exit,
)

ALICE = Facts(
    tags=frozenset({"yoga", "early bird"}),
    downloaded=frozenset({"core-plan"}),
    clicked=frozenset({"hello"}),
    fields={"city": "Springfield", "goal": ""},
)


@pytest.mark.parametrize(
    ("condition", "of_alice", "of_nobody"),
    [
        ({"tag": "yoga"}, True, False),
        ({"tag": "Early Bird"}, True, False),
        ({"tag": "client"}, False, False),
        ({"tag": "client", "not": True}, True, True),
        ({"clicked": "hello"}, True, False),
        ({"clicked": "more"}, False, False),
        ({"clicked": "any"}, True, False),
        ({"clicked": "any", "not": True}, False, True),
        ({"downloaded": "core-plan"}, True, False),
        ({"downloaded": "any"}, True, False),
        ({"downloaded": "stretching"}, False, False),
        ({"field": "city", "is": "equals", "value": "springfield"}, True, False),
        ({"field": "city", "value": "Springfield"}, True, False),
        ({"field": "city", "is": "not", "value": "Springfield"}, False, True),
        ({"field": "city", "is": "contains", "value": "Spring"}, True, False),
        ({"field": "city", "is": "contains", "value": "x", "not": True}, True, True),
        ({"field": "city", "is": "set"}, True, False),
        ({"field": "goal", "is": "set"}, False, False),
        ({"field": "goal", "is": "set", "not": True}, True, True),
        ({}, False, False),
        ({"not": True}, False, False),
        ({"moon": "full", "not": True}, False, False),
    ],
)
def test_what_holds_of_whom(condition: dict[str, Any], of_alice: bool, of_nobody: bool) -> None:
    assert holds(condition, ALICE) is of_alice
    assert holds(condition, NOTHING_KNOWN) is of_nobody


@pytest.mark.parametrize(
    ("exit_on", "of_alice", "of_nobody"),
    [
        ({"tagged": "yoga"}, True, False),
        ({"tagged": "client"}, False, False),
        ({"untagged": "yoga"}, False, True),
        ({"clicked": "any"}, True, False),
        ({}, False, False),
    ],
)
def test_3_13_who_takes_which_exit(exit_on: dict[str, Any], of_alice: bool, of_nobody: bool) -> None:
    assert leaves(exit_on, ALICE) is of_alice
    assert leaves(exit_on, NOTHING_KNOWN) is of_nobody


@pytest.mark.parametrize(
    ("condition", "problem"),
    [
        ({"tag": "yoga"}, ""),
        ({"tag": "yoga", "not": True}, ""),
        ({"field": "city", "is": "set"}, ""),
        ({}, "one thing"),
        ({"tag": "a", "clicked": "any"}, "one thing"),
        ({"tag": " "}, "does not say which"),
        ({"field": "city", "is": "like", "value": "x"}, "nothing that can be asked"),
        ({"field": "city", "is": "equals", "value": ""}, "what to compare"),
    ],
)
def test_a_condition_that_cannot_be_asked_says_why(condition: dict[str, Any], problem: str) -> None:
    found = problem_with(condition)
    assert bool(found) == bool(problem)
    assert problem in found


def test_an_exit_may_wait_for_a_tag_to_come_or_to_go() -> None:
    assert problem_with_exit({"tagged": "client"}) == problem_with_exit({"untagged": "client"}) == ""
    assert "which tag" in problem_with_exit({"tagged": ""})
    assert "one thing" in problem_with_exit({})
