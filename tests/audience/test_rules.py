"""Who may get what, what wins in a merge, how names and tags are kept, and what a file may do: as tables."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.audience import rules
from newsletter.audience.rules import CLOSED, STATUS_WORDS, Status

MAY = [
    # status, agreed to marketing, may get marketing, may get a gift
    (Status.CONFIRMED, True, True, True),
    (Status.CONFIRMED, False, False, True),
    (Status.PENDING, True, False, False),
    (Status.UNSUBSCRIBED, True, False, False),
    (Status.BOUNCED, True, False, False),
    (Status.COMPLAINED, True, False, False),
    (Status.ERASED, True, False, False),
]


@pytest.mark.parametrize(("status", "agreed", "marketing", "gift"), MAY)
def test_1_7_who_may_get_what(status: Status, agreed: bool, marketing: bool, gift: bool) -> None:
    assert (rules.why_not_marketing(status, agreed) == "") is marketing
    assert (rules.why_not_gift(status) == "") is gift


def test_every_status_has_words_and_no_two_the_same() -> None:
    assert set(STATUS_WORDS) == set(Status)
    assert len(set(STATUS_WORDS.values())) == len(Status)
    assert {Status.BOUNCED, Status.COMPLAINED, Status.ERASED} == CLOSED


@pytest.mark.parametrize(("one", "other"), list(product(Status, Status)))
def test_4_of_two_the_stricter_is_never_more_than_either_allows(one: Status, other: Status) -> None:
    merged = rules.stricter(one, other)
    assert merged in {one, other}
    assert merged == rules.stricter(other, one)
    for allowed in (rules.why_not_marketing(merged, True) == "", rules.why_not_gift(merged) == ""):
        assert not allowed or one == other == Status.CONFIRMED
    assert (merged in CLOSED) is (one in CLOSED or other in CLOSED)


TAGS = [
    ("  Calm  Mornings ", "calm mornings"), ("STRASSE", "strasse"), ("straße", "strasse"), ("", ""), (" \t\n ", ""),
    ("a\x00b", "ab"), ("x" * 90, "x" * 80), ("x" * 79 + " y", "x" * 79), ("Früh\u200baufsteher", "frühaufsteher"),
]  # fmt: skip


@pytest.mark.parametrize(("given_name", "kept"), TAGS)
def test_a_tag_as_it_is_kept(given_name: str, kept: str) -> None:
    assert rules.tidy_tag(given_name) == kept


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  Anne \n Marie ", "Anne Marie"),
        ("Bob\r\nBcc: charlie@example.net", "Bob Bcc: charlie@example.net"),
        ("Zoë\x00\x1b[31m", "Zoë[31m"),
        ("李小龍", "李小龍"),
        ("x" * 200, "x" * 120),
        ("x" * 119 + " y", "x" * 119),
    ],
)
def test_a_name_as_it_is_kept(typed: str, kept: str) -> None:
    assert rules.tidy_name(typed) == kept


@given(st.text(max_size=300))
def test_tidying_twice_changes_nothing_more(text: str) -> None:
    for tidy, longest in ((rules.tidy_tag, 80), (rules.tidy_name, 120), (rules.tidy_field, 500)):
        once = tidy(text)
        assert tidy(once) == once or tidy is rules.tidy_tag  # casefold may grow a sign, so a cut tag may shrink again
        assert len(once) <= longest
        assert "\0" not in once
        assert "\n" not in once


ZONES = [
    ("Europe/Berlin", True), ("UTC", True), ("America/Argentina/Buenos_Aires", True), ("Asia/Kathmandu", True),
    ("", False), ("Europe", False), ("Mars/Olympus", False), ("../../etc/passwd", False), ("/etc/localtime", False),
    ("Europe/Berlin\0", False), ("+02:00", False), ("x" * 500, False), ("EUROPE/BERLIN ", False),
]  # fmt: skip


@pytest.mark.parametrize(("name", "known"), ZONES)
def test_time_zones(name: str, known: bool) -> None:
    assert rules.is_zone(name) is known


@pytest.mark.parametrize(
    ("heading", "name"),
    [
        ("Email", "email"), ("E-Mail", "email"), (" email address ", "email"), ("First Name", "first_name"),
        ("firstname", "first_name"), ("Surname", "last_name"), ("Time zone", "timezone"), ("Tag", "tags"),
        ("Shoe size (EU)", "shoe_size_eu"), ("Größe", "grösse"), ("", ""), ("---", ""),
    ],
)  # fmt: skip
def test_a_columns_name(heading: str, name: str) -> None:
    assert rules.column_name(heading) == name


@pytest.mark.parametrize(
    ("heading", "sign"),
    [
        ("email,first_name", ","), ("email;first_name", ";"), ("email\tfirst_name", "\t"), ("email", ","),
        ('"a,b,c";email;x', ";"), ("", ","), ("email,notes; remarks,tags", ","),
    ],
)  # fmt: skip
def test_what_separates_columns(heading: str, sign: str) -> None:
    assert rules.delimiter(heading) == sign


def test_tags_in_one_cell() -> None:
    assert rules.split_tags(" Calm, strong ;calm| ,Morning light") == ["calm", "strong", "morning light"]
    assert rules.split_tags("  ") == []


@pytest.mark.parametrize(
    ("status", "suppressed", "may"),
    [
        (None, None, True), (Status.PENDING, None, True), (Status.CONFIRMED, None, True),
        (Status.UNSUBSCRIBED, None, False), (Status.BOUNCED, None, False), (Status.COMPLAINED, None, False),
        (Status.ERASED, None, False), (None, "erased", False), (None, "complained", False),
        (Status.CONFIRMED, "complained", False),
    ],
)  # fmt: skip
def test_4_whom_a_file_may_bring_in(status: Status | None, suppressed: str | None, may: bool) -> None:
    assert (rules.why_not_imported(status, suppressed) == "") is may


@pytest.mark.parametrize(
    ("status", "marketing", "may"),
    [
        ("", "", True), ("confirmed", "True", True), ("Confirmed", "yes", True), ("customer", "", True),
        ("unsubscribed", "", False), (" Bounced ", "True", False), ("complained", "", False), ("pending", "", False),
        ("erased", "", False), ("confirmed", "False", False), ("", "no", False), ("", "0", False),
    ],
)  # fmt: skip
def test_4_an_exported_list_does_not_come_back_stronger_than_it_went(status: str, marketing: str, may: bool) -> None:
    assert (rules.why_not_by_its_own_words(status, marketing) == "") is may
