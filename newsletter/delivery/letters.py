"""What an upper room answers when the ledger asks for an email's content, at the moment of sending."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TypeVar, cast

import structlog
from flask import current_app
from sqlalchemy.orm import Session

from newsletter.accounts import queries as accounts
from newsletter.accounts.models import Studio as StudioRow
from newsletter.delivery.days import Fit
from newsletter.delivery.rules import Claimed
from newsletter.errors import SuppleError
from newsletter.messages.compiling import CompiledMessage
from newsletter.messages.mime import Attachment
from newsletter.messages.studio import Studio
from newsletter.settings import current

log = structlog.get_logger()
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Letter:
    """An email's content: the compiled message and what to fill in beside the ledger's own variables.

    `marketing` mail carries the list headers of RFC 8058; `scope` is the sequence that one-click ends (0: all).
    `fits` says when it may go that has to go on another day (semantics 3.17): any time where there is none.
    """

    compiled: CompiledMessage
    context: dict[str, object] = field(default_factory=dict)
    marketing: bool = False
    scope: int = 0
    list_name: str = ""
    attachments: tuple[Attachment, ...] = ()
    fits: Fit | None = None


@dataclass(frozen=True)
class Withdrawn:
    """The person is not to get this email any more, and why, in words for the operator."""

    why: str


@dataclass(frozen=True)
class Later:
    """The email is not to go now but `at` another moment, when it is asked about again; and why, in words."""

    at: datetime
    why: str


# A room writes the emails of a whole batch at once, so that it reads what they share once; by the email's id.
Writer = Callable[[Session, Sequence[Claimed]], Mapping[int, Letter | Withdrawn | Later | SuppleError]]


def writer_of(reason: str) -> Writer | None:
    """The room's function that writes emails of this reason, by the word before the first colon."""
    writers = cast(dict[str, Writer], current_app.extensions["letters"])
    return writers.get(reason.partition(":")[0])


def one_by_one(letter: Callable[[Session, Claimed], Letter | Withdrawn | Later]) -> Writer:
    """A writer for rooms whose emails share nothing; one that cannot be written leaves the others be."""

    def write(session: Session, batch: Sequence[Claimed]) -> dict[int, Letter | Withdrawn | Later | SuppleError]:
        return {one.id: guarded(partial(letter, session, one), one.id) for one in batch}

    return write


def guarded(write: Callable[[], Answer], delivery_id: int) -> Answer | SuppleError:
    """What `write` gives, or what went wrong with this one email in words: nobody else's waits for it."""
    try:
        return write()
    except SuppleError as problem:
        log.info("an email could not be made", delivery=delivery_id, problem=problem.happened)
        return problem
    except Exception as problem:
        log.exception("an email could not be made", delivery=delivery_id)
        return SuppleError(f"The email could not be made: {type(problem).__name__}.")


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
