"""From a ledger row to the bytes that leave: asks the room for its letter, fills it in, seals the envelope."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from newsletter import addresses, tokens
from newsletter.audience import queries as audience
from newsletter.audience import rules as audience_rules
from newsletter.audience.actions import ERASED
from newsletter.audience.models import Subscriber
from newsletter.delivery import dkim, queries
from newsletter.delivery.letters import Letter, Withdrawn, writer_of
from newsletter.delivery.models import Delivery
from newsletter.messages import mime
from newsletter.messages.compiling import Rendered
from newsletter.messages.images import Image
from newsletter.settings import Settings, current
from newsletter.tokens import Purpose


@dataclass(frozen=True)
class Sealed:
    """An email ready to leave: SMTP sender and recipient, its Message-ID and bytes, and its subject for the ledger."""

    delivery_id: int
    sender: str
    recipient: str
    message_id: str
    subject: str
    content: bytes
    pictures: tuple[Image, ...]  # that the email links; they are stored before it leaves


def compose(session: Session, row: Delivery, now: datetime) -> Sealed | Withdrawn:
    """Make one email; whether its reader may still get it is asked again here (semantics 2.6).

    Raises RenderError (or another SuppleError) when the template fails for this reader.
    """
    settings = current()
    person = audience.fresh(session, row.subscriber_id)
    if person.status in audience_rules.CLOSED:
        return Withdrawn(audience_rules.STATUS_WORDS[audience_rules.Status(person.status)])
    suppressed = audience.suppressed_because(session, tokens.fingerprint(settings.secret_key, person.email_key))
    if suppressed and suppressed != ERASED:  # a living row of an erased address can only be their own fresh sign-up
        return Withdrawn(f"on the suppression list: {suppressed}")
    letter = writer_of(row.reason)(session, row)
    if isinstance(letter, Withdrawn):
        return letter
    # Asked here as well, so that no room above can forget it: marketing goes only to those who agreed to it.
    barred = audience_rules.why_not_marketing(person.status, person.marketing) if letter.marketing else ""
    if barred:
        return Withdrawn(barred)
    rendered, links = render(letter, person, audience.tag_names(session, person.id), row.planned_at)
    name = f"{person.first_name} {person.last_name}".strip()
    sealed = seal(
        letter,
        rendered,
        delivery_id=row.id,
        reason=row.reason,
        message_id=row.message_id,
        recipient=(name, person.email),
        leave=links["unsubscribe"],
        now=now,
    )
    signers = queries.signers(session, sender_domain(settings))
    return replace(sealed, content=dkim.signed(sealed.content, signers, now))


def render(letter: Letter, person: Subscriber, tags: list[str], at: datetime) -> tuple[Rendered, dict[str, str]]:
    """Fill in one reader's words and links (made at `at`); sending, test emails and previews all pass here.

    Raises RenderError when the template fails for this reader.
    """
    links = reader_links(current(), person, letter.scope, at)
    context = reader(person, tags) | letter.context
    given = letter.context.get("links")
    context["links"] = links | (given if isinstance(given, dict) else {})
    return letter.compiled.render(context), links


def seal(
    letter: Letter,
    rendered: Rendered,
    *,
    delivery_id: int,
    reason: str,
    message_id: str,
    recipient: mime.Mailbox,
    leave: str,
    now: datetime,
) -> Sealed:
    """Put a rendered email into its envelope; `leave` is the reader's link for one-click unsubscribing."""
    settings = current()
    sender = (_sender_name(letter), addresses.on_the_wire(settings.mail_from))
    address = addresses.on_the_wire(recipient[1])
    envelope = mime.Envelope(
        message_id=message_id,
        date=now,
        sender=sender,
        recipient=(recipient[0], address),
        attachments=letter.attachments,
    )
    if letter.marketing:
        envelope = _as_list_mail(envelope, settings, letter, leave, reason)
    content = mime.build(rendered, envelope)
    return Sealed(delivery_id, sender[1], address, message_id, rendered.subject, content, letter.compiled.images)


def sender_domain(settings: Settings) -> str:
    """The domain emails are sent and signed from, as the DNS writes it."""
    return addresses.on_the_wire(settings.mail_from).rpartition("@")[2]


def reader(person: Subscriber, tags: list[str]) -> dict[str, object]:
    """What a template may say about its reader; what is not known is None, so that a fallback can be given."""
    return {
        "subscriber": {
            "email": person.email,
            "first_name": person.first_name or None,
            "last_name": person.last_name or None,
            "timezone": person.timezone or None,
            "fields": person.fields,
            "tags": tags,
        }
    }


def reader_links(settings: Settings, person: Subscriber, scope: int, at: datetime) -> dict[str, str]:
    """The links that every email may carry for this reader; `scope` is the sequence that one-click ends, 0 for all."""
    leave = tokens.sign(settings.secret_key, Purpose.UNSUBSCRIBE, person.id, scope, at=at)
    change = tokens.sign(settings.secret_key, Purpose.PREFERENCES, person.id, at=at)
    return {
        "unsubscribe": f"{settings.base_url}/unsubscribe/{leave}",
        "preferences": f"{settings.base_url}/preferences/{change}",
        "page": f"{settings.base_url}/",
        "video": f"{settings.base_url}/video",
    }


def _sender_name(letter: Letter) -> str:
    studio = letter.compiled.standing["studio"]
    return str(getattr(studio, "sender_name", "") or getattr(studio, "name", ""))


def _as_list_mail(
    envelope: mime.Envelope, settings: Settings, letter: Letter, leave: str, reason: str
) -> mime.Envelope:
    name = letter.list_name or "newsletter"
    return replace(
        envelope,
        list_unsubscribe_url=leave,
        list_unsubscribe_mailto=f"mailto:{addresses.on_the_wire(settings.mail_from)}?subject=unsubscribe",
        list_id=f"<{name}.{sender_domain(settings)}>",
        feedback_id=f"{reason.replace(':', '-')}:{name}:{urlsplit(settings.base_url).hostname}",
    )
