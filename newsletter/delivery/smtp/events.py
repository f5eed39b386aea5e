"""What the wire tells: the answer to each email, and what happens to the connection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from newsletter.delivery.rules import Reply
from newsletter.delivery.smtp.envelope import Outgoing
from newsletter.errors import RelayError


class Answer(NamedTuple):
    """What became of an email: the relay's reply; `Reply(0)` its end had begun to leave and the answer was lost.

    None: its end never began to leave, so it may be given back.
    """

    key: int
    reply: Reply | None


@dataclass(frozen=True, slots=True)
class Returned:
    """An email that surely did not go, and may go over another connection; `reply` is the 421 it met.

    `first` when it was the one the server was at: the others were only waiting behind it.
    """

    email: Outgoing
    reply: Reply | None
    first: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """The relay refuses us, and not one reader (semantics 2.8): it is to be left alone."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class Secure:
    """TLS is to be taken up now; then `Wire.secured` goes on."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The server knows us and takes emails."""


@dataclass(frozen=True, slots=True)
class Over:
    """Nothing more is to be said or heard here, and why; `idle` that nothing was under way, so nobody need care."""

    why: str
    problem: RelayError | None
    idle: bool


Event = Returned | Refused | Secure | Ready | Over
