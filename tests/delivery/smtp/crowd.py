"""Emails for an exchange, and what became of them."""

from __future__ import annotations

import time
from collections.abc import Callable

from newsletter.delivery.rules import Reply
from newsletter.delivery.smtp.connection import Patience
from newsletter.delivery.smtp.envelope import Outgoing
from newsletter.delivery.smtp.exchange import Exchange
from tests.delivery.smtp.rude import CALM, Line, Server
from tests.delivery.smtp.talk import email

LONG = b"Subject: long\r\n\r\n" + b"All work and no play\r\n.\r\n" * 500


def emails(count: int) -> list[Outgoing]:
    return [email(key, b"Subject: %d\r\n\r\n.dot\r\n" % key) for key in range(1, count + 1)]


def fates(exchange: Exchange, patience: float = 60) -> dict[int, Reply | None]:
    """Everything that is answered until nothing is outstanding."""
    found: dict[int, Reply | None] = {}
    until = time.monotonic() + patience
    while exchange.outstanding:
        assert time.monotonic() < until, "it takes for ever"
        for answer in exchange.answers(1):
            assert answer.key not in found
            found[answer.key] = answer.reply
    return found


def codes(exchange: Exchange) -> dict[int, int | None]:
    return {key: reply and reply.code for key, reply in sorted(fates(exchange).items())}


def send(server: Server, count: int, *, connections: int = 1, patience: Patience = CALM) -> dict[int, int | None]:
    with Exchange(server.smtp(), connections=connections, patience=patience) as exchange:
        exchange.hand_over(emails(count))
        return codes(exchange)


def all_taken(count: int) -> dict[int, int]:
    return dict.fromkeys(range(1, count + 1), 250)


def then(script: Callable[[Line], None]) -> Callable[[Line], None]:
    def greeted(line: Line) -> None:
        line.greet()
        script(line)

    return greeted
