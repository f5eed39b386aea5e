"""Moments in the words a person uses: how long ago, and when exactly in the studio's own time zone."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

MINUTE, HOUR, DAY = 60, 3600, 86400
# The unit that reads best up to each number of seconds; above 60 days the exact date says more than a count.
UNITS = ((HOUR, MINUTE, "minute"), (DAY, HOUR, "hour"), (60 * DAY, DAY, "day"))


def relative(moment: datetime, now: datetime) -> str:
    """How far `moment` is from `now`: "just now", "3 hours ago", "in 2 days"; both are aware."""
    seconds = (now - moment).total_seconds()
    size = abs(seconds)
    if size < MINUTE:
        return "just now" if seconds >= 0 else "in a moment"
    for limit, unit, word in UNITS:
        if size < limit:
            count = int(size // unit)
            amount = f"{count} {word}{'' if count == 1 else 's'}"
            return f"{amount} ago" if seconds > 0 else f"in {amount}"
    return day(moment)


def day(moment: datetime) -> str:
    """A date as people write it: 4 March 2025."""
    return f"{moment.day} {moment:%B %Y}"


def absolute(moment: datetime, zone: ZoneInfo) -> str:
    """`moment` in `zone`, to the minute: 4 March 2025, 09:30."""
    local = moment.astimezone(zone)
    return f"{day(local)}, {local:%H:%M}"
