"""What a relay may be given and when: rates, daily caps, warm-up, rests after a failure, who takes which lane."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from newsletter.delivery.rules import Lane, Reply

# How many emails may go at once before the rate holds: those of one second, and one at least.
BURST = timedelta(seconds=1)
# A pointer further ahead than any grant can put it was set by a clock that ran ahead, or in a try-out of another day
# (`flask worker --as-of`); two machines' clocks differ by less than this, and theirs counts.
CLOCK_SLACK = timedelta(minutes=1)

# A worker draws every few seconds while it sends. One that did not for this long is dead, and its connections are
# closed; the next worker waits that long for them, and no confirmation should wait longer.
SLOT_LEASE = timedelta(seconds=15)

LONGEST_REST = timedelta(minutes=30)  # it begins with one minute
# A relay that fails again soon after it was mended rests longer than the last time: else two relays swap every minute.
STEADY = timedelta(minutes=30)
PROBE = 5  # emails that go to a relay on trial before anybody knows whether it works again
PROBE_PATIENCE = timedelta(minutes=1)
ENOUGH = 10  # accepted on trial, and it is taken for mended
QUIET_TRIAL = timedelta(minutes=2)  # or some accepted, and nothing refused for this long

# Emails per second that a slow-down starts from where no rate is set.
SLOW_RELAY, SLOW_DOMAIN = 20.0, 8.0
MOST_HALVINGS = 8  # a domain then gets one email in half a minute, which still shows when it has had enough of a rest
# The answers that a window of emails gets together are one request to slow down.
SETTLE = timedelta(seconds=30)
RECOVERY = timedelta(minutes=5)  # after each, the pace doubles again

# An email that has to wait for its domain's share is given a moment of its own, no further off than this: by then the
# pace may have changed. A longer queue begins a new layer, so each email is looked at once in this time.
HORIZON = timedelta(hours=1)

RATE_LIMITED = re.compile(r"too (many|fast|much)|rate.?limit|throttl|try again later|exceeded", re.IGNORECASE)
GREYLISTED = re.compile(r"gr[ae]y.?list", re.IGNORECASE)

# What of a day's cap is kept back for others: a broadcast must not use up what confirmations need until midnight.
KEPT_BACK = {Lane.TRANSACTIONAL: 0.0, Lane.SEQUENCE: 0.05, Lane.BULK: 0.1}


class Source(StrEnum):
    """Where a relay comes from."""

    ENVIRONMENT = "environment"  # SMTP_URL
    OPERATOR = "operator"  # added in the back office


class Security(StrEnum):
    """How the connection to a relay is secured."""

    TLS = "tls"  # from the first byte, as smtps://
    REQUIRE = "require"  # STARTTLS, or no mail
    AUTO = "auto"  # STARTTLS where it is offered
    NEVER = "never"


class Health(StrEnum):
    """Whether a relay takes mail."""

    WORKS = "works"
    TRIAL = "trial"  # its rest is over; a few emails show whether it works again
    RESTS = "rests"


@dataclass(frozen=True)
class Breaker:
    """How a relay is doing; `problem` is empty while all is well."""

    problem: str = ""
    since: datetime | None = None
    retry_at: datetime | None = None
    failures: int = 0
    proven: int = 0
    probe_until: datetime | None = None
    mended_at: datetime | None = None


def health(breaker: Breaker, now: datetime) -> Health:
    """Whether the relay takes mail at `now`."""
    if not breaker.problem:
        return Health.WORKS
    return Health.RESTS if breaker.retry_at is not None and breaker.retry_at > now else Health.TRIAL


def after_failure(breaker: Breaker, problem: str, now: datetime) -> Breaker:
    """The relay could not be used: it rests, twice as long with each failure in a row."""
    problem = problem[:1000] or "It gave no reason."
    if health(breaker, now) is Health.RESTS:
        # Four workers notice the same failure in the same second; that is one failure.
        return Breaker(problem, breaker.since, breaker.retry_at, breaker.failures, 0, None, breaker.mended_at)
    again = breaker.problem or (breaker.mended_at is not None and now - breaker.mended_at < STEADY)
    failures = breaker.failures + 1 if again else 1
    since = breaker.since if breaker.problem else now
    return Breaker(problem, since, now + rest(failures), failures, 0, None, breaker.mended_at)


def rest(failures: int) -> timedelta:
    """How long a relay rests after so many failures in a row: a minute, and twice as long each time."""
    return min(timedelta(minutes=1 << min(max(failures - 1, 0), 10)), LONGEST_REST)


def after_success(breaker: Breaker, accepted: int, now: datetime) -> Breaker:
    """The relay took `accepted` emails: on trial it is mended by enough of them, or by a few and some quiet."""
    if health(breaker, now) is not Health.TRIAL or accepted <= 0:
        return breaker
    proven = breaker.proven + accepted
    quiet = breaker.proven > 0 and breaker.retry_at is not None and now - breaker.retry_at >= QUIET_TRIAL
    if proven >= ENOUGH or quiet:
        return Breaker(failures=breaker.failures, mended_at=now)
    return Breaker(breaker.problem, breaker.since, breaker.retry_at, breaker.failures, proven, None, breaker.mended_at)


def step_of(rate: float) -> timedelta:
    """How far apart emails are at `rate` per second, rounded up."""
    return timedelta(microseconds=math.ceil(1e6 / rate))


def grant(
    pointer: datetime | None, rate: float | None, wanted: int, now: datetime, burst: timedelta = BURST
) -> tuple[int, datetime | None]:
    """How many of `wanted` may go now at `rate` per second, and the pointer after them (GCRA, ITU-T I.371).

    Whatever is asked and whenever: no span of t seconds gets more than rate x t and one burst.
    """
    if rate is None or wanted <= 0:
        return max(wanted, 0), pointer
    step = step_of(rate)
    start = effective(pointer, now, max(burst, step))
    room = now + max(burst, step) - start
    # Steps are rounded up: a microsecond lost per email costs nothing, one gained breaks the promise.
    count = min(wanted, math.floor(room.total_seconds() * rate + 1e-9))
    if count <= 0:
        return 0, pointer
    return count, start + timedelta(microseconds=math.ceil(count * 1e6 / rate))


def effective(pointer: datetime | None, now: datetime, burst: timedelta) -> datetime:
    """Where a pointer stands at `now`: never in the past, and `now` when it was set by a clock that ran ahead."""
    if pointer is None or pointer > now + burst + CLOCK_SLACK:
        return now
    return max(pointer, now)


def room_at(pointer: datetime | None, rate: float, now: datetime) -> datetime:
    """When the next email may go."""
    step = step_of(rate)
    return max(effective(pointer, now, max(BURST, step)) + step - max(BURST, step), now)


def halvings(slowness: int, slowed_at: datetime | None, now: datetime) -> int:
    """How often the pace is halved at `now`: one less for each quiet RECOVERY since it was slowed."""
    if slowness <= 0 or slowed_at is None:
        return 0
    return max(0, slowness - max(0, (now - slowed_at) // RECOVERY))


def slower(slowness: int, slowed_at: datetime | None, now: datetime) -> tuple[int, datetime | None]:
    """The pace after one more answer that asks us to slow down."""
    if slowed_at is not None and timedelta() <= now - slowed_at < SETTLE:
        return slowness, slowed_at
    return min(halvings(slowness, slowed_at, now) + 1, MOST_HALVINGS), now


def pace_now(rate: float | None, halved: int, unset: float) -> float | None:
    """Emails per second after `halved` slow-downs; None is without limit, and `unset` is then what they start from."""
    return rate if halved <= 0 else (rate or unset) / 2**halved


def slows_down(reply: Reply) -> bool:
    """Whether an answer asks for fewer emails, and not only for this one later (semantics 2.8).

    421 ends the connection; 4.7.x is policy, where greylisting is no matter of speed.
    """
    if not 400 <= reply.code < 500 or GREYLISTED.search(reply.text):
        return False
    return reply.code == 421 or reply.enhanced.startswith("4.7.") or bool(RATE_LIMITED.search(reply.text))


@dataclass(frozen=True)
class Pointer:
    """Where a domain's share stands: `next_at` for what goes, `tail_at` for what has to wait."""

    next_at: datetime | None = None
    tail_at: datetime | None = None


def paced(pointer: Pointer, rate: float, count: int, now: datetime) -> tuple[list[datetime | None], Pointer]:
    """For `count` emails to one domain in order: None to go now, else a moment at which its share has room."""
    going, next_at = grant(pointer.next_at, rate, count, now)
    moments: list[datetime | None] = [None] * going
    step, tail = step_of(rate), pointer.tail_at
    for _ in range(count - going):
        first = room_at(next_at, rate, now)
        # Not a microsecond more than a step behind the one before, so the share stays used; and back to the front when
        # the queue is longer than anybody can foresee.
        behind = first if tail is None or tail < first else tail + step
        tail = first if behind > now + HORIZON else behind
        moments.append(tail)
    return moments, Pointer(next_at, tail)


def warmup_cap(start: date | None, plan: Sequence[int], today: date) -> int | None:
    """What warming up allows on a day; None when it is over, 0 before it starts."""
    if start is None or not plan:
        return None
    number = (today - start).days
    return 0 if number < 0 else plan[number] if number < len(plan) else None


def cap_of(daily: int | None, warmup: int | None) -> int | None:
    """The cap that holds: the lower one."""
    caps = [cap for cap in (daily, warmup) if cap is not None]
    return min(caps) if caps else None


def left_today(cap: int | None, drawn: int, lane: Lane) -> int | None:
    """How many emails of a lane may still go through a relay today; None is without limit.

    The lanes that wait leave a little for those that hurry (semantics 2.7), where the cap is more than a handful.
    """
    if cap is None:
        return None
    return max(0, cap - math.floor(cap * KEPT_BACK[lane]) - drawn)


@dataclass(frozen=True)
class Candidate:
    """A relay as the choice of a way sees it; `used` is what it was given today."""

    id: int
    priority: int
    lanes: frozenset[Lane]
    health: Health
    cap: int | None = None
    used: int = 0


def ways_for(candidates: Sequence[Candidate]) -> dict[int, tuple[Lane, ...]]:
    """Which lanes go through which relay now, the one to be asked first in front.

    The next priority is asked only when nothing of a higher one takes the lane: it rests, or its day is used up. A
    relay on trial gets its probe, but nobody relies on it: the next priority stays in use until it is mended.
    """
    taken: dict[int, list[Lane]] = {}
    ordered = sorted(candidates, key=lambda relay: (relay.priority, relay.used, relay.id))
    for lane in Lane:
        settled: int | None = None
        for relay in ordered:
            if settled is not None and relay.priority > settled:
                break
            if lane not in relay.lanes or relay.health is Health.RESTS:
                continue
            if left_today(relay.cap, relay.used, lane) == 0:
                continue
            taken.setdefault(relay.id, []).append(lane)
            if relay.health is Health.WORKS:
                settled = relay.priority
    return {relay.id: tuple(taken[relay.id]) for relay in ordered if relay.id in taken}


def fair_part(limit: int, workers: Sequence[str], worker: str) -> int:
    """How many of `limit` connections a worker may hold when these all want some; the parts add up to `limit`."""
    names = sorted(set(workers) | {worker})
    each, rest_ = divmod(limit, len(names))
    return each + (1 if names.index(worker) < rest_ else 0)


def slots(limit: int, others: Mapping[str, int], worker: str, told: int, wanted: int) -> tuple[int, int]:
    """(held, told) of a worker's connections after it asks for `wanted`, where `others` hold what they hold.

    A worker that has to give some up still holds them until it comes back, because it closes them meanwhile.
    """
    free = max(0, limit - sum(others.values()) - told)
    new = min(fair_part(limit, list(others), worker), told + free, max(wanted, 0))
    return max(told, new), new


def moved(groups: Sequence[Sequence[int]], relay_id: int, *, up: bool) -> list[list[int]]:
    """The order after one step: alone, a relay joins the neighbours to share their load; among others it steps out."""
    order = [list(group) for group in groups]
    at = next(number for number, group in enumerate(order) if relay_id in group)
    if len(order[at]) > 1:
        order[at].remove(relay_id)
        order.insert(at if up else at + 1, [relay_id])
    elif 0 <= (other := at - 1 if up else at + 1) < len(order):
        order[other].append(relay_id)
        order.pop(at)
    return order
