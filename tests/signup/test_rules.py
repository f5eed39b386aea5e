"""The pure decisions of signing up, as tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from newsletter.signup import rules
from newsletter.signup.rules import Counts, Step, Verdict

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "has_magnet", "step"),
    [
        (None, False, Step.CONFIRM),
        ("pending", False, Step.CONFIRM),
        ("confirmed", True, Step.DELIVER_AGAIN),
        ("confirmed", False, Step.DELIVER),
        ("unsubscribed", False, Step.CONFIRM),
        ("unsubscribed", True, Step.CONFIRM),
        ("bounced", False, Step.NOTHING),
        ("complained", True, Step.NOTHING),
        ("erased", False, Step.NOTHING),
    ],
)
def test_1_2_table_of_cases(status: str | None, has_magnet: bool, step: Step) -> None:
    assert rules.decide(status, has_magnet=has_magnet) is step


@pytest.mark.parametrize(
    ("mode", "follow", "marketing"),
    [("subscribe", False, True), ("subscribe", True, True), ("magnet", False, False), ("magnet", True, True)],
)
def test_1_7_only_the_box_of_a_deliver_only_form_agrees_to_follow_ups(mode: str, follow: bool, marketing: bool) -> None:
    assert rules.agrees_to_marketing(mode, follow) is marketing


def test_1_4_a_page_presses_itself_only_when_the_link_is_older_than_five_minutes() -> None:
    assert not rules.may_press_itself(NOON - timedelta(minutes=5), NOON)
    assert rules.may_press_itself(NOON - timedelta(minutes=5, seconds=1), NOON)


def test_1_8_other_words_are_another_version() -> None:
    assert rules.wording_version("a", "b") == rules.wording_version("a", "b")
    assert len({rules.wording_version(*words) for words in (("a", "b"), ("a", "c"), ("ab", ""))}) == 3


@pytest.mark.parametrize(
    ("counts", "proven", "verdict"),
    [
        (Counts(), False, Verdict.LET_IN),
        (Counts(ip_hour=39), False, Verdict.LET_IN),
        (Counts(ip_hour=40), True, Verdict.REFUSE),
        (Counts(address_hour=8), True, Verdict.REFUSE),
        (Counts(domain_hour=1000), True, Verdict.REFUSE),
        (Counts(all_ten_minutes=299), False, Verdict.LET_IN),
        (Counts(all_ten_minutes=300), False, Verdict.PROVE),
        (Counts(all_ten_minutes=300), True, Verdict.LET_IN),
        (Counts(all_ten_minutes=6000), True, Verdict.REFUSE),
    ],
)
def test_1_10_limits_per_ip_address_domain_and_all(counts: Counts, proven: bool, verdict: Verdict) -> None:
    assert rules.judge(counts, proven=proven) is verdict


def test_1_10_proof_of_work_is_hard_to_make_and_easy_to_check() -> None:
    solution = next(str(n) for n in count() if rules.is_proof("challenge", str(n)))
    assert int(solution) > 100
    assert not rules.is_proof("another challenge", solution)
    assert not rules.is_proof("challenge", "é")
    assert not rules.is_proof("challenge", "1" * 21)
