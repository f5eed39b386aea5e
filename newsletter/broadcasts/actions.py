"""Writes of broadcasts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import update
from sqlalchemy.orm import Session

from newsletter.broadcasts import queries, rules
from newsletter.broadcasts.letters import letter_of
from newsletter.broadcasts.models import Broadcast
from newsletter.broadcasts.rules import Audience, BroadcastState, Text, Whom
from newsletter.database.engine import after_commit
from newsletter.delivery import actions as delivery
from newsletter.delivery.letters import studio_in_mail
from newsletter.delivery.rules import Lane
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


def queue_from_file(
    session: Session, text: str, audience: str, at: datetime | None, now: datetime, *, name: str = "this email"
) -> Broadcast:
    """Queue an email written as a file: front matter, Markdown, Jinja2; raises SuppleError in words."""
    source = parse(text, name=name)
    who = rules.audience(audience)
    draft = write(session, Text(source.subject, source.preheader, source.body), by=None, now=now)
    aim(session, draft.id, who, None if at is None else rules.not_past(at, now))
    return queue(session, draft.id, now)


def cancel(session: Session, broadcast_id: int) -> None:
    """Call a queued broadcast off; raises InputError when it has started."""
    _leave_queue(session, broadcast_id, BroadcastState.CANCELED)


def take_back(session: Session, broadcast_id: int, now: datetime) -> None:
    """Make a queued broadcast a draft again, to go on writing; raises InputError when it has started."""
    _leave_queue(session, broadcast_id, BroadcastState.DRAFT)
    draft = queries.find(session, broadcast_id)
    if draft.send_at is not None and draft.send_at <= now:
        draft.send_at = None
        session.flush()


def _leave_queue(session: Session, broadcast_id: int, to: BroadcastState) -> None:
    queries.find(session, broadcast_id)
    if not _move(session, broadcast_id, to):
        raise InputError(
            "This email is not queued any more.",
            means="It has started, or somebody called it off. Nothing was changed.",
            remedy="Look at its newest state.",
        )


def _move(session: Session, broadcast_id: int, to: BroadcastState, *more: object, **values: object) -> bool:
    """Leave the queue, unless another worker or operator was faster; whoever changes no row was too late."""
    moved = session.connection().execute(
        update(Broadcast)
        .where(Broadcast.id == broadcast_id, Broadcast.state == BroadcastState.QUEUED, *more)  # type: ignore[arg-type]
        .values(state=to, **values)
    )
    return bool(moved.rowcount)


def delete_draft(session: Session, broadcast_id: int) -> None:
    """Throw a draft away; raises InputError for anything else, because the ledger refers to it."""
    draft = queries.find(session, broadcast_id)
    if draft.state != BroadcastState.DRAFT:
        raise InputError("Only drafts can be deleted.", means="What was sent stays on record.")
    session.delete(draft)


def start(session: Session, proved: Broadcast, failed: Mapping[int, str], problem: str, now: datetime) -> int:
    """Fix the recipients (semantics 2.12) of the broadcast as it was proved; returns how many, 0 when it moved on.

    `failed` says for which subscriber ids the email cannot be made, and why: their rows are canceled and listed.
    """
    # Words and audience must still be those of the proof: it may have been taken back, changed and queued again.
    same = (Broadcast.source == proved.source, Broadcast.audience == proved.audience)
    if not _move(session, proved.id, BroadcastState.STARTED, *same, started_at=now, problem=problem):
        return 0
    who = rules.audience(proved.audience)
    planned = delivery.plan_many(
        session,
        reason=queries.reason_of(proved.id),
        subscribers=queries.recipients(who),
        lane=Lane.BULK,
        due_at=proved.send_at or now,
        now=now,
    )
    for person_id, delivery_id in queries.delivery_ids(session, proved.id, failed):
        delivery.cancel(session, delivery_id, f"Could not be made for this reader: {failed[person_id]}", now)
    return planned


def refuse(session: Session, proved: Broadcast, problem: str) -> None:
    """The email cannot be made for anybody: back to the drafts, with the reason in words."""
    same = Broadcast.source == proved.source
    _move(session, proved.id, BroadcastState.DRAFT, same, problem=problem, send_at=None)
