"""Steps and conditions in words."""

from __future__ import annotations

from typing import Any

import pytest

from newsletter.sequences.saying import (
    Names,
    say_condition,
    say_entry,
    say_exit,
    say_exits,
    say_not_joined,
    say_reentry,
    say_step,
    title_of,
)

NAMES = Names(steps={"two": "email 2 “Hips”"}, gifts={"ten": "Ten stretches"}, series={"after": "Afterwards"})


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ({}, ""),
        ({"tag": "client"}, "have the tag “client”"),
        ({"tag": "client", "not": True}, "do not have the tag “client”"),
        ({"clicked": "any"}, "pressed a link in any email of this series"),
        ({"clicked": "two", "not": True}, "did not press a link in email 2 “Hips”"),
        ({"clicked": "gone"}, "pressed a link in “gone”"),
        ({"downloaded": "ten"}, "downloaded “Ten stretches”"),
        ({"downloaded": "any", "not": True}, "did not download any gift"),
        ({"field": "city", "is": "equals", "value": "Rome"}, "have a field “city” that is “Rome”"),
        ({"field": "city", "is": "not", "value": "Rome"}, "have a field “city” that is not “Rome”"),
        ({"field": "city", "is": "not", "value": "Rome", "not": True}, "have a field “city” that is “Rome”"),
        ({"field": "city", "is": "contains", "value": "R"}, "have a field “city” that contains “R”"),
        ({"field": "city", "is": "set", "not": True}, "have nothing in the field “city”"),
    ],
)
def test_conditions_follow_they(condition: dict[str, Any], words: str) -> None:
    assert say_condition(condition, NAMES) == words


@pytest.mark.parametrize(
    ("kind", "config", "words", "title"),
    [
        ("email", {}, "", ""),
        ("wait", {}, "Nothing is sent.", "Wait"),
        ("end", {}, "The series ends here.", "The series ends here"),
        ("tag", {"add": ["a", "b"]}, "The reader gets “a” and “b”.", "The reader gets “a” and “b”"),
        ("tag", {"add": [], "remove": ["a"]}, "The reader loses “a”.", "The reader loses “a”"),
        (
            "move",
            {"to": "after"},
            "They change over to the series “Afterwards”.",
            "They change over to the series “Afterwards”",
        ),
        (
            "condition",
            {"if": {"tag": "x"}, "then": "", "else": "two"},
            "If they have the tag “x”: on to the next step. If not: to email 2 “Hips”.",
            "If they have the tag “x”",
        ),
        (
            "condition",
            {"if": {"tag": "x"}, "then": "end", "else": ""},
            "If they have the tag “x”: the series ends. If not: on to the next step.",
            "If they have the tag “x”",
        ),
    ],
)
def test_steps_say_what_they_do(kind: str, config: dict[str, Any], words: str, title: str) -> None:
    assert say_step(kind, config, NAMES) == words
    assert title_of(kind, config, NAMES) == title


def test_3_12_coming_again_in_words() -> None:
    assert say_reentry("never", 30) == "Never again: nobody gets it twice"
    assert say_reentry("completed", 0) == "Again once they finished it"
    assert say_reentry("always", 1) == "Again whenever they finished or left it, after at least 1 day"


def test_who_may_join_in_words() -> None:
    assert say_entry({}) == ""
    assert say_entry({"downloaded": "ten"}, NAMES) == "only those who downloaded “Ten stretches” join"
    assert say_not_joined("A", "they had it", again=True) == "Did not begin the series “A” again: they had it"
    assert say_not_joined("A", "they left", again=False) == "Did not join the series “A”: they left"


def test_3_13_ways_out_in_words() -> None:
    assert say_exits([]) == ""
    assert say_exits([{"tagged": "a"}, {"untagged": "b"}]) == "whoever gets the tag “a” or loses the tag “b”"


@pytest.mark.parametrize(
    ("exit_on", "words"),
    [
        ({"tagged": "client"}, "they get the tag “client”"),
        ({"untagged": "client"}, "they lose the tag “client”"),
        ({"tag": "yoga", "not": True}, "they do not have the tag “yoga”"),
        ({"field": "city", "is": "set", "not": True}, "they have nothing in the field “city”"),
    ],
)
def test_3_13_why_somebody_left_is_said_as_the_condition_is(exit_on: dict[str, Any], words: str) -> None:
    assert say_exit(exit_on) == words
