"""The confirmation and its reminder, as the ledger asks for them."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from sqlalchemy.orm import Session

from newsletter import tokens
from newsletter.audience import queries as audience
from newsletter.audience.models import Consent
from newsletter.audience.rules import Status
from newsletter.delivery.letters import Letter, Withdrawn, one_by_one, studio_in_mail
from newsletter.delivery.rules import Claimed
from newsletter.errors import SuppleError
from newsletter.magnets import queries as magnets
from newsletter.magnets.models import Magnet
from newsletter.messages import images
from newsletter.messages.compiling import CompiledMessage, compile_message
from newsletter.messages.source import load
from newsletter.messages.studio import Studio
from newsletter.settings import current
from newsletter.signup import queries
from newsletter.signup.models import Form
from newsletter.tokens import Purpose

SYSTEM = Path(__file__).resolve().parent.parent.parent / "emails" / "system"


@lru_cache(maxsize=16)
def _compiled(name: str, studio: Studio) -> CompiledMessage:
    image = images.resolver(studio.url)
    return compile_message(load(SYSTEM / f"{name}.md"), studio, image=image, marketing=False)


def confirm_url(consent: Consent) -> str:
    """The link to the page with the confirm button."""
    settings = current()
    token = tokens.sign(settings.secret_key, Purpose.CONFIRM, consent.id, at=consent.requested_at)
    return f"{settings.base_url}/confirm/{token}"


def letter(session: Session, delivery: Claimed) -> Letter | Withdrawn:
    """The confirmation (`confirm:CONSENT`) or the reminder (`reminder:PERSON`)."""
    kind, _, number = delivery.reason.partition(":")
    if kind == "reminder":
        consent = audience.latest_consent(session, delivery.subscriber_id)
    else:
        consent = audience.consent(session, int(number))
    person = audience.subscriber(session, delivery.subscriber_id)
    if person is None or consent is None or consent.withdrawn_at is not None:
        return Withdrawn("the sign-up was withdrawn")
    if consent.confirmed_at is not None or (kind == "reminder" and person.status != Status.PENDING):
        return Withdrawn("confirmed already")
    magnet = gift(session, queries.form(session, consent.form_id))
    given = {"title": magnet.title} if magnet else None
    context: dict[str, object] = {"magnet": given, "links": {"confirm": confirm_url(consent)}}
    return Letter(_compiled(kind, studio_in_mail(session)), context)


letters = one_by_one(letter)


def gift(session: Session, form: Form | None) -> Magnet | None:
    """The gift a form promises, if it promises one."""
    return magnets.magnet(session, form.magnet_id) if form and form.magnet_id else None


def confirm_subject(session: Session, title: str | None) -> str:
    """The subject of the confirmation, for the thank-you page to name; empty while its template is broken."""
    try:
        return _subject(session, title)
    except SuppleError:
        return ""  # the outbox shows the operator what is wrong; the visitor has done everything right


def _subject(session: Session, title: str | None) -> str:
    compiled = _compiled("confirm", studio_in_mail(session))
    context: dict[str, object] = {
        "magnet": {"title": title} if title else None,
        "subscriber": {"first_name": None, "email": ""},
        "links": {"confirm": current().base_url},
    }
    return compiled.render(context).subject
