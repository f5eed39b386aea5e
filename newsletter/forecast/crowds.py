"""Many readers at once: whoever comes to stand exactly where another stood has the same days ahead. Pure.

Series with windows bring their readers together: after the first email at 7:00 everybody of one zone stands at the same
place. What is worked out for one of them is the answer for all, and a hundred thousand cost as much as a few thousand.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from newsletter.forecast.lives import Happening, House, Life
from newsletter.forecast.simulating import Days

# States kept at most; beyond them the crowd begins anew, so that memory stays the same for ten and for a million.
MOST = 50_000


@dataclass(slots=True)
class _Moment:
    """What leaves at one moment of a state, and where it leads; `people` begin to follow it here."""

    at: datetime
    emails: tuple[Happening, ...] = ()
    following: _Moment | None = None
    people: int = 0


class Crowd:
    """The days of many readers of one house, from `now` to `until`."""

    def __init__(self, house: House, *, now: datetime, until: datetime) -> None:
        self.house, self.now, self.until = house, now, until
        self._known: dict[object, _Moment] = {}
        self._made: list[_Moment] = []

    def ahead(self, life: Life) -> Iterator[Happening]:
        """One reader's emails, in their order; the same as `simulating.ahead`."""
        alone, joined = self._run(life)
        yield from alone
        while joined is not None:
            yield from joined.emails
            joined = joined.following

    def count(self, life: Life) -> list[Happening]:
        """Count one reader in; returns what they get before they stand where others stood, `counted` has the rest."""
        alone, joined = self._run(life)
        if joined is not None:
            joined.people += 1
        return alone

    def counted(self) -> Iterator[tuple[Happening, int]]:
        """What those who were counted in get together, with how many of them; begins anew after that."""
        made, self._made, self._known = sorted(self._made, key=lambda one: one.at), [], {}
        for one in made:
            if one.people:
                for email in one.emails:
                    yield email, one.people
                if one.following is not None:
                    one.following.people += one.people

    @property
    def is_full(self) -> bool:
        """Whether it is time to ask for `counted`."""
        return len(self._made) > MOST

    def _run(self, life: Life) -> tuple[list[Happening], _Moment | None]:
        """The emails of a reader's own, and the moment from which on their days are kept for others."""
        days, moment = Days(life, self.house), self.now
        alone: list[Happening] = []
        first: _Moment | None = None
        last: _Moment | None = None
        following: datetime | None = moment
        while following is not None and following <= self.until:
            moment = following
            state = days.state(moment) if moment > self.now else None
            known = self._known.get(state) if state is not None else None
            if known is None:
                emails = days.turn(moment)
                if first is None and state is None:
                    alone += emails
                    following = days.next_after(moment)
                    continue
                known = _Moment(moment, tuple(emails))
                self._made.append(known)
                if state is not None:
                    self._known[state] = known
                fresh = True
            else:
                fresh = False
            first = first or known
            if last is not None:
                last.following = known
            if not fresh:
                break
            last, following = known, days.next_after(moment)
        return alone, first
