"""The email that brings a gift, as the ledger asks for it."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from sqlalchemy.orm import Session

from newsletter.accounts import queries as accounts
from newsletter.audience import queries as audience
from newsletter.audience.models import Subscriber
from newsletter.audience.rules import why_not_gift
from newsletter.delivery.letters import Letter, Withdrawn, one_by_one, studio_in_mail
from newsletter.delivery.rules import Claimed
from newsletter.magnets import actions, queries, rules
from newsletter.magnets.models import Magnet
from newsletter.magnets.stamp import stamp
from newsletter.messages import images
from newsletter.messages.compiling import CompiledMessage, compile_message
from newsletter.messages.mime import Attachment
from newsletter.messages.source import load
from newsletter.messages.studio import Studio

SOURCE = Path(__file__).resolve().parent.parent.parent / "emails" / "system" / "deliver.md"


@lru_cache(maxsize=8)
def _compiled(studio: Studio) -> CompiledMessage:
    return compile_message(load(SOURCE), studio, image=images.resolver(studio.url), marketing=False)


def letter(session: Session, delivery: Claimed) -> Letter | Withdrawn:
    """The delivery email (`magnet:GIFT`, `magnet:GIFT:N`); withdrawn when the person may not get it any more."""
    magnet = queries.magnet(session, rules.magnet_of(delivery.reason))
    person = audience.subscriber(session, delivery.subscriber_id)
    if magnet is None or person is None:
        return Withdrawn("the gift was removed")
    granted = queries.grant_of(session, magnet.id, person.id)
    if granted is None:
        return Withdrawn("this person does not have the gift any more")
    if why := why_not_gift(person.status):
        return Withdrawn(why)
    context: dict[str, object] = {
        "magnet": {"title": magnet.title},
        "links": {"download": actions.download_url(granted, delivery.planned_at)},
    }
    attachments = _attachments(session, magnet, person) if magnet.attach else ()
    return Letter(_compiled(studio_in_mail(session)), context, attachments=attachments)


letters = one_by_one(letter)


def _attachments(session: Session, magnet: Magnet, person: Subscriber) -> tuple[Attachment, ...]:
    """The file to go along (semantics 1.6): none while there is none, or when it has grown too big for email."""
    zone = person.timezone or accounts.studio(session).timezone
    file = queries.newest(session, magnet, rules.paper_in(zone))
    if file is None or file.size > rules.LARGEST_ATTACHMENT:
        return ()
    pdf = queries.content(session, file.blob_hash)
    if magnet.stamp and not magnet.uploaded:
        pdf = stamp(pdf, person.first_name)
    return ((magnet.file_name, actions.PDF, pdf),)
