"""A relay's limits and health in words for the operator, and ready plans for warming one up; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from newsletter.delivery.relay_rules import Health, Security, left_today, warmup_cap
from newsletter.delivery.rules import Lane

LANE_WORDS = {
    Lane.TRANSACTIONAL: ("at_once", "At once", "Confirmations and gifts: somebody is looking at their inbox."),
    Lane.SEQUENCE: ("series", "Series", "The emails of a series, each reader at their own time."),
    Lane.BULK: ("to_many", "To many", "One email to many readers, written by you."),
}
SECURITY_WORDS = {
    Security.REQUIRE: "STARTTLS, and nothing without it (usual, port 587)",
    Security.TLS: "TLS from the start (port 465)",
    Security.AUTO: "STARTTLS if the server offers it",
    Security.NEVER: "None (only for a server on your own machine or network)",
}


@dataclass(frozen=True)
class Preset:
    """A way to warm a new server up: what it is for, its first day, what each day multiplies the last by, how long."""

    words: str
    about: str
    first: int
    growth: float
    days: int

    def plan(self) -> list[int]:
        """Emails for each day, as round numbers."""
        return [_round(self.first * self.growth**day) for day in range(self.days)]


WARMUPS = {
    "quick": Preset("Quick: 10 days", "For a new account at a mail provider that others use too.", 200, 1.8, 10),
    "steady": Preset("Steady: 3 weeks", "For a server or an address of its own, readers who know you.", 50, 1.4, 21),
    "slow": Preset("Slow: 6 weeks", "For a new domain on a new address, or after trouble.", 20, 1.2, 42),
}
OWN = "own"
LONGEST_PLAN = 120


def _round(number: float) -> int:
    """To two digits that count: 347 is 350."""
    whole = round(number)
    unit = 10 ** max(len(str(whole)) - 2, 0)
    return int(round(whole / unit) * unit)


@dataclass(frozen=True)
class WarmupDay:
    """One line of a warm-up plan."""

    number: int
    day: date
    emails: int
    is_today: bool


def plan_days(start: date | None, plan: Sequence[int], today: date) -> list[WarmupDay]:
    """The plan as a table."""
    if start is None:
        return []
    days = [start + timedelta(days=number) for number in range(len(plan))]
    return [WarmupDay(number, day, plan[number - 1], day == today) for number, day in enumerate(days, start=1)]


@dataclass(frozen=True)
class Standing:
    """How a relay is doing, as one reads it off its row at one moment."""

    enabled: bool
    health: Health
    problem: str
    retry_at: datetime | None
    proven: int
    used: int  # today
    cap: int | None
    warmup_start: date | None
    warmup_plan: Sequence[int]
    halved: int
    pace: float | None
    today: date


@dataclass(frozen=True)
class Told:
    """A relay's health: a tone for the badge, the state in words, the moment it ends, and more about it."""

    tone: str
    words: str
    until: datetime | None = None
    more: str = ""


def tell(standing: Standing) -> Told:
    """How a relay is doing, in words."""
    if not standing.enabled:
        return Told("calm", "Switched off")
    if standing.health is Health.RESTS:
        return Told("bad", "Resting", standing.retry_at, standing.problem)
    if standing.health is Health.TRIAL:
        taken = "nothing yet" if not standing.proven else f"{standing.proven} so far"
        return Told("wait", "On trial after a rest", None, f"A few emails show whether it works again: {taken}.")
    warming = _warming(standing)
    if left_today(standing.cap, standing.used, Lane.TRANSACTIONAL) == 0:
        waits = standing.warmup_start is not None and standing.warmup_start > standing.today
        words = "Its warm-up has not begun" if waits else "Today’s emails are used up"
        return Told("care", words, None, warming or f"{standing.cap:,} went today. More after midnight UTC.")
    if standing.halved:
        pace = pace_words(standing.pace) if standing.pace else ""
        return Told("care", "Slowed down", None, f"It asked for fewer emails; now {pace}. {warming}".strip())
    return Told("good", "Takes mail", None, warming)


def _warming(standing: Standing) -> str:
    cap = warmup_cap(standing.warmup_start, standing.warmup_plan, standing.today)
    if cap is None or standing.warmup_start is None:
        return ""
    number = (standing.today - standing.warmup_start).days + 1
    if number < 1:
        return f"Warming up begins on {standing.warmup_start:%-d %B %Y}."
    return f"Warming up: day {number} of {len(standing.warmup_plan)}, {standing.used:,} of {cap:,} sent today."


def pace_words(rate: float) -> str:
    """A rate as a person says it: `4 a second`, `30 a minute`."""
    for seconds, unit in ((1, "a second"), (60, "a minute"), (3600, "an hour")):
        if rate * seconds >= 1:
            return f"{round(rate * seconds, 1):,g} {unit}"
    return "less than one an hour"
