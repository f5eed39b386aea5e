"""What a broadcast may be, as tables and properties."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.broadcasts import rules
from newsletter.broadcasts.rules import Answers, Audience, BroadcastState, Text, Whom
from newsletter.errors import InputError
from newsletter.messages.source import parse

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        ("all", Audience(Whom.ALL)),
        (" all ", Audience(Whom.ALL)),
        ("tag:Yoga", Audience(Whom.TAG, tag="yoga")),
        ("tag: with spaces ", Audience(Whom.TAG, tag="with spaces")),
        ("person:12", Audience(Whom.PERSON, person=12)),
    ],
)
def test_an_audience_is_read(spec: str, found: Audience) -> None:
    assert rules.audience(spec) == found
    assert rules.audience(str(found)) == found


@pytest.mark.parametrize(
    "spec", ["", "everybody", "all:x", "tag:", "tag:  ", "person:", "person:-1", "person:²", "TAG:x"]
)
def test_nonsense_is_no_audience(spec: str) -> None:
    with pytest.raises(InputError, match="is no audience"):
        rules.audience(spec)


def test_a_segment_is_refused_with_what_to_do() -> None:
    with pytest.raises(InputError, match="Use all or tag:NAME"):
        rules.audience("segment:active readers")


@pytest.mark.parametrize(
    ("state", "edit", "take_back", "pause", "resume", "cancel"),
    [
        (BroadcastState.DRAFT, True, False, False, False, False),
        (BroadcastState.QUEUED, False, True, False, False, True),
        (BroadcastState.STARTING, False, False, True, False, True),
        (BroadcastState.SENDING, False, False, True, False, True),
        (BroadcastState.PAUSED, False, False, False, True, True),
        (BroadcastState.DONE, False, False, False, False, False),
        (BroadcastState.CANCELED, False, False, False, False, False),
    ],
)
def test_2_10_what_may_be_done_in_which_state(
    state: BroadcastState, edit: bool, take_back: bool, pause: bool, resume: bool, cancel: bool
) -> None:
    assert rules.may_edit(state) is edit
    assert rules.may_take_back(state, planned_to=1) is take_back
    assert rules.may(state, BroadcastState.PAUSED) is pause
    assert rules.may(state, BroadcastState.SENDING) is (resume or state == BroadcastState.STARTING)
    assert rules.may(state, BroadcastState.CANCELED) is cancel


def test_2_11_while_it_is_proved_it_can_be_taken_back() -> None:
    assert rules.may_take_back(BroadcastState.STARTING, planned_to=0)


def test_every_state_has_its_arrows_and_its_words() -> None:
    assert set(rules.ARROWS) == set(rules.BROADCAST_WORDS) == set(BroadcastState)
    for state in BroadcastState:
        assert rules.sources(state) == [source for source in BroadcastState if state in rules.ARROWS[source]]


@pytest.mark.parametrize(
    ("accepted", "refused", "stops"),
    [
        (0, 0, False),
        (0, 99, False),  # too few answers to say anything
        (0, 100, True),
        (95, 5, False),  # exactly 5% is not over 5%
        (94, 6, True),
        (128, 12, True),
        (940, 49, False),
        (1_000_000, 52_631, False),
        (1_000_000, 52_632, True),
        # since a resume: fewer than before cannot be, but a ledger that was set back must not stop anything
        (-5, 2, False),
    ],
)
def test_2_10_five_percent_after_a_hundred(accepted: int, refused: int, stops: bool) -> None:
    assert rules.refused_too_often(Answers(accepted, refused)) is stops


def test_2_10_it_says_why_in_numbers_and_counts_from_the_resume() -> None:
    words = rules.refused_words(Answers(128, 12))
    assert words.startswith("12 of 140 were refused")
    assert Answers(1128, 62).since(Answers(1000, 50)) == Answers(128, 12)


@pytest.mark.parametrize(
    ("proved", "unmakeable", "finished", "hopeless"),
    [
        (0, 0, True, False),
        (3, 2, True, False),
        (3, 3, False, False),
        (3, 3, True, True),
        (999, 999, False, False),
        (1000, 1000, False, True),
        (5000, 4999, False, False),
    ],
)
def test_2_11_when_a_text_is_broken_for_all(proved: int, unmakeable: int, finished: bool, hopeless: bool) -> None:
    assert rules.is_hopeless(proved, unmakeable, finished) is hopeless


@pytest.mark.parametrize(
    ("planned_to", "through_id", "state"),
    [(0, 0, "started"), (0, 9, "starting"), (8, 9, "starting"), (9, 9, "started")],
)
def test_2_10_a_resumed_broadcast_goes_on_where_it_stood(planned_to: int, through_id: int, state: str) -> None:
    assert rules.resumed(planned_to, through_id) == state


@pytest.mark.parametrize(
    ("rate", "done", "seconds", "now"), [(0, 50, 3, 1000), (1000, 50, 3, 1000), (1000, 0, 3, 500), (100, 15, 3, 200)]
)
def test_the_pace_follows_slowly(rate: float, done: int, seconds: float, now: float) -> None:
    assert rules.smoothed(rate, done, seconds) == now


@pytest.mark.parametrize(
    ("waiting", "rate", "words"),
    [
        (0, 100, ""),
        (100, 0, ""),
        (99, 100, "less than a minute"),
        (100, 100, "about 1 minute"),
        (1000, 400, "about 2 minutes"),
        (9000, 100, "about 2 hours"),
        (1_000_000, 100, "about 7 days"),
    ],
)
def test_the_time_left_in_words(waiting: int, rate: float, words: str) -> None:
    assert rules.time_left(waiting, rate) == words


@pytest.mark.parametrize(
    ("zone", "day", "at", "utc", "moved"),
    [
        (BERLIN, date(2025, 7, 1), time(7, 0), "2025-07-01T05:00", False),
        (BERLIN, date(2025, 1, 1), time(7, 0), "2025-01-01T06:00", False),
        # 3.5: 02:30 does not exist that night; the first instant after the gap is 03:00.
        (BERLIN, date(2025, 3, 30), time(2, 30), "2025-03-30T01:00", True),
        (NEW_YORK, date(2025, 3, 9), time(2, 0), "2025-03-09T07:00", True),
        # 3.5: 02:30 occurs twice; the first.
        (BERLIN, date(2025, 10, 26), time(2, 30), "2025-10-26T00:30", False),
        # A whole day left out: Samoa crossed the date line.
        (ZoneInfo("Pacific/Apia"), date(2011, 12, 30), time(12, 0), "2011-12-30T10:00", True),
    ],
)
def test_3_5_a_civil_time_becomes_a_moment(zone: ZoneInfo, day: date, at: time, utc: str, moved: bool) -> None:
    chosen = rules.moment(day, at, zone)
    assert chosen.at == datetime.fromisoformat(utc).replace(tzinfo=UTC)
    assert chosen.moved is moved


def test_the_past_is_refused() -> None:
    now = datetime(2025, 3, 4, 9, 0, tzinfo=UTC)
    assert rules.not_past(now, now) == now
    with pytest.raises(InputError, match="This moment is over"):
        rules.not_past(datetime(2025, 3, 4, 8, 59, tzinfo=UTC), now)


@pytest.mark.parametrize(
    ("at", "words"),
    [
        (None, "now"),
        ("2025-03-04T09:00", "now"),
        ("2025-03-04T17:30", "today at 18:30"),
        ("2025-03-05T06:00", "tomorrow at 07:00"),
        ("2025-03-04T23:30", "tomorrow at 00:30"),
        ("2025-03-11T06:00", "Tuesday, 11 March 2025 at 07:00"),
    ],
)
def test_a_moment_in_words(at: str | None, words: str) -> None:
    now = datetime(2025, 3, 4, 9, 0, tzinfo=UTC)
    moment = datetime.fromisoformat(at).replace(tzinfo=UTC) if at else None
    assert rules.moment_words(moment, now, BERLIN) == words


@pytest.mark.parametrize(
    ("who", "count", "words"),
    [
        (Audience(Whom.ALL), 1234, "everybody: 1,234 people"),
        (Audience(Whom.TAG, tag="yoga"), 214, "214 people tagged yoga"),
        (Audience(Whom.TAG, tag="yoga"), 1, "1 person tagged yoga"),
        (Audience(Whom.PERSON, person=3), 1, "alice@example.org"),
    ],
)
def test_an_audience_in_words(who: Audience, count: int, words: str) -> None:
    assert rules.audience_words(who, count, "alice@example.org") == words


PRINTABLE = st.text(st.characters(exclude_categories=("Cc", "Cs", "Cn", "Co", "Zl", "Zp")))


@given(PRINTABLE, PRINTABLE, PRINTABLE)
def test_a_text_survives_being_stored(subject: str, preheader: str, body: str) -> None:
    text = Text(" ".join(subject.split()), " ".join(preheader.split()), body)
    assert rules.read_source(rules.write_source(text)) == text


@given(PRINTABLE.filter(lambda words: 0 < len(" ".join(words.split())) <= 150), PRINTABLE)
def test_a_stored_text_is_a_source_that_messages_reads(subject: str, body: str) -> None:
    source = parse(rules.write_source(Text(subject, "", body)))
    assert source.subject == " ".join(subject.split())
    assert source.body == body.removeprefix("\ufeff")
    assert source.body_line == 5


def test_lines_from_a_browser_become_lines() -> None:
    assert rules.read_source(rules.write_source(Text("a\r\nb", "", "one\r\ntwo\rthree"))) == Text(
        "a b", "", "one\ntwo\nthree"
    )
