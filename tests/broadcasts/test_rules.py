"""What a broadcast may be, as tables and properties."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.broadcasts import rules
from newsletter.broadcasts.rules import Audience, BroadcastState, Text, Whom
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
    ("state", "edit", "cancel"),
    [
        (BroadcastState.DRAFT, True, False),
        (BroadcastState.QUEUED, False, True),
        (BroadcastState.STARTED, False, False),
        (BroadcastState.CANCELED, False, False),
    ],
)
def test_what_may_be_done_in_which_state(state: BroadcastState, edit: bool, cancel: bool) -> None:
    assert rules.may_edit(state) is edit
    assert rules.may_cancel(state) is cancel


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
