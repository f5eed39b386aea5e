"""Civil time: what the clocks on the wall of a time zone show, and the instants they mean. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo


def zone_of(*names: str) -> ZoneInfo:
    """The first of `names` that is a time zone: the reader's, then the studio's (semantics 3.8); UTC when none is."""
    for name in names:
        try:
            return ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            continue
    return ZoneInfo("UTC")


# A day's beginning and a window's are asked for again and again, and what is due is asked once more when it is.
@lru_cache(maxsize=20_000)
def instant(local: datetime, zone: ZoneInfo) -> datetime:
    """The UTC moment at which clocks in `zone` show `local` (naive).

    A time that does not exist becomes the first instant after the gap, a time that occurs twice the first of the two
    (semantics 3.5).
    """
    first = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if first.astimezone(zone).replace(tzinfo=None) == local:
        return first
    # Inside a gap the two readings of PEP 495 lie on either side of the change, which is always at a full second.
    before = local.replace(tzinfo=zone, fold=1).astimezone(UTC).replace(microsecond=0)
    after = first.replace(microsecond=0)
    offset = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after
