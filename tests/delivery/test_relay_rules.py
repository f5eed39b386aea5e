"""What a relay may be given and when, as tables and properties (semantics 2.8, 2.9)."""

from __future__ import annotations

import heapq
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.delivery import relay_rules as rules
from newsletter.delivery.relay_rules import BURST, Breaker, Candidate, Health, Pointer
from newsletter.delivery.rules import Lane, Reply

NOW = datetime(2026, 3, 4, 9, 30, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
ALL = frozenset(Lane)


def spans_hold(moments: list[tuple[datetime, int]], rate: float) -> None:
    """No span of t seconds got more than rate x t and one burst."""
    burst = max(rate * BURST.total_seconds(), 1)
    for first in range(len(moments)):
        total = 0
        for at, count in moments[first:]:
            total += count
            assert total <= rate * (at - moments[first][0]).total_seconds() + burst + 1e-6


@given(
    st.sampled_from([0.05, 0.7, 1.0, 3.0, 49.9, 1000.0, 3333.3]),
    st.lists(st.tuples(st.integers(0, 20_000_000), st.integers(0, 5000)), max_size=30),
)
def test_2_9_no_span_gets_more_than_its_rate_and_one_burst(rate: float, draws: list[tuple[int, int]]) -> None:
    pointer, now, given_out = None, NOW, []
    for later, wanted in draws:
        now += timedelta(microseconds=later)
        count, pointer = rules.grant(pointer, rate, wanted, now)
        assert 0 <= count <= wanted
        given_out.append((now, count))
    spans_hold(given_out, rate)


@given(st.sampled_from([0.05, 0.7, 3.0, 49.9, 1000.0]))
def test_who_comes_when_told_to_gets_an_email(rate: float) -> None:
    """So nobody asks in vain, and the rate is used up to a step or so."""
    pointer, now = None, NOW
    count, pointer = rules.grant(pointer, rate, 10_000, now)
    assert count == max(1, int(rate + 1e-9))
    for _ in range(20):
        now = rules.room_at(pointer, rate, now) + timedelta(microseconds=2)
        count, pointer = rules.grant(pointer, rate, 10_000, now)
        assert count >= 1
    assert now - NOW <= timedelta(seconds=22 / rate)


def test_without_a_rate_everything_goes() -> None:
    assert rules.grant(None, None, 5000, NOW) == (5000, None)
    assert rules.grant(None, None, -1, NOW) == (0, None)


def test_a_pointer_of_another_day_does_not_block_today() -> None:
    """`flask worker --as-of` next week, then work goes on today; two clocks a few seconds apart are no such thing."""
    assert rules.grant(NOW + timedelta(days=7), 10.0, 100, NOW)[0] == 10
    assert rules.grant(NOW + timedelta(seconds=5), 10.0, 100, NOW)[0] == 0


BROKEN = Breaker("535 no", NOW, NOW + MINUTE, 1)
ON_TRIAL = Breaker("535 no", NOW, NOW - MINUTE / 2, 1)


@pytest.mark.parametrize(
    ("breaker", "after", "expected"),
    [
        (Breaker(), timedelta(), Health.WORKS),
        (BROKEN, timedelta(), Health.RESTS),
        (BROKEN, MINUTE - timedelta(microseconds=1), Health.RESTS),
        (BROKEN, MINUTE, Health.TRIAL),
        (Breaker("no"), timedelta(), Health.TRIAL),
    ],
)
def test_a_relay_works_rests_or_is_on_trial(breaker: Breaker, after: timedelta, expected: Health) -> None:
    assert rules.health(breaker, NOW + after) is expected


@pytest.mark.parametrize(
    ("breaker", "failures", "minutes"),
    [
        (Breaker(), 1, 1),
        (BROKEN, 1, 1),  # noticed by another worker too
        (ON_TRIAL, 2, 2),
        (Breaker("no", NOW, NOW, 5), 6, 30),
        (Breaker("no", NOW, NOW, 50), 51, 30),
        (Breaker(failures=3, mended_at=NOW - MINUTE), 4, 8),  # it flaps
        (Breaker(failures=3, mended_at=NOW - rules.STEADY), 1, 1),  # it was well for long
    ],
)
def test_2_8_a_failure_rests_the_relay_longer_each_time(breaker: Breaker, failures: int, minutes: int) -> None:
    failed = rules.after_failure(breaker, "554 no more", NOW)
    assert (failed.problem, failed.failures, failed.proven) == ("554 no more", failures, 0)
    assert failed.retry_at == NOW + minutes * MINUTE
    assert failed.since is not None
    assert rules.health(failed, NOW) is Health.RESTS


def test_a_problem_keeps_its_beginning_and_always_has_words() -> None:
    again = rules.after_failure(ON_TRIAL, "", NOW + timedelta(hours=1))
    assert again.since == NOW
    assert again.problem


@pytest.mark.parametrize(
    ("breaker", "accepted", "mended"),
    [
        (ON_TRIAL, 1, False),
        (ON_TRIAL, rules.ENOUGH, True),
        (Breaker("no", NOW, NOW - MINUTE, 1, proven=rules.ENOUGH - 1), 1, True),
        (Breaker("no", NOW, NOW - rules.QUIET_TRIAL, 1, proven=1), 1, True),  # few emails, but none refused
        (Breaker("no", NOW, NOW - rules.QUIET_TRIAL, 1, proven=0), 1, False),
        (ON_TRIAL, 0, False),
        (BROKEN, 100, False),  # answers from before the failure prove nothing
    ],
)
def test_a_relay_is_mended_by_enough_of_what_it_took(breaker: Breaker, accepted: int, mended: bool) -> None:
    after = rules.after_success(breaker, accepted, NOW)
    assert (after.problem == "") is mended
    assert (after.mended_at == NOW) is mended
    assert after.failures == breaker.failures, "so that one that flaps rests longer"


def test_a_success_on_trial_lets_the_next_probe_go() -> None:
    probing = Breaker("no", NOW, NOW, 1, 0, probe_until=NOW + MINUTE)
    assert rules.after_success(probing, 1, NOW).probe_until is None
    assert rules.after_success(Breaker(), 50, NOW) == Breaker()


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply(421, "4.7.0", "Too many connections"), True),
        (Reply(421, "4.3.2", "Shutting down"), True),
        (Reply(451, "4.7.0", "Temporary rate limit"), True),
        (Reply(450, "4.7.1", "Policy"), True),
        (Reply(452, "", "Too many recipients received this hour"), True),
        (Reply(450, "4.2.1", "The user you are trying to contact is receiving mail too quickly: too many"), True),
        (Reply(451, "4.7.1", "Greylisting in action, please come back later"), False),
        (Reply(450, "4.2.0", "Graylisted"), False),
        (Reply(452, "4.2.2", "Mailbox full"), False),
        (Reply(250, "2.0.0", "Ok: queued, too many to count"), False),
        (Reply(550, "5.7.1", "Too much spam"), False),
        (Reply(0), False),
    ],
)
def test_2_8_which_answers_ask_us_to_slow_down(reply: Reply, expected: bool) -> None:
    assert rules.slows_down(reply) is expected


def test_2_8_the_pace_is_halved_by_each_request_and_doubles_in_each_quiet_time() -> None:
    slowness, at = rules.slower(0, None, NOW)
    assert (slowness, at) == (1, NOW)
    assert rules.slower(slowness, at, NOW + SECOND) == (1, NOW), "answers of one window are one request"
    slowness, at = rules.slower(slowness, at, NOW + rules.SETTLE)
    assert rules.halvings(slowness, at, NOW + rules.SETTLE) == 2
    assert rules.halvings(slowness, at, NOW + rules.SETTLE + rules.RECOVERY) == 1
    assert rules.halvings(slowness, at, NOW + rules.SETTLE + 2 * rules.RECOVERY) == 0
    assert rules.slower(rules.MOST_HALVINGS, NOW, NOW + MINUTE)[0] == rules.MOST_HALVINGS


@pytest.mark.parametrize(
    ("rate", "halved", "expected"),
    [(None, 0, None), (10.0, 0, 10.0), (10.0, 1, 5.0), (10.0, 3, 1.25), (None, 1, 4.0), (None, 8, 8 / 256)],
)
def test_a_pace_after_slow_downs(rate: float | None, halved: int, expected: float | None) -> None:
    assert rules.pace_now(rate, halved, rules.SLOW_DOMAIN) == expected


@pytest.mark.parametrize("rate", [0.5, 4.0, 250.0])
def test_2_9_a_domains_share_holds_and_each_email_is_looked_at_a_few_times(rate: float) -> None:
    """A thousand emails to one domain, claimed a hundred at a time, each back at the moment it was told."""
    waiting, pointer, gone, looks = [(NOW, 0)] * 1000, Pointer(), [], 0
    heapq.heapify(waiting)
    now = NOW
    while waiting:
        now = max(now + timedelta(milliseconds=20), waiting[0][0])
        batch = [heapq.heappop(waiting)[1] for _ in range(100) if waiting and waiting[0][0] <= now]
        moments, pointer = rules.paced(pointer, rate, len(batch), now)
        looks += len(batch)
        gone.append((now, moments.count(None)))
        for moment in moments:
            if moment is not None:
                assert now <= moment <= now + rules.HORIZON
                heapq.heappush(waiting, (moment, 0))
    spans_hold([one for one in gone if one[1]][:200], rate)
    assert sum(count for _, count in gone) == 1000
    assert looks <= 3100
    assert now - NOW <= timedelta(seconds=1000 / rate) * 1.1 + MINUTE, "the share is used"


@given(st.integers(1, 50), st.integers(0, 40), st.sampled_from([0.1, 3.0, 80.0]))
def test_moments_are_in_order_until_a_new_layer_begins(count: int, before: int, rate: float) -> None:
    _, pointer = rules.paced(Pointer(), rate, before, NOW)
    moments, _ = rules.paced(pointer, rate, count, NOW)
    later = [moment for moment in moments if moment is not None]
    backward = sum(second <= first for first, second in pairwise(later))
    assert moments == [None] * (count - len(later)) + later
    assert backward <= len(later) / (rules.HORIZON.total_seconds() * rate) + 1


@pytest.mark.parametrize(
    ("start", "day", "expected"),
    [
        (None, 4, None),
        (date(2026, 3, 5), 4, 0),
        (date(2026, 3, 4), 4, 50),
        (date(2026, 3, 3), 4, 100),
        (date(2026, 3, 2), 4, 200),
        (date(2026, 3, 1), 4, None),
    ],
)
def test_2_9_warming_up_allows_each_days_number(start: date | None, day: int, expected: int | None) -> None:
    assert rules.warmup_cap(start, [50, 100, 200], date(2026, 3, day)) == expected


def test_a_plan_without_days_allows_everything() -> None:
    assert rules.warmup_cap(date(2026, 3, 4), [], date(2026, 3, 4)) is None


@pytest.mark.parametrize(
    ("daily", "warmup", "expected"), [(None, None, None), (5, None, 5), (None, 6, 6), (5, 6, 5), (7, 6, 6), (7, 0, 0)]
)
def test_the_lower_cap_holds(daily: int | None, warmup: int | None, expected: int | None) -> None:
    assert rules.cap_of(daily, warmup) == expected


@pytest.mark.parametrize(
    ("cap", "drawn", "lane", "expected"),
    [
        (None, 10**9, Lane.BULK, None),
        (100, 0, Lane.BULK, 90),
        (100, 85, Lane.BULK, 5),
        (100, 95, Lane.BULK, 0),
        (100, 85, Lane.SEQUENCE, 10),
        (100, 95, Lane.TRANSACTIONAL, 5),
        (100, 101, Lane.TRANSACTIONAL, 0),
        (5, 0, Lane.BULK, 5),  # of a handful nothing is kept back
    ],
)
def test_2_7_those_who_can_wait_leave_some_of_the_day(
    cap: int | None, drawn: int, lane: Lane, expected: int | None
) -> None:
    assert rules.left_today(cap, drawn, lane) == expected


def relay(number: int, priority: int = 1, *lanes: Lane, health: Health = Health.WORKS, **more: int) -> Candidate:
    return Candidate(number, priority, frozenset(lanes) or ALL, health, **more)


A, S, B = Lane
WAYS = {
    "none": ([], {}),
    "one": ([relay(1)], {1: (A, S, B)}),
    "the second waits": ([relay(1), relay(2, 2)], {1: (A, S, B)}),
    "whatever the order of the rows": ([relay(2, 2), relay(1)], {1: (A, S, B)}),
    "equal ones share, the one with less today first": (
        [relay(1, used=7), relay(2, used=3)],
        {2: (A, S, B), 1: (A, S, B)},
    ),
    "the first rests": ([relay(1, health=Health.RESTS), relay(2, 2)], {2: (A, S, B)}),
    "one of two equal ones rests": ([relay(1, health=Health.RESTS), relay(2), relay(3, 2)], {2: (A, S, B)}),
    "all rest": ([relay(1, health=Health.RESTS), relay(2, 2, health=Health.RESTS)], {}),
    "on trial beside the second": (
        [relay(1, health=Health.TRIAL), relay(2, 2), relay(3, 3)],
        {1: (A, S, B), 2: (A, S, B)},
    ),
    "only on trial": ([relay(1, health=Health.TRIAL)], {1: (A, S, B)}),
    "the first is used up": ([relay(1, cap=10, used=10), relay(2, 2)], {2: (A, S, B)}),
    "the first keeps some back": ([relay(1, cap=100, used=92), relay(2, 2)], {1: (A, S), 2: (B,)}),
    "lanes apart": ([relay(1, 1, A), relay(2, 1, S, B)], {1: (A,), 2: (S, B)}),
    "a lane nobody takes waits": ([relay(1, 1, A)], {1: (A,)}),
    "a fallback for one lane": ([relay(1, 1, B), relay(2, 2)], {1: (B,), 2: (A, S)}),
}


@pytest.mark.parametrize("case", WAYS)
def test_2_9_which_lane_goes_through_which_relay(case: str) -> None:
    candidates, expected = WAYS[case]
    found = rules.ways_for(candidates)
    assert found == expected
    assert list(found) == list(expected)


@given(st.integers(1, 50), st.sets(st.text("abc", min_size=1, max_size=3), min_size=1, max_size=9))
def test_the_parts_of_the_workers_add_up(limit: int, workers: set[str]) -> None:
    names = sorted(workers)
    parts = [rules.fair_part(limit, [other for other in names if other != name], name) for name in names]
    assert sum(parts) == limit
    assert max(parts) - min(parts) <= 1


@given(st.integers(1, 12), st.lists(st.tuples(st.integers(0, 4), st.integers(0, 12)), max_size=60))
def test_2_9_workers_never_hold_more_connections_than_there_are(limit: int, draws: list[tuple[int, int]]) -> None:
    held: dict[str, int] = {}
    told: dict[str, int] = {}
    for number, wanted in draws:
        worker = f"worker {number}"
        others = {name: count for name, count in held.items() if name != worker}
        before = told.get(worker, 0)
        held[worker], told[worker] = rules.slots(limit, others, worker, before, wanted)
        assert told[worker] <= wanted
        # It has as many open as it was told last time, and may open or has to close up to the new number now.
        assert sum(others.values()) + max(before, told[worker]) <= limit
        assert sum(held.values()) <= limit


def test_after_a_few_draws_everybody_has_a_fair_part() -> None:
    held: dict[str, int] = {}
    told: dict[str, int] = {}
    for _ in range(3):
        for worker in ("a", "b", "c"):
            others = {name: count for name, count in held.items() if name != worker}
            held[worker], told[worker] = rules.slots(7, others, worker, told.get(worker, 0), 7)
    assert told == {"a": 3, "b": 2, "c": 2}


@pytest.mark.parametrize(
    ("groups", "relay_id", "up", "expected"),
    [
        ([[1], [2], [3]], 2, True, [[1, 2], [3]]),
        ([[1, 2], [3]], 2, True, [[2], [1], [3]]),
        ([[1, 2], [3]], 2, False, [[1], [2], [3]]),
        ([[1], [2], [3]], 2, False, [[1], [3, 2]]),
        ([[1], [2]], 1, True, [[1], [2]]),
        ([[1], [2]], 2, False, [[1], [2]]),
        ([[1, 2]], 1, False, [[2], [1]]),
        ([[1]], 1, False, [[1]]),
    ],
)
def test_a_relay_moves_one_step(groups: list[list[int]], relay_id: int, up: bool, expected: list[list[int]]) -> None:
    assert rules.moved(groups, relay_id, up=up) == expected
