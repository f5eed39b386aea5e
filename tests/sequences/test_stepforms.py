"""The forms of the editor: what is read from them, and that what is filled in is read back the same."""

from __future__ import annotations

from datetime import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from newsletter.audience.rules import column_name
from newsletter.errors import SourceError
from newsletter.sequences import filewords, stepforms
from newsletter.sequences.conditions import Facts, holds
from newsletter.sequences.rules import CountsFrom, Timing, Unit
from newsletter.sequences.stepforms import Form

CLOCKS = some.times().map(lambda moment: moment.replace(second=0, microsecond=0))
WINDOWS = some.none() | some.tuples(CLOCKS, CLOCKS).filter(lambda ends: ends[0] != ends[1])
TIMINGS = some.builds(
    Timing,
    amount=some.integers(0, 3650),
    unit=some.sampled_from(Unit),
    counts_from=some.sampled_from(CountsFrom),
    window=WINDOWS,
    weekdays=some.integers(1, 127),
)
CONDITIONS: list[dict[str, Any]] = [
    {"tag": "client"},
    {"tag": "client", "not": True},
    {"clicked": "any"},
    {"clicked": "core-two", "not": True},
    {"downloaded": "ten-stretches"},
    {"field": "city", "is": "equals", "value": "Rome"},
    {"field": "city", "is": "contains", "value": "R"},
    {"field": "city", "is": "set", "value": ""},
]


def sent(fields: dict[str, Any]) -> Form:
    """A browser's form with these fields."""
    return Form({name: value if isinstance(value, list) else [value] for name, value in fields.items()})


@given(TIMINGS)
def test_3_4_a_timing_that_is_filled_in_is_read_back(timing: Timing) -> None:
    assert stepforms.timing_of(sent(stepforms.timing_fields(timing))) == timing


def test_browsers_may_send_seconds_and_nothing() -> None:
    typed = {"amount": "", "window_start": "07:00:00", "window_end": "9:30", "day": ["0", "9"]}
    read = stepforms.timing_of(sent(typed))
    assert read == Timing(0, Unit.DAYS, CountsFrom.PREVIOUS, (time(7), time(9, 30)), 1)


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_condition_that_is_filled_in_is_read_back(condition: dict[str, Any]) -> None:
    assert stepforms.condition_of(sent(stepforms.condition_fields(condition, "goal")), "goal") == condition


def test_is_not_is_shown_as_is_and_the_other_way_round() -> None:
    fields = stepforms.condition_fields({"field": "city", "is": "not", "value": "Rome"}, "if")
    read = stepforms.condition_of(sent(fields), "if")
    assert read == {"field": "city", "is": "equals", "value": "Rome", "not": True}
    both = stepforms.condition_fields({"field": "city", "is": "not", "value": "Rome", "not": True}, "if")
    assert stepforms.condition_of(sent(both), "if") == {"field": "city", "is": "equals", "value": "Rome"}


def test_what_is_offered_of_those_who_would_join_can_be_asked_of_them() -> None:
    assert set(stepforms.IF_KINDS) - set(stepforms.ENTRY_KINDS) == {"clicked"}


def test_no_goal_is_no_condition() -> None:
    assert stepforms.condition_of(sent(stepforms.condition_fields({}, "goal")), "goal") == {}


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("condition", {"if": {"tag": "x"}, "then": "", "else": "end"}),
        ("tag", {"add": ["a", "b c"], "remove": []}),
        ("move", {"to": "after"}),
        ("wait", {}),
        ("end", {}),
        ("email", {}),
    ],
)
def test_what_a_step_does_is_read_back(kind: str, config: dict[str, Any]) -> None:
    assert stepforms.config_of(kind, sent(stepforms.config_fields(kind, config))) == config


def test_3_13_exits_are_read_back() -> None:
    exits = [{"tagged": "client"}, {"tagged": "vip"}, {"untagged": "reader"}]
    assert stepforms.exits_of(sent(stepforms.exit_fields(exits))) == exits
    with pytest.raises(SourceError, match="nobody could stay"):
        stepforms.exits_of(sent({"exit_tagged": "a", "exit_untagged": "b, a"}))


def test_what_was_typed_is_kept_as_it_was() -> None:
    typed = sent({"amount": "many", "unit": "days", "day": ["1"], "add": " x,"})
    assert stepforms.typed_timing(typed)["amount"] == "many"
    assert stepforms.typed_timing(typed)["day"] == ["1"]
    assert stepforms.typed(typed, ["add", "remove"]) == {"add": " x,", "remove": ""}


def test_a_field_is_asked_for_under_the_name_by_which_an_import_keeps_it() -> None:
    asked = stepforms.condition_fields({"field": " Shoe size", "is": "equals", "value": "38"}, "if")
    read = stepforms.condition_of(sent(asked), "if")
    assert read == {"field": "shoe_size", "is": "equals", "value": "38"}
    assert holds(read, Facts(fields={column_name("Shoe Size"): "38"}))
    assert filewords.condition({"field": "Shoe size", "value": "38"}, "01-ask.yaml") == read
    with pytest.raises(SourceError, match="does not say which field"):
        stepforms.condition_of(sent(asked | {"if_field": "?!"}), "if")
