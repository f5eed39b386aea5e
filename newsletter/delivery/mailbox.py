"""The built-in mailbox: where emails arrive until SMTP_URL names a mail server."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Select, delete, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, defer

from newsletter.delivery.models import MailboxMessage
from newsletter.delivery.opening import open_email
from newsletter.errors import NotFound
from newsletter.web.paging import LIKE_ESCAPE, containing

LONGEST_SUBJECT = 300  # what the column holds


def receive(session: Session, message_id: str, recipient: str, content: bytes, now: datetime) -> bool:
    """Take in an email; the same Message-ID is taken in once. Returns whether it was new."""
    known = select(MailboxMessage.id).where(MailboxMessage.message_id == message_id)
    if session.scalar(known) is not None:
        return False
    message = MailboxMessage(
        message_id=message_id,
        received_at=now,
        recipient=recipient,
        subject=open_email(content).subject[:LONGEST_SUBJECT],
        content=content,
    )
    try:
        with session.begin_nested():
            session.add(message)
    except IntegrityError:
        return False  # another worker handed in the same email between the look and the write
    return True


def listed(search: str) -> Select[MailboxMessage]:
    """The emails, the last one in first; `search` looks in recipient and subject."""
    found = select(MailboxMessage).options(defer(MailboxMessage.content)).order_by(MailboxMessage.id.desc())
    if search:
        pattern = containing(search)
        found = found.where(
            or_(
                MailboxMessage.recipient.ilike(pattern, escape=LIKE_ESCAPE),
                MailboxMessage.subject.ilike(pattern, escape=LIKE_ESCAPE),
            )
        )
    return found


def find(session: Session, number: int) -> MailboxMessage:
    """The email with this id; raises NotFound."""
    message = session.get(MailboxMessage, number)
    if message is None:
        raise NotFound("There is no such email in the mailbox.", remedy="It may have been deleted; see the list.")
    return message


def neighbours(session: Session, number: int) -> tuple[int | None, int | None]:
    """The ids of the next newer and the next older email."""
    newer = session.scalar(select(func.min(MailboxMessage.id)).where(MailboxMessage.id > number))
    older = session.scalar(select(func.max(MailboxMessage.id)).where(MailboxMessage.id < number))
    return newer, older


def empty(session: Session) -> None:
    """Delete every email in the mailbox."""
    session.execute(delete(MailboxMessage))
