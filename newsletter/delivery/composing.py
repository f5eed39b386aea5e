"""From a ledger row to the bytes that leave: asks the room for its letter, fills it in, seals the envelope."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial
from itertools import groupby
from typing import NamedTuple, cast
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from newsletter import addresses, tokens
from newsletter.audience import queries as audience
from newsletter.audience import rules as audience_rules
from newsletter.audience.actions import ERASED
from newsletter.audience.models import Subscriber
from newsletter.audience.queries import Reader
from newsletter.delivery import counting, dkim
from newsletter.delivery.counting import Tails
from newsletter.delivery.dkim import Signer
from newsletter.delivery.letters import Later, Letter, Withdrawn, guarded, writer_of
from newsletter.delivery.rules import Claimed
from newsletter.delivery.smtp.envelope import Outgoing
from newsletter.errors import SuppleError
from newsletter.messages import mime
from newsletter.messages.compiling import Rendered
from newsletter.settings import Settings, current
from newsletter.tokens import Purpose


class Sealed(NamedTuple):
    """An email ready to leave: SMTP sender and recipient, its Message-ID and bytes, and its subject for the ledger."""

    delivery_id: int
    sender: str
    recipient: str
    message_id: str
    subject: str
    content: bytes

    @property
    def outgoing(self) -> Outgoing:
        """What goes over the wire."""
        return Outgoing(self.delivery_id, self.sender, self.recipient, self.content)


@dataclass(slots=True)
class Draft:
    """What one email is made of, all read: making it asks no database. With `tails` its links are counted."""

    claimed: Claimed
    letter: Letter
    reader: Reader
    tags: Sequence[str]
    tails: Tails = ()


Drafts = dict[int, Draft | Withdrawn | Later | SuppleError]


def gather(session: Session, batch: Sequence[Claimed]) -> Drafts:
    """Read what these emails need, by id; whether each may still be sent is asked again here (semantics 2.6)."""
    ids = list({one.subscriber_id for one in batch})
    readers, tags = audience.readers(session, ids), audience.tag_names_of(session, ids)
    barred = _barred(session, readers)
    drafts: Drafts = {one.id: Withdrawn(barred[one.subscriber_id]) for one in batch if one.subscriber_id in barred}
    asked = [one for one in batch if one.id not in drafts]
    letters = _letters(session, asked)
    for one in asked:
        letter, reader = letters[one.id], readers.get(one.subscriber_id)
        if reader is None:  # two records of a person were made one since the claim; next time it is the other's
            drafts[one.id] = SuppleError("Its reader's record was merged with another one just now.")
            continue
        # Asked here as well, so that no room above can forget it: marketing goes only to those who agreed to it.
        why = audience_rules.why_not_marketing(reader.status, reader.marketing) if _is_marketing(letter) else ""
        if why or not isinstance(letter, Letter):
            drafts[one.id] = Withdrawn(why) if why else cast(Withdrawn | Later | SuppleError, letter)
        else:
            drafts[one.id] = Draft(one, letter, reader, tags.get(reader.id, ()))
    return drafts


def _is_marketing(letter: Letter | Withdrawn | Later | SuppleError) -> bool:
    return isinstance(letter, Letter) and letter.marketing


def _barred(session: Session, readers: Mapping[int, Reader]) -> dict[int, str]:
    """Why some of these people are to get nothing at all, by id."""
    secret, words = current().secret_key, audience_rules.STATUS_WORDS
    barred = {
        one.id: words[audience_rules.Status(one.status)]
        for one in readers.values()
        if one.status in audience_rules.CLOSED
    }
    prints = {tokens.fingerprint(secret, one.email_key): one.id for one in readers.values() if one.id not in barred}
    for mark, reason in audience.suppressed(session, prints).items():
        if reason != ERASED:  # a living row of an erased address can only be their own fresh sign-up
            barred[prints[mark]] = f"on the suppression list: {reason}"
    return barred


def _letters(session: Session, batch: Sequence[Claimed]) -> dict[int, Letter | Withdrawn | Later | SuppleError]:
    letters: dict[int, Letter | Withdrawn | Later | SuppleError] = {}
    for kind, group in groupby(sorted(batch, key=_kind), key=_kind):
        some, write = list(group), writer_of(kind)
        if write is None:
            found = SuppleError(f"No part of the program writes emails of the kind {kind!r}.")
            letters |= dict.fromkeys((one.id for one in some), found)
            continue
        written = guarded(partial(write, session, some), some[0].id)
        letters |= {one.id: written for one in some} if isinstance(written, SuppleError) else written
    return letters


def _kind(one: Claimed) -> str:
    return one.reason.partition(":")[0]


def make(draft: Draft, signers: Sequence[Signer], now: datetime) -> Sealed:
    """One email's bytes. Raises RenderError (or another SuppleError) when the template fails for this reader."""
    claimed, reader, tails = draft.claimed, draft.reader, draft.tails
    clicks = counting.addresses(tails, delivery_id=claimed.id, subscriber_id=reader.id, now=now) if tails else None
    rendered, links = render(draft.letter, reader, draft.tags, claimed.planned_at, clicks)
    return seal(
        draft.letter,
        rendered,
        delivery_id=claimed.id,
        reason=claimed.reason,
        message_id=claimed.message_id,
        recipient=(f"{reader.first_name} {reader.last_name}".strip(), reader.email),
        leave=links["unsubscribe"],
        now=now,
        signers=signers,
    )


def render(
    letter: Letter,
    person: Subscriber | Reader,
    tags: Sequence[str],
    at: datetime,
    clicks: Sequence[str] | None = None,
) -> tuple[Rendered, dict[str, str]]:
    """Fill in one reader's words and links (made at `at`); sending, test emails and previews all pass here.

    `clicks` are the reader's own addresses for the links that are counted.
    Raises RenderError when the template fails for this reader.
    """
    links = reader_links(current(), person, letter.scope, at)
    context = reader(person, tags) | letter.context
    given = letter.context.get("links")
    context["links"] = links | given if isinstance(given, dict) else links
    if clicks is not None:
        context["clicks"] = clicks
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
    signers: Sequence[Signer] = (),
) -> Sealed:
    """Put a rendered email into its envelope and sign it; `leave` is the link for one-click unsubscribing."""
    settings = current()
    sender, address = addresses.on_the_wire(settings.mail_from), addresses.on_the_wire(recipient[1])
    envelope = mime.Envelope(
        message_id=message_id,
        date=now,
        sender=(_sender_name(letter), sender),
        recipient=(recipient[0], address),
        list_unsubscribe_url=leave if letter.marketing else "",
        list_unsubscribe_mailto=f"mailto:{sender}?subject=unsubscribe" if letter.marketing else "",
        list_id=f"<{_list(letter)}.{sender_domain(settings)}>" if letter.marketing else "",
        feedback_id=_feedback_id(settings, letter, reason) if letter.marketing else "",
        attachments=letter.attachments,
    )
    content = dkim.sealed(mime.assemble(rendered, envelope), signers, now)
    return Sealed(delivery_id, sender, address, message_id, rendered.subject, content)


def sender_domain(settings: Settings) -> str:
    """The domain emails are sent and signed from, as the DNS writes it."""
    return addresses.on_the_wire(settings.mail_from).rpartition("@")[2]


def reader(person: Subscriber | Reader, tags: Sequence[str]) -> dict[str, object]:
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


def reader_links(settings: Settings, person: Subscriber | Reader, scope: int, at: datetime) -> dict[str, str]:
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


def _list(letter: Letter) -> str:
    return letter.list_name or "newsletter"


def _feedback_id(settings: Settings, letter: Letter, reason: str) -> str:
    return f"{reason.replace(':', '-')}:{_list(letter)}:{_host(settings.base_url)}"


@lru_cache(maxsize=8)
def _host(base_url: str) -> str:
    return urlsplit(base_url).hostname or ""
