"""A relay's form: what is kept, and every refusal in words; its limits and health as a person reads them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.delivery import relay_form, relay_words
from newsletter.delivery.relay_rules import Health
from newsletter.delivery.relay_words import WARMUPS, Standing, plan_days, tell
from tests.delivery.test_relays_admin import FORM

TODAY = date(2026, 3, 4)
NOW = datetime(2026, 3, 4, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"host": ""}, "A name like smtp.example.org"),
        ({"host": "https://smtp.example.org"}, "A name like smtp.example.org"),
        ({"host": "smtp.example.org:587"}, "A name like smtp.example.org"),
        ({"port": "0"}, "A number from 1 to 65535"),
        ({"port": "99999"}, "A number from 1 to 65535"),
        ({"port": "²"}, "A number from 1 to 65535"),
        ({"security": "strong"}, "Choose one from the list."),
        ({"security": "never"}, "The password would travel in the open."),
        ({"username": ""}, "A password needs a user name with it."),
        ({"username": "a\r\nb"}, "cannot be shown"),
        ({"password": "x" * 501}, "At most 500 characters"),
        ({"name": "x" * 81}, "At most 80 characters"),
        ({"name": "me@example.org"}, "Without an @"),
        ({"rate": "fast"}, "A number from 0.01"),
        ({"rate": "0"}, "A number from 0.01"),
        ({"rate": "-1"}, "A number from 0.01"),
        ({"rate": "nan"}, "A number from 0.01"),
        ({"connections": "51"}, "A number from 1 to 50"),
        ({"connections": ""}, "A number from 1 to 50"),
        ({"daily_cap": "many"}, "A whole number from 1"),
        ({"daily_cap": "0"}, "A whole number from 1"),
        ({"share": "101", "rate": "1"}, "A number from 1 to 100"),
        ({"share": "20"}, "A share of what?"),
        ({"warmup_name": "hot"}, "Choose one from the list."),
        ({"warmup_name": "own"}, "The numbers of each day"),
        ({"warmup_name": "own", "warmup_numbers": "50 -1"}, "The numbers of each day"),
        ({"warmup_name": "own", "warmup_numbers": "1 " * 121}, "The numbers of each day"),
        ({"warmup_name": "quick", "warmup_start": "tomorrow"}, "A day like"),
        ({"warmup_name": "quick", "warmup_start": "2999-01-01"}, "A day like"),
    ],
)
def test_nonsense_is_refused_in_words(typed: dict[str, str], said: str) -> None:
    problems = relay_form.read(FORM | typed, TODAY).problems
    assert said in " ".join(problems.values())
    assert len(problems) == 1


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ({}, {"name": "smtp.example.org:587", "rate": None, "daily_cap": None, "share": None, "warmup_start": None}),
        ({"host": " SMTP.Example.org. "}, {"host": "smtp.example.org"}),
        ({"host": "192.0.2.7", "port": "25"}, {"host": "192.0.2.7", "name": "192.0.2.7:25"}),
        ({"password": " with spaces "}, {"password": " with spaces "}),
        ({"security": "never", "host": "10.0.0.7"}, {"security": "never"}),
        ({"security": "never", "username": "", "password": ""}, {"security": "never"}),
        ({"rate": "0,5"}, {"rate": 0.5}),
        ({"rate": "14", "share": "25"}, {"rate": 14.0, "share": 25}),
        ({"at_once": "", "series": "on"}, {"at_once": False, "series": False, "to_many": True}),
        ({"warmup_name": "own", "warmup_numbers": "5,10 20;\n40"}, {"warmup_plan": [5, 10, 20, 40]}),
        ({"warmup_name": "quick"}, {"warmup_start": TODAY}),
        ({"warmup_name": "quick", "warmup_start": "2026-05-01"}, {"warmup_start": date(2026, 5, 1)}),
        ({"warmup_name": "", "warmup_numbers": "nonsense"}, {"warmup_plan": []}),
    ],
)
def test_what_is_kept(typed: dict[str, str], kept: dict[str, object]) -> None:
    reading = relay_form.read(FORM | typed, TODAY)
    assert reading.problems == {}
    assert {name: reading.values[name] for name in kept} == kept


@given(st.dictionaries(st.sampled_from(sorted(FORM)), st.text(max_size=40)))
def test_whatever_is_typed_is_kept_or_refused(typed: dict[str, str]) -> None:
    reading = relay_form.read(FORM | typed, TODAY)
    if not reading.problems:
        assert set(reading.values) == set(FORM) - {"warmup_numbers"} | {"warmup_plan"}


def test_the_relay_of_smtp_url_keeps_its_place() -> None:
    reading = relay_form.read(FORM, TODAY, with_server=False)
    assert not {"host", "port", "username", "password", "security", "name"} & set(reading.values)


@pytest.mark.parametrize("name", WARMUPS)
def test_2_9_a_plan_grows_every_day_in_round_numbers(name: str) -> None:
    plan = WARMUPS[name].plan()
    assert plan == sorted(set(plan)), "more each day"
    assert len(plan) == WARMUPS[name].days <= relay_form.LONGEST_PLAN
    assert all(len(str(number).rstrip("0")) <= 2 for number in plan)
    assert plan[-1] > 20_000


def test_a_plan_as_a_table() -> None:
    lines = plan_days(TODAY - timedelta(days=1), [50, 100, 200], TODAY)
    assert [(line.number, line.day.day, line.emails, line.is_today) for line in lines] == [
        (1, 3, 50, False),
        (2, 4, 100, True),
        (3, 5, 200, False),
    ]
    assert plan_days(None, [50], TODAY) == []


def standing(**more: object) -> Standing:
    known: dict[str, object] = {"enabled": True, "health": Health.WORKS, "problem": "", "retry_at": None, "proven": 0}
    known |= {"used": 0, "cap": None, "warmup_start": None, "warmup_plan": [], "halved": 0, "pace": None}
    return Standing(**known | {"today": TODAY} | more)  # type: ignore[arg-type]


WARMING = {"warmup_start": date(2026, 3, 2), "warmup_plan": [100, 200, 400, 800], "cap": 400}


@pytest.mark.parametrize(
    ("known", "words", "more"),
    [
        ({}, "Takes mail", ""),
        ({"enabled": False, "problem": "no", "health": Health.RESTS}, "Switched off", ""),
        ({"health": Health.RESTS, "problem": "535 no", "retry_at": NOW}, "Resting", "535 no"),
        ({"health": Health.TRIAL, "problem": "no"}, "On trial after a rest", "works again: nothing yet."),
        ({"health": Health.TRIAL, "problem": "no", "proven": 3}, "On trial after a rest", "works again: 3 so far."),
        ({"cap": 4000, "used": 4000}, "Today’s emails are used up", "4,000 went today. More after midnight UTC."),
        (WARMING | {"used": 200}, "Takes mail", "Warming up: day 3 of 4, 200 of 400 sent today."),
        (WARMING | {"used": 400}, "Today’s emails are used up", "Warming up: day 3 of 4, 400 of 400 sent today."),
        (WARMING | {"today": date(2026, 3, 9), "cap": None}, "Takes mail", ""),
        (
            WARMING | {"warmup_start": date(2026, 3, 9), "cap": 0},
            "Its warm-up has not begun",
            "Warming up begins on 9 March 2026.",
        ),
        ({"halved": 2, "pace": 0.5}, "Slowed down", "It asked for fewer emails; now 30 a minute."),
    ],
)
def test_2_8_a_relays_health_in_words(known: dict[str, object], words: str, more: str) -> None:
    told = tell(standing(**known))
    assert told.words == words
    assert told.more.endswith(more)
    assert bool(told.more) == bool(more)


@pytest.mark.parametrize(
    ("rate", "words"),
    [
        (4.0, "4 a second"),
        (2.5, "2.5 a second"),
        (0.5, "30 a minute"),
        (0.01, "36 an hour"),
        (0.0001, "less than one an hour"),
    ],
)
def test_a_pace_in_words(rate: float, words: str) -> None:
    assert relay_words.pace_words(rate) == words
