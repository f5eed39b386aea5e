"""What a row of the forecast says about an email, apart from its reader."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from newsletter.broadcasts import queries as broadcasts
from newsletter.broadcasts import rules as broadcast_rules
from newsletter.delivery import days, health
from newsletter.forecast.lives import Happening
from newsletter.forecast.reading import Known
from newsletter.sequences import queries as sequences
from newsletter.sequences.rules import Kind


@dataclass(frozen=True)
class Wording:
    """An email's source, the names of its sequence and step (None for a broadcast), and why it is sent, in words."""

    source: str
    sequence: str | None
    step: str | None
    reason: str


class Wordings:
    """The wordings of steps and broadcasts, each made once."""

    def __init__(self, session: Session, known: Known) -> None:
        self.session, self.known = session, known
        self._steps: dict[int, Wording] = {}
        self._broadcasts: dict[int, Wording] = {}
        self._others: dict[str, str] = {}

    def of(self, one: Happening) -> Wording:
        """The wording of what happens."""
        if one.broadcast_id:
            if one.broadcast_id not in self._broadcasts:
                self._broadcasts[one.broadcast_id] = self._broadcast(one.broadcast_id)
            return self._broadcasts[one.broadcast_id]
        if one.step_id not in self._steps:
            self._steps |= self._series(one.course_id)
        return self._steps[one.step_id]

    def moved(self, one: Happening, zone: ZoneInfo) -> str:
        """Why it goes on another day than the one it was due on, in words (semantics 3.17)."""
        if not one.because.startswith(("step:", "broadcast:")):
            return one.because[:1].lower() + one.because[1:].removesuffix(".")  # the ledger has said it
        if one.because not in self._others:
            reason = f"{one.because}:enrollment:0" if one.because.startswith("step:") else one.because
            self._others[one.because] = health.reason_words(self.session, [reason])[reason]
        return days.why(one.moved_from or one.at, zone, self._others[one.because])

    def _series(self, course_id: int) -> dict[int, Wording]:
        series, found, emails, before = sequences.sequence(self.session, course_id), {}, 0, ""
        for row in sequences.steps(self.session, course_id):
            if row.kind == Kind.EMAIL:
                emails += 1
                when = sequences.timing_words(row, first=emails == 1, before=before)
                reason = f"email {emails} of {series.name}, {when}"
                found[row.id] = Wording(row.source, series.slug, row.key, reason)
            before = f"email {emails}" if row.kind == Kind.EMAIL else ""
        return found

    def _broadcast(self, broadcast_id: int) -> Wording:
        row = broadcasts.find(self.session, broadcast_id)
        who = broadcast_rules.audience(row.audience)
        words = broadcast_rules.audience_words(who, broadcasts.count(self.session, who))
        return Wording(row.source, None, None, f"broadcast to {words}")
