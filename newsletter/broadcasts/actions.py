"""Writes of broadcasts up to the queue: words, audience, moment."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, or_, update
from sqlalchemy.orm import Session

from newsletter.broadcasts import queries, rules
from newsletter.broadcasts.letters import letter_of
from newsletter.broadcasts.models import Broadcast
from newsletter.broadcasts.rules import Audience, BroadcastState, Text, Whom
from newsletter.database.engine import after_commit
from newsletter.delivery.letters import studio_in_mail
from newsletter.errors import InputError
from newsletter.messages.source import parse
from newsletter.work.queue import wake


def write(session: Session, text: Text, *, by: int | None, now: datetime) -> Broadcast:
    """A new draft."""
    draft = Broadcast(source="", subject="", audience="all", problem="", created_at=now, created_by=by)
    draft.state = BroadcastState.DRAFT
    _put(draft, text)
    session.add(draft)
    session.flush()
    return draft


def rewrite(session: Session, broadcast_id: int, text: Text) -> Broadcast:
    """Change a draft's words; raises InputError once it is queued."""
    draft = queries.find(session, broadcast_id)
    if not rules.may_edit(draft.state):
        raise InputError(
            "This email is queued or sent, so its words stand.",
            means="Nothing was changed.",
            remedy="Take it back first if it is still queued, or make a copy.",
        )
    _put(draft, text)
    draft.problem = ""
    session.flush()
    return draft


def _put(draft: Broadcast, text: Text) -> None:
    draft.source = rules.write_source(text)
    draft.subject = rules.read_source(draft.source).subject[:300]


def copy(session: Session, broadcast_id: int, *, by: int | None, now: datetime) -> Broadcast:
    """A draft with the words of an earlier broadcast."""
    return write(session, rules.read_source(queries.find(session, broadcast_id).source), by=by, now=now)


def aim(session: Session, broadcast_id: int, who: Audience, send_at: datetime | None) -> Broadcast:
    """Choose whom a draft goes to and when (None: as soon as it is queued)."""
    draft = queries.find(session, broadcast_id)
    if not rules.may_edit(draft.state):
        raise InputError("This email is queued or sent already.", remedy="Take it back first if it is still queued.")
    draft.audience, draft.send_at = str(who), send_at
    session.flush()
    return draft


def make_ready(session: Session, source: str) -> None:
    """Compile a stored text before it is queued, outside any transaction; raises SourceError naming the line.

    Drawing a picture for the first time takes seconds. `queue` asks again, finds it made, and holds the writers' lock
    for no longer than a few reads take.
    """
    letter_of(source, studio_in_mail(session))


def queue(session: Session, broadcast_id: int, now: datetime) -> Broadcast:
    """Let a draft go to its audience at its moment; raises SuppleError when it cannot be made or nobody is there."""
    draft = queries.find(session, broadcast_id)
    if draft.state != BroadcastState.DRAFT:
        raise InputError("This email is queued or sent already.", means="Nothing was changed.")
    letter_of(draft.source, studio_in_mail(session))
    who = rules.audience(draft.audience)
    if draft.send_at is None and queries.count(session, who) == 0:
        raise InputError(
            "Nobody would get this email right now.",
            means=_nobody(who),
            remedy="Choose another audience, or a later moment.",
        )
    draft.send_at = now if draft.send_at is None else rules.not_past(draft.send_at, now)
    draft.state, draft.problem = BroadcastState.QUEUED, ""
    session.flush()
    if draft.send_at <= now:
        after_commit(session, wake)
    return draft


def _nobody(who: Audience) -> str:
    if who.whom is Whom.PERSON:
        return "This person is not subscribed to emails like this one."
    if who.whom is Whom.TAG:
        return f"There are no confirmed subscribers tagged {who.tag}."
    return "There are no confirmed subscribers yet."


def source_of_file(text: str, *, name: str = "this email") -> str:
    """An email written as a file (front matter, Markdown, Jinja2) as it is stored; raises SourceError in words."""
    source = parse(text, name=name)
    return rules.write_source(Text(source.subject, source.preheader, source.body))


def queue_from_file(
    session: Session, text: str, audience: str, at: datetime | None, now: datetime, *, name: str = "this email"
) -> Broadcast:
    """Queue an email written as a file; raises SuppleError in words."""
    words = rules.read_source(source_of_file(text, name=name))
    who = rules.audience(audience)
    draft = write(session, words, by=None, now=now)
    aim(session, draft.id, who, None if at is None else rules.not_past(at, now))
    return queue(session, draft.id, now)


def take_back(session: Session, broadcast_id: int, now: datetime) -> None:
    """Make a broadcast a draft again, to go on writing; raises InputError once its first email is planned."""
    unsent = or_(Broadcast.state == BroadcastState.QUEUED, Broadcast.planned_to == 0)
    if not move(session, broadcast_id, BroadcastState.DRAFT, unsent, started_at=None):
        queries.find(session, broadcast_id)
        raise InputError(
            "This email is not waiting any more.",
            means="It has started, or somebody called it off. Nothing was changed.",
            remedy="Look at its newest state.",
        )
    draft = queries.find(session, broadcast_id)
    if draft.send_at is not None and draft.send_at <= now:
        draft.send_at = None
        session.flush()


def move(session: Session, broadcast_id: int, to: BroadcastState, *more: ColumnElement[bool], **values: object) -> bool:
    """Follow one arrow, unless another worker or operator was faster; whoever changes no row was too late."""
    moved = session.connection().execute(
        update(Broadcast)
        .where(Broadcast.id == broadcast_id, Broadcast.state.in_(rules.sources(to)), *more)
        .values(state=to, **values)
    )
    return bool(moved.rowcount)


def delete_draft(session: Session, broadcast_id: int) -> None:
    """Throw a draft away; raises InputError for anything else, because the ledger refers to it."""
    draft = queries.find(session, broadcast_id)
    if draft.state != BroadcastState.DRAFT:
        raise InputError("Only drafts can be deleted.", means="What was sent stays on record.")
    session.delete(draft)
