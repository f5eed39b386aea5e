"""The email of a broadcast, as the ledger asks for it at the moment of sending."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Protocol

from sqlalchemy.orm import Session

from newsletter.broadcasts import queries, rules
from newsletter.broadcasts.models import Broadcast
from newsletter.broadcasts.rules import Whom
from newsletter.delivery.letters import Letter, Withdrawn, studio_in_mail
from newsletter.errors import SourceError, SuppleError
from newsletter.messages import dialect, images
from newsletter.messages.compiling import CompiledMessage, compile_message
from newsletter.messages.source import parse
from newsletter.messages.studio import Studio

# The writer sees the body in a field of its own, so its lines count from 1 there and not below the front matter.
NAME = "The text"
HEAD = 0  # the "line" of subject and preheader, which have fields of their own as well
_PLAIN = dialect.Dialect(escape=False)


class Planned(Protocol):
    """What is asked of a ledger row: whose it is and why."""

    @property
    def id(self) -> int: ...
    @property
    def reason(self) -> str: ...
    @property
    def subscriber_id(self) -> int: ...


def batch(session: Session, deliveries: Sequence[Planned]) -> dict[int, Letter | Withdrawn | SuppleError]:
    """The emails of several rows at once, by the rows' ids; that their readers may get marketing is asked before.

    Reads each broadcast and the studio once, and the tag of all readers in one question.
    """
    by_reason: dict[str, list[Planned]] = defaultdict(list)
    for delivery in deliveries:
        by_reason[delivery.reason].append(delivery)
    found: dict[int, Letter | Withdrawn | SuppleError] = {}
    for reason, rows in by_reason.items():
        try:
            found |= _of_one(session, int(reason.partition(":")[2]), rows)
        except SuppleError as problem:  # this broadcast's text is broken; another one's readers do not wait for it
            found |= dict.fromkeys((row.id for row in rows), problem)
    return found


def _of_one(session: Session, broadcast_id: int, rows: Sequence[Planned]) -> dict[int, Letter | Withdrawn]:
    broadcast = session.get(Broadcast, broadcast_id)
    if broadcast is None or broadcast.state not in rules.LEAVES:
        return dict.fromkeys((row.id for row in rows), Withdrawn("the email to everybody was called off"))
    made = letter_of(broadcast.source, studio_in_mail(session))
    who = rules.audience(broadcast.audience)
    if who.whom is not Whom.TAG:
        return dict.fromkeys((row.id for row in rows), made)
    tagged = queries.tagged(session, who.tag, [row.subscriber_id for row in rows])
    untagged = Withdrawn(f"not tagged {who.tag} any more")
    return {row.id: made if row.subscriber_id in tagged else untagged for row in rows}


def letter_of(source: str, studio: Studio) -> Letter:
    """A stored text as a letter; raises SourceError naming the line."""
    return Letter(compiled(source, studio), marketing=True, list_name="newsletter")


@lru_cache(maxsize=32)
def compiled(source: str, studio: Studio) -> CompiledMessage:
    """A stored text, compiled once for all its readers in this process; raises SourceError naming the line."""
    text = rules.read_source(source)
    if not text.subject:
        raise SourceError("The subject is empty.", remedy="Write one; it is what readers see first.")
    if not text.body.strip():
        raise SourceError("The email has no text yet.", remedy="Write some words below the subject.")
    for name, words in (("The subject", text.subject), ("The preheader", text.preheader)):
        dialect.check(_PLAIN, words, name=name, first_line=1)
    parsed = replace(parse(source, name=NAME), subject_line=HEAD, preheader_line=HEAD, body_line=1)
    return compile_message(parsed, studio, image=images.resolver(studio.url), marketing=True)


def in_place(problem: SuppleError) -> SuppleError:
    """The problem, with its place named as the writer's fields are."""
    happened = problem.happened.replace(f"{NAME}, line {HEAD}", "The subject or the preheader")
    return type(problem)(happened, means=problem.means, remedy=problem.remedy)
