"""The proof run: every reader's email made once, piece by piece, before anybody gets it (semantics 2.11)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from time import monotonic

import structlog
from sqlalchemy.orm import Session

from newsletter.audience import queries as audience
from newsletter.audience.queries import Reader
from newsletter.broadcasts import queries
from newsletter.broadcasts.letters import in_place, letter_of
from newsletter.broadcasts.models import Broadcast
from newsletter.delivery.composing import render
from newsletter.delivery.letters import Letter, studio_in_mail
from newsletter.errors import SuppleError

log = structlog.get_logger()

# Subscriber ids looked through for one question; with ten tagged among a million, the next two hundred are all of them.
AT_ONCE = 20_000


class Proof:
    """One broadcast's readers from the mark on, piece by piece; `failed` says for whom it cannot be made, and why."""

    def __init__(self, session: Session, broadcast: Broadcast) -> None:
        """Raises SourceError when the text itself cannot be made an email."""
        self.broadcast = broadcast
        self.letter: Letter = letter_of(broadcast.source, studio_in_mail(session))
        self.reads_tags = "tags" in broadcast.source
        self.proved_to, self.seen = broadcast.proved_to, 0
        self.failed: dict[int, str] = {}

    @property
    def is_finished(self) -> bool:
        """Whether everybody was proved."""
        return self.proved_to >= self.broadcast.through_id

    def step(self, session: Session, limit: int, now: datetime, until: float) -> None:
        """Prove the next `limit` readers, or fewer when the time is up (on the monotonic clock), but at least one."""
        to_id = min(self.proved_to + AT_ONCE, self.broadcast.through_id)
        people = queries.readers(session, self.broadcast, self.proved_to, to_id, limit)
        tags = audience.tag_names_of(session, [person.id for person in people]) if self.reads_tags else {}
        session.rollback()  # nothing is held open while emails are made
        if self._make(people, tags, now, until) and len(people) < limit:
            self.proved_to = to_id

    def _make(self, people: Sequence[Reader], tags: Mapping[int, list[str]], now: datetime, until: float) -> bool:
        """Make each of these readers' email and throw it away; False when the time was up."""
        for number, person in enumerate(people):
            # Asked for every one: a text with a long loop takes seconds for two hundred, and a confirmation waits.
            if number and monotonic() > until:
                return False
            self._make_one(person, tags.get(person.id, []), now)
            self.proved_to = person.id
            self.seen += 1
        return True

    def _make_one(self, person: Reader, tags: Sequence[str], now: datetime) -> None:
        try:
            render(self.letter, person, tags, now)
        except SuppleError as problem:
            self.failed[person.id] = str(in_place(problem))
        except Exception as problem:  # whatever one reader's fields do to a template, the others are still proved
            log.exception("an email could not be made", subscriber=person.id)
            self.failed[person.id] = f"The email could not be made: {type(problem).__name__}."
