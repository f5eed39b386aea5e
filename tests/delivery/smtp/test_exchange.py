"""Several connections against servers that behave badly: nothing is lost, nothing goes twice, nobody waits for ever."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from newsletter.delivery.rules import Reply
from newsletter.delivery.smtp.connection import Patience
from newsletter.delivery.smtp.envelope import Outgoing
from newsletter.delivery.smtp.exchange import Exchange
from newsletter.errors import RelayError
from tests.delivery.peer import free_port
from tests.delivery.smtp.rude import CALM, Line, Server, polite, rude
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


def test_everything_arrives_once_and_as_it_was() -> None:
    with rude(polite) as server:
        assert send(server, 200, connections=4) == all_taken(200)
        assert Counter(server.to) == Counter(f"r{key}@example.org" for key in range(1, 201))
        assert {content.partition(b"\r\n\r\n")[2] for _, content in server.taken} == {b".dot\r\n"}
        assert server.connections == 4


def test_connections_are_opened_as_they_are_needed() -> None:
    with rude(polite) as server, Exchange(server.smtp(), connections=9, patience=CALM) as exchange:
        for _ in range(3):
            exchange.hand_over(emails(1))
            assert codes(exchange) == {1: 250}
        assert server.connections == 1
        exchange.hand_over(emails(60))
        assert codes(exchange) == all_taken(60)
        assert server.connections > 4


def test_fewer_connections_when_the_budget_shrinks() -> None:
    with rude(polite) as server:
        with Exchange(server.smtp(), connections=4, patience=CALM) as exchange:
            exchange.hand_over(emails(60))
            exchange.keep(1)
            assert codes(exchange) == all_taken(60)
            until = time.monotonic() + 20
            while server.goodbyes < server.connections - 1 and time.monotonic() < until:
                exchange.answers(0.05)
                time.sleep(0.01)
            exchange.hand_over(emails(2))
            assert codes(exchange) == all_taken(2)
            assert server.goodbyes == server.connections - 1 > 1
            exchange.keep(0)
            exchange.hand_over(emails(1))
            assert codes(exchange) == {1: None}
        assert server.goodbyes == server.connections, "leaving says goodbye"


def three_and_421(line: Line) -> None:
    line.greet()
    line.take(3)
    line.command()
    line.say("421 4.7.0 enough for one connection")


def three_and_gone(line: Line) -> None:
    line.greet()
    line.take(3)


def three_in_flight_and_421(line: Line) -> None:
    line.greet("PIPELINING", "CHUNKING")
    for number in range(4):
        said = line.command()
        if number == 3:
            line.say("421 4.7.0 enough for one connection")
            return
        assert said.startswith("MAIL")
        recipient = line.command().partition("<")[2].rstrip(">")
        _, size, last = line.command().split()
        assert last == "LAST"
        while len(line.heard) < int(size):
            line.heard += line.socket.recv(65536)
        del line.heard[: int(size)]
        line.server.taken.append((recipient, b""))
        line.say("250 OK", "250 OK", "250 OK")


@pytest.mark.parametrize("script", [three_and_421, three_and_gone, three_in_flight_and_421])
@pytest.mark.parametrize("connections", [1, 3])
def test_a_relay_that_closes_after_some_emails_just_works(script: Callable[[Line], None], connections: int) -> None:
    with rude(script) as server:
        assert send(server, 31, connections=connections) == all_taken(31)
        assert Counter(server.to) == Counter(f"r{key}@example.org" for key in range(1, 32))
        assert server.connections >= 10


def test_a_relay_that_allows_one_connection_only_is_used_with_one() -> None:
    def full(line: Line) -> None:
        line.say("421 4.7.0 too many connections")

    with rude(polite, full) as server:
        assert send(server, 40, connections=5) == all_taken(40)
        assert Counter(server.to).most_common(1)[0][1] == 1


def test_a_connection_that_sleeps_too_long_is_replaced() -> None:
    def sleepy(line: Line) -> None:
        line.greet()
        line.take(1)
        line.say("421 4.4.2 timeout")

    with (
        rude(sleepy, three_and_gone, polite) as server,
        Exchange(server.smtp(), connections=1, patience=CALM) as exchange,
    ):
        for _ in range(6):
            exchange.hand_over(emails(1))
            assert codes(exchange) == {1: 250}
            exchange.answers(0.05)
        assert exchange.problem is None


def test_a_connection_that_was_closed_while_idle_makes_no_email_uncertain() -> None:
    """With CHUNKING the whole email would leave at once, into a connection that is gone."""
    gone = threading.Event()

    def brief(line: Line) -> None:
        line.greet("PIPELINING", "CHUNKING")
        line.socket.close()
        gone.set()

    with rude(brief, polite) as server, Exchange(server.smtp(), connections=1, patience=CALM) as exchange:
        assert gone.wait(20)
        time.sleep(0.1)
        exchange.hand_over(emails(2))
        assert codes(exchange) == {1: 250, 2: 250}


def test_leaving_in_the_middle_opens_nothing_new() -> None:
    with rude(then(Line.nothing)) as server:
        with Exchange(server.smtp(), connections=2, patience=CALM) as exchange:
            exchange.hand_over(emails(9))
            exchange.answers(0.2)
            before = server.connections
        assert server.connections == before
        assert server.taken == []


def drip(line: Line) -> None:
    """Bytes come, but never a line."""
    while True:
        line.socket.sendall(b"2")
        time.sleep(0.05)


def then(script: Callable[[Line], None]) -> Callable[[Line], None]:
    def greeted(line: Line) -> None:
        line.greet()
        script(line)

    return greeted


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
        time.sleep(3)

    with (
        rude(script, polite) as server,
        Exchange(server.smtp(), connections=1, patience=replace(CALM, data=0.7)) as exchange,
    ):
        exchange.hand_over([email(1, LONG * 2000)])
        assert codes(exchange) == {1: 250}
        assert server.connections == 2


def test_one_email_has_its_own_deadline_however_many_answers_trickle() -> None:
    def script(line: Line) -> None:
        line.greet()
        line.envelope()
        for _ in range(40):
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


def test_every_address_of_a_name_is_tried() -> None:
    """Where localhost is ::1 first, nobody listens there."""
    with rude(polite) as server, Exchange(server.smtp(host="localhost"), connections=1, patience=CALM) as exchange:
        exchange.hand_over(emails(2))
        assert codes(exchange) == all_taken(2)


def test_a_name_that_nobody_knows() -> None:
    with pytest.raises(RelayError, match="its name is not known"):
        Exchange(Server([]).smtp(host="nowhere.invalid", port=25), connections=1).__enter__()


def test_nothing_to_wait_for_does_not_wait() -> None:
    with rude(polite) as server, Exchange(server.smtp(), connections=1, patience=CALM) as exchange:
        begun = time.monotonic()
        assert exchange.answers(30) == []
        assert time.monotonic() - begun < 15


def test_leaving_does_not_wait_for_a_server_that_says_no_goodbye() -> None:
    with rude(then(Line.nothing)) as server:
        begun = time.monotonic()
        with Exchange(server.smtp(), connections=1, patience=replace(CALM, goodbye=0.3)) as exchange:
            exchange.hand_over(emails(1))
        assert time.monotonic() - begun < 15
