"""What the workers decide: whether the clock jumped."""

from __future__ import annotations

from datetime import timedelta

# A corrected clock moves by seconds; an hour is a suspended machine, or a clock that was set (semantics 3.20).
JUMP = timedelta(hours=1)


def clock_jump(wall: timedelta, steady: timedelta) -> timedelta | None:
    """By how much the clock jumped, back if negative; None for less than an hour.

    `wall` is how far the clock on the wall went between two looks, `steady` how far the one that only counts.
    """
    jump = wall - steady
    return jump if abs(jump) > JUMP else None


def jump_words(jump: timedelta) -> str:
    """What happened, for the operator."""
    hours, minutes = divmod(round(abs(jump) / timedelta(minutes=1)), 60)
    days, hours = divmod(hours, 24)
    parts = [f"{count} {unit}{'s' * (count != 1)}" for count, unit in ((days, "day"), (hours, "hour")) if count]
    if not days and minutes:
        parts.append(f"{minutes} minute{'s' * (minutes != 1)}")
    way = "forward" if jump > timedelta() else "back"
    return f"The clock of this machine jumped {way} by {' '.join(parts)}: it was asleep, or its clock was set."
