"""Whom an email goes to and when, between the words of a form and the rows of the database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from newsletter import clock
from newsletter.audience import queries as audience
from newsletter.audience import rules as audience_rules
from newsletter.broadcasts import previews, queries, rules
from newsletter.broadcasts.models import Broadcast
from newsletter.broadcasts.queries import Tally
from newsletter.broadcasts.rules import Audience, Chosen, Whom
from newsletter.errors import InputError, SuppleError

MORNING = time(7, 0)  # what the form offers: when most people look at their mail first


@dataclass(frozen=True)
class AimForm:
    """The form as sent: `to` is all, tag or person; `when` is now or later; date and time are the studio's."""

    to: str
    tag: str
    person: str
    when: str
    date: str
    time: str

    @classmethod
    def read(cls, form: Mapping[str, str]) -> AimForm:
        """What was typed, with spaces at the ends gone."""
        return cls(*(form.get(name, "").strip() for name in ("to", "tag", "person", "when", "date", "time")))

    def audience(self, session: Session) -> Audience:
        """The audience that was chosen; raises InputError in words for the operator."""
        if self.to == Whom.TAG:
            if not self.tag:
                raise InputError("No tag was chosen.", remedy="Choose one from the list.")
            return rules.audience(f"tag:{self.tag}")
        if self.to != Whom.PERSON:
            return rules.audience("all")
        found = queries.person_by_address(session, self.person)
        why_not = audience_rules.why_not_marketing(found.status, found.marketing)
        if why_not:
            raise InputError(f"This person may not get it: {why_not}.", remedy="Choose somebody else.")
        return Audience(Whom.PERSON, person=found.id)

    def moment(self, zone: ZoneInfo, now: datetime) -> Chosen | None:
        """The moment that was chosen, None for now; raises InputError when it cannot be read or is over."""
        if self.when != "later":
            return None
        try:
            chosen = rules.moment(date.fromisoformat(self.date), time.fromisoformat(self.time), zone)
        except (ValueError, OverflowError) as problem:
            raise InputError("The date or the time cannot be read.", remedy="Choose both.") from problem
        rules.not_past(chosen.at, now)
        return chosen


def filled_in(session: Session, draft: Broadcast, zone: ZoneInfo) -> AimForm:
    """The form as the draft stands; a new one offers tomorrow morning."""
    who = rules.audience(draft.audience)
    person = audience.subscriber(session, who.person) if who.person else None
    local = draft.send_at.astimezone(zone) if draft.send_at else None
    tomorrow = clock.now().astimezone(zone).date() + timedelta(days=1)
    return AimForm(
        to=str(who.whom),
        tag=who.tag,
        person=person.email if person else "",
        when="later" if local else "now",
        date=(local.date() if local else tomorrow).isoformat(),
        time=f"{local.time() if local else MORNING:%H:%M}",
    )


def whom_words(session: Session, found: Broadcast, tally: Tally) -> str:
    """The audience in words, with how many people it had when it started, or has now."""
    who = rules.audience(found.audience)
    if who.whom is not Whom.PERSON:
        fixed = found.started_at is not None and found.planned_to >= found.through_id
        number = tally.total if fixed else queries.count(session, who)
        return rules.audience_words(who, number)
    person = audience.subscriber(session, who.person)
    return rules.audience_words(who, 1, person.email if person else "somebody who is gone")


def problem_of(session: Session, draft: Broadcast, now: datetime) -> SuppleError | None:
    """Why a draft cannot be queued as it stands, if it cannot: its words, its audience or its moment."""
    try:
        previews.preview(session, draft.source, previews.NAMELESS, now)
        if draft.send_at is not None:
            rules.not_past(draft.send_at, now)
        elif queries.count(session, rules.audience(draft.audience)) == 0:
            return InputError("Nobody is in this audience right now.", remedy="Choose another, or a later moment.")
    except SuppleError as problem:
        return problem
    return None
