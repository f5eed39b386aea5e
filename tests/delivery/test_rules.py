"""What the ledger decides, as tables: arrows, answers of relays, waiting, giving up, the visitors' cool-down."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.delivery import rules
from newsletter.delivery.rules import ARROWS, ENDED, STATE_WORDS, Lane, Reply, State
from tests.people import NOW

SESSION = {"about": "session"}
ANSWERS = [
    (Reply(250, "2.0.0", "OK"), State.ACCEPTED, False),
    (Reply(251), State.ACCEPTED, False),
    (Reply(0, text="lost"), State.UNKNOWN, False),
    (Reply(-1, text="no SMTP"), State.UNKNOWN, False),
    (Reply(354), State.UNKNOWN, False),
    (Reply(421, "4.3.2", "closing", **SESSION), State.DEFERRED, False),
    (Reply(450, "4.2.0", "greylisted"), State.DEFERRED, False),
    (Reply(451, "4.7.1", "try later"), State.DEFERRED, False),
    (Reply(452, "4.2.2", "mailbox full"), State.DEFERRED, False),
    (Reply(550, "5.1.1", "no such user"), State.REJECTED, False),
    (Reply(550, "", "no"), State.REJECTED, False),
    (Reply(552, "5.2.2", "over quota"), State.REJECTED, False),
    (Reply(550, "5.7.1", "not from you"), State.DEFERRED, True),
    (Reply(554, "5.7.26", "SPF and DKIM failed"), State.DEFERRED, True),
    (Reply(550, "5.70.1", "no such class"), State.REJECTED, False),
    (Reply(530, "", "sign in first", **SESSION), State.DEFERRED, True),
    (Reply(553, "5.1.8", "bad sender", **SESSION), State.DEFERRED, True),
]


@pytest.mark.parametrize(("reply", "state", "stops"), ANSWERS)
def test_2_8_what_an_answer_means(reply: Reply, state: State, stops: bool) -> None:
    assert rules.outcome(reply) is state
    assert rules.stops_relay(reply) is stops


@given(
    st.integers(-1, 999), st.sampled_from(["", "4.2.2", "5.1.1", "5.7.1"]), st.sampled_from(["recipient", "session"])
)
def test_2_8_every_answer_leads_somewhere_that_sending_may_lead(code: int, enhanced: str, about: str) -> None:
    reply = Reply(code, enhanced, about=about)
    assert rules.outcome(reply) in ARROWS[State.SENDING]
    if rules.outcome(reply) is State.REJECTED:
        assert not rules.stops_relay(reply), "nobody bounces for what is wrong with us"


def test_2_2_ended_states_have_no_way_out_and_all_others_do() -> None:
    assert {state for state in State if not ARROWS[state]} == ENDED
    assert set(ARROWS) == set(State) == set(STATE_WORDS)


@given(st.integers(1, 60), st.sampled_from(["", "4.2.2", "4.7.1"]), st.floats(0, 0.999))
def test_2_8_waiting_stays_within_its_bounds(attempts: int, enhanced: str, jitter: float) -> None:
    reply = Reply(450, enhanced)
    waited, least = rules.try_again_after(attempts, reply, jitter), rules.try_again_after(attempts, reply, 0)
    assert least <= waited < least * 1.5
    assert timedelta(minutes=5) <= least <= timedelta(hours=4)


WAITS = [
    (1, "", 5), (2, "", 10), (3, "", 20), (4, "", 40), (5, "", 80), (6, "", 160), (7, "", 240), (30, "", 240),
    (0, "", 5), (1, "4.2.2", 120), (2, "4.2.2", 240), (3, "4.2.2", 240),
]  # fmt: skip


@pytest.mark.parametrize(("attempts", "enhanced", "minutes"), WAITS)
def test_2_8_waiting_doubles_and_a_full_mailbox_waits_hours(attempts: int, enhanced: str, minutes: int) -> None:
    assert rules.try_again_after(attempts, Reply(452, enhanced), 0) == timedelta(minutes=minutes)


def test_2_2_given_up_after_72_hours_of_trying_and_not_a_second_before() -> None:
    assert not rules.is_given_up(NOW, NOW + timedelta(hours=72))
    assert rules.is_given_up(NOW, NOW + timedelta(hours=72, seconds=1))


def test_2_8_all_tries_within_72_hours_are_enough_to_outlast_a_day_of_trouble() -> None:
    tries, waited = 0, timedelta()
    while waited < timedelta(hours=72):
        tries += 1
        waited += rules.try_again_after(tries, Reply(450), 0.999)
    assert 15 < tries < 40


MINUTES = [
    ([], True), ([0], False), ([9.99], False), ([10], True), ([20, 10], True), ([30, 20, 10], False),
    ([60 * 24, 30, 20], True), ([60 * 24 - 1, 30, 20], False), ([60 * 30, 60 * 26, 60 * 25], True),
]  # fmt: skip


@pytest.mark.parametrize(("ago", "may"), MINUTES)
def test_1_2_at_most_one_per_ten_minutes_and_three_per_day(ago: list[float], may: bool) -> None:
    assert rules.may_send_again([NOW - timedelta(minutes=minutes) for minutes in ago], NOW) is may


def test_1_2_pressing_all_day_long_gives_three() -> None:
    sent: list[float] = []
    for minute in range(0, 60 * 24, 3):
        now = NOW + timedelta(minutes=minute)
        if rules.may_send_again([NOW + timedelta(minutes=at) for at in sent], now):
            sent.append(minute)
    assert len(sent) == 3
    assert all(later - earlier >= 10 for earlier, later in pairwise(sent))


@pytest.mark.parametrize(
    ("lane", "attempts", "again"),
    [
        (Lane.TRANSACTIONAL, 1, True),
        (Lane.TRANSACTIONAL, 2, True),
        (Lane.TRANSACTIONAL, 3, False),
        (Lane.SEQUENCE, 1, False),
        (Lane.BULK, 1, False),
    ],
)
def test_2_4_only_what_somebody_waits_for_is_repeated_by_itself_and_not_for_ever(
    lane: Lane, attempts: int, again: bool
) -> None:
    assert rules.sent_again_by_itself(lane, attempts) is again
