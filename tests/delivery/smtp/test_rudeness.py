"""Servers that break the line, drip, sleep or refuse: nothing is lost, nothing goes twice, nobody waits for ever."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from newsletter.delivery.rules import Reply
from newsletter.delivery.smtp.exchange import Exchange
from newsletter.errors import RelayError
from tests.delivery.peer import free_port
from tests.delivery.smtp.crowd import LONG, all_taken, codes, emails, fates, send, then
from tests.delivery.smtp.rude import CALM, Line, polite, rude
from tests.delivery.smtp.talk import email
from tests.delivery.smtp.test_exchange import three_and_gone


def drip(line: Line) -> None:
    """Bytes come, but never a line."""
    while True:
        line.socket.sendall(b"2")
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (Line.nothing, "timed out"),
        (drip, "timed out"),
        (Line.hang_up, "hung up"),
        (lambda line: line.say("554 5.7.1 you are on a list"), "554 5.7.1 you are on a list"),
        (lambda line: line.say("421 too many connections"), "421 too many connections"),
        (lambda line: line.say("HTTP/1.1 400 Bad Request"), "no SMTP: 'HTTP/1.1 400 Bad Request'"),
        (lambda line: line.say("220-and so on" * 400), "no SMTP"),
        (lambda line: (line.say("220 hi"), line.nothing()), "timed out"),
    ],
)
def test_a_server_that_does_not_let_us_in(script: Callable[[Line], None], why: str) -> None:
    begun = time.monotonic()
    waits = replace(CALM, greeting=1)
    with rude(script) as server, pytest.raises(RelayError) as refused:
        send(server, 1, patience=waits)
    assert why in refused.value.happened
    assert refused.value.means
    assert refused.value.remedy
    assert time.monotonic() - begun < 25


def after_mail(line: Line) -> None:
    line.envelope()
    line.say("250 OK")


@pytest.mark.parametrize(
    ("script", "told"),
    [
        (then(Line.nothing), "timed out"),
        (then(lambda line: (line.envelope(), drip(line))), "timed out"),
        (then(lambda line: (after_mail(line), line.nothing())), "timed out"),
        (then(after_mail), "hung up"),
        (then(lambda line: (after_mail(line), line.say("250 OK"))), "hung up"),
        (then(lambda line: (after_mail(line), line.say("what?"))), "no SMTP: 'what?'"),
        (then(lambda line: (after_mail(line), line.say("250", "250"))), "250"),
        (then(lambda line: (line.envelope(), line.say("354"))), "354"),
        (then(lambda line: (line.envelope(), line.say("250", "250", "354 go"), line.socket.recv(1))), "broke"),
    ],
)
def test_2_8_a_line_that_breaks_before_the_end_of_the_data_loses_nothing_and_blames_nobody(
    script: Callable[[Line], None], told: str
) -> None:
    """Tried again over other connections, and then given back; the last case breaks in the middle of the content."""
    waits = replace(CALM, command=0.7)
    with rude(script) as server, Exchange(server.smtp(), connections=1, patience=waits) as exchange:
        long = [email(key, LONG * 2000) for key in (1, 2)]
        exchange.hand_over(long)
        found = fates(exchange)
        assert server.connections == 3
    assert found[2] is None
    assert exchange.problem is not None
    assert told in str(exchange.problem)
    first = found[1]
    assert first is not None
    assert (first.code, first.enhanced, first.about) == (451, "4.4.2", "session")
    assert server.taken == []


@pytest.mark.parametrize(
    ("ending", "why"),
    [
        (Line.hang_up, "hung up"),
        (Line.nothing, "timed out"),
        (drip, "timed out"),
        (lambda line: line.say("thank you"), "no SMTP: 'thank you'"),
        (lambda line: line.say("354 more"), "354"),
    ],
)
def test_2_4_an_answer_lost_after_the_end_of_the_data_is_unknown_and_never_tried_again(
    ending: Callable[[Line], None], why: str
) -> None:
    def script(line: Line) -> None:
        line.greet()
        recipient = line.envelope()
        line.say("250 OK", "250 OK", "354 go on")
        line.server.taken.append((recipient, line.until(b"\r\n.\r\n")))
        ending(line)

    with (
        rude(script, polite) as server,
        Exchange(server.smtp(), connections=1, patience=replace(CALM, ending=0.7)) as exchange,
    ):
        exchange.hand_over(emails(3))
        found = fates(exchange)
    lost = found.pop(1)
    assert lost is not None
    assert lost.code == 0
    assert why in lost.text
    assert {key: reply and reply.code for key, reply in found.items()} == {2: 250, 3: 250}
    assert server.to == ["r1@example.org", "r2@example.org", "r3@example.org"]


def test_a_relay_that_loses_every_answer_is_not_given_everybody() -> None:
    def script(line: Line) -> None:
        line.greet()
        line.envelope()
        line.say("250 OK", "250 OK", "354 go on")
        line.until(b"\r\n.\r\n")

    with rude(script) as server, Exchange(server.smtp(), connections=1, patience=CALM) as exchange:
        exchange.hand_over(emails(20))
        found = codes(exchange)
        assert "broke 3 times" in str(exchange.problem)
        exchange.hand_over(emails(1))
        assert codes(exchange) == {1: None}
    assert Counter(found.values()) == {0: 3, None: 17}


def test_a_relay_that_does_not_read_does_not_hold_us_for_ever() -> None:
    def script(line: Line) -> None:
        line.greet()
        line.envelope()
        line.say("250 OK", "250 OK", "354 go on")
        for _ in range(200):
            if line.server.connections > 1:
                return
            time.sleep(0.1)

    begun = time.monotonic()
    with (
        rude(script, polite) as server,
        Exchange(server.smtp(), connections=1, patience=replace(CALM, data=0.7)) as exchange,
    ):
        exchange.hand_over([email(1, LONG * 2000)])
        assert codes(exchange) == {1: 250}
        assert server.connections == 2
    assert time.monotonic() - begun < 18


def test_one_email_has_its_own_deadline_however_many_answers_trickle() -> None:
    def script(line: Line) -> None:
        line.greet()
        line.envelope()
        for _ in range(300):
            line.say("250-still", "250-thinking")
            time.sleep(0.1)

    begun = time.monotonic()
    with rude(script) as server:
        assert send(server, 1, patience=replace(CALM, email=0.7)) == {1: 451}
    assert time.monotonic() - begun < 30


def test_one_email_that_breaks_the_line_each_time_does_not_stop_the_others() -> None:
    def allergic(line: Line) -> None:
        line.greet()
        while True:
            recipient = line.envelope()
            if recipient == "r3@example.org":
                line.hang_up()
            line.say("250 OK", "250 OK", "354 go on")
            line.server.taken.append((recipient, line.until(b"\r\n.\r\n")))
            line.say("250 OK")

    with rude(allergic) as server, Exchange(server.smtp(), connections=1, patience=CALM) as exchange:
        exchange.hand_over(emails(2))
        assert codes(exchange) == {1: 250, 2: 250}
        exchange.hand_over(emails(6)[2:])
        found = codes(exchange)
    assert found[3] in {451, None}
    assert [key for key in (4, 5, 6) if found[key] not in {250, None}] == []


@pytest.mark.parametrize("where", ["mail", "rcpt"])
def test_421_to_each_envelope_is_an_answer_after_the_second(where: str) -> None:
    def script(line: Line) -> None:
        line.greet()
        line.envelope()
        if where == "rcpt":
            line.say("250 OK")
        line.say("421 4.7.0 too fast")

    with rude(script) as server, Exchange(server.smtp(), connections=1, patience=CALM) as exchange:
        exchange.hand_over(emails(3))
        found = fates(exchange)
    assert found[1] == Reply(421, "4.7.0", "4.7.0 too fast", "session")
    assert found[3] is None
    assert exchange.problem is not None


def test_2_8_a_relay_that_refuses_us_is_left_alone() -> None:
    def script(line: Line) -> None:
        line.greet()
        line.take(2)
        line.envelope()
        line.say("250 OK", "554 5.7.1 relay access denied", "554 5.5.1 no valid recipients")
        line.take()

    with rude(script) as server, Exchange(server.smtp(), connections=1, patience=CALM) as exchange:
        exchange.hand_over(emails(9))
        assert codes(exchange) == all_taken(2) | {3: 554} | dict.fromkeys(range(4, 10))
        assert "refuses us: 554 5.7.1" in str(exchange.problem)
    assert server.to == ["r1@example.org", "r2@example.org"]


def test_a_relay_that_goes_away_gives_back_what_had_not_begun() -> None:
    port = free_port()
    with rude(three_and_gone) as server, Exchange(server.smtp(), connections=1, patience=CALM) as exchange:
        port = server.port
        exchange.hand_over(emails(3))
        assert codes(exchange) == all_taken(3)
    with pytest.raises(RelayError, match=r"cannot be used: Connection refused\."):
        Exchange(server.smtp(port=port), connections=1, patience=CALM).__enter__()
