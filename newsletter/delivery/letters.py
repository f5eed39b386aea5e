"""What an upper room answers when the ledger asks for an email's content, at the moment of sending."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from flask import current_app
from sqlalchemy.orm import Session

from newsletter.accounts import queries as accounts
from newsletter.accounts.models import Studio as StudioRow
from newsletter.delivery.models import Delivery
from newsletter.messages.compiling import CompiledMessage
from newsletter.messages.mime import Attachment
from newsletter.messages.studio import Studio
from newsletter.settings import current


@dataclass(frozen=True)
class Letter:
    """An email's content: the compiled message and what to fill in beside the ledger's own variables.

    `marketing` mail carries the list headers of RFC 8058; `scope` is the sequence that one-click ends (0: all).
    """

    compiled: CompiledMessage
    context: dict[str, object] = field(default_factory=dict)
    marketing: bool = False
    scope: int = 0
    list_name: str = ""
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True)
class Withdrawn:
    """The person is not to get this email any more, and why, in words for the operator."""

    why: str


Writer = Callable[[Session, Delivery], Letter | Withdrawn]


def writer_of(reason: str) -> Writer:
    """The room's function that writes emails of this reason, by the word before the first colon."""
    writers = cast(dict[str, Writer], current_app.extensions["letters"])
    return writers[reason.partition(":")[0]]


def sender_name(studio: StudioRow) -> str:
    """The name emails come from: what the back office says, else MAIL_FROM's, else the studio's own."""
    return studio.sender_name or current().mail_from_name or studio.name


def studio_in_mail(session: Session) -> Studio:
    """The studio as every email shows it: what the back office says, else what the environment says."""
    settings, row = current(), accounts.studio(session)
    return Studio(
        name=row.name,
        sender_name=sender_name(row),
        url=settings.base_url,
        postal_address=row.postal_address or settings.postal_address,
        signature=row.signature,
        accent=row.accent,
        logo_url=f"{settings.base_url}/media/{row.logo_hash}.png" if row.logo_hash else "",
        video_url=row.video_url,
        embed_images=row.embed_images,
    )
