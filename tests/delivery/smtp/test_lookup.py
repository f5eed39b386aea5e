"""A name server that does not answer: it costs a line of a worker its patience once, and one thread in all."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from newsletter.delivery.smtp import lookup
from newsletter.delivery.smtp.exchange import Exchange
from newsletter.errors import RelayError
from tests.delivery.smtp.crowd import all_taken, codes, emails
from tests.delivery.smtp.rude import CALM, Server, polite, rude

SHORT = replace(CALM, connect=0.2)


class Resolver:
    """The system's resolver, which answers when it is told to, or after `delay` seconds."""

    def __init__(self, delay: float = 20) -> None:
        self.delay, self.asked, self.answers = delay, list[str](), threading.Event()
        self._really = socket.getaddrinfo

    def __call__(self, host: str, port: int, **more: Any) -> list[Any]:
        self.asked.append(host)
        self.answers.wait(self.delay)
        return self._really("127.0.0.1", port, **more)


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolver]:
    """One that hangs; it is not ours, so it may be replaced."""
    found = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", found)
    yield found
    found.answers.set()
    for thread in left_behind():
        thread.join(20)


def left_behind() -> list[threading.Thread]:
    """The threads whose question has no answer."""
    return [one for one in threading.enumerate() if one.name.startswith("lookup of")]


def test_a_resolver_that_hangs_is_given_up_and_said_so(resolver: Resolver) -> None:
    begun = time.monotonic()
    with pytest.raises(RelayError, match="looked up: the name server did not answer within"):
        Exchange(Server([]).smtp(host="mail.example.org", port=25), connections=1, patience=SHORT).__enter__()
    assert time.monotonic() - begun < 10
    assert resolver.asked == ["mail.example.org"]


def test_a_question_without_an_answer_is_not_asked_again(resolver: Resolver) -> None:
    def attempt(host: str) -> str:
        with pytest.raises(TimeoutError) as told:
            lookup.addresses(host, 25, 0.1)
        return str(told.value)

    with ThreadPoolExecutor(8) as lines:
        assert len(list(lines.map(attempt, ["one.example.org", "two.example.org"] * 8))) == 16
    assert sorted(resolver.asked) == ["one.example.org", "two.example.org"]
    assert len(left_behind()) == 2


def test_when_the_resolver_is_back_the_relay_is_reached(resolver: Resolver) -> None:
    with rude(polite) as server:
        smtp = server.smtp(host="back.example.org")
        with pytest.raises(RelayError, match="could not be looked up"):
            Exchange(smtp, connections=1, patience=SHORT).__enter__()
        resolver.answers.set()
        with Exchange(smtp, connections=1, patience=CALM) as exchange:
            exchange.hand_over(emails(1))
            assert codes(exchange) == all_taken(1)


def test_a_name_is_looked_up_anew_for_each_opening(resolver: Resolver) -> None:
    """A relay moves to another address while the worker runs."""
    resolver.answers.set()
    for _ in range(2):
        assert lookup.addresses("moves.example.org", 25, 20)
    assert resolver.asked == ["moves.example.org"] * 2


def test_looking_up_and_connecting_share_their_time(resolver: Resolver) -> None:
    """Somebody listens who takes no connection: what the name server took, is not waited for once more."""
    resolver.delay = 1.5
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, socket.socket() as first, socket.socket() as second:
        for waits in (first, second):
            waits.setblocking(False)
            waits.connect_ex(full.getsockname())
        smtp = Server([]).smtp(host="slow.example.org", port=full.getsockname()[1])
        begun = time.monotonic()
        with pytest.raises(RelayError, match="timed out"):
            Exchange(smtp, connections=1, patience=replace(CALM, connect=2)).__enter__()
        assert 1.9 < time.monotonic() - begun < 3.2


def test_a_name_that_cannot_be_one_is_refused_in_words() -> None:
    with pytest.raises(RelayError, match="its name is not known"):
        Exchange(Server([]).smtp(host="a" * 64 + ".example.org", port=25), connections=1).__enter__()
