"""SMTP against a real server: what it answers is what the ledger hears; a lost answer is never taken for a refusal."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from newsletter.delivery.rules import Reply
from newsletter.delivery.smtp.connection import Patience
from newsletter.delivery.transports import Transport, exchange
from newsletter.errors import RelayError
from newsletter.settings import Smtp
from tests.delivery.peer import Peer, free_port, serving
from tests.people import ALICE, BOB

CONTENT = b"Message-ID: <1@example.org>\r\nSubject: Hello\r\n\r\nLine\r\n.dot\r\n..two\r\n\r\nEnd\r\n"


@pytest.fixture
def peer() -> Iterator[Peer]:
    with serving(Peer()) as made:
        yield made


def send(smtp: Smtp, *recipients: str, patience: float = 10) -> list[Reply]:
    waits = Patience(greeting=10, command=10, data=10, ending=patience, email=20)
    with Transport(exchange(smtp, patience=waits)) as transport:
        return [transport.send("studio@example.org", to, "<1@example.org>", CONTENT) for to in recipients]


def test_taken_bytes_arrive_as_they_were_and_one_connection_serves_all(peer: Peer) -> None:
    replies = send(peer.smtp(), ALICE, BOB)
    assert [(reply.code, reply.enhanced) for reply in replies] == [(250, "2.0.0"), (250, "2.0.0")]
    assert peer.to == [ALICE, BOB]
    assert peer.taken[0][1].get_content().splitlines() == ["Line", ".dot", "..two", "", "End"]
    assert peer.sessions == 1


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        ("450 4.2.0 Greylisted, come back", Reply(450, "4.2.0", "4.2.0 Greylisted, come back")),
        ("550 5.1.1 No such user", Reply(550, "5.1.1", "5.1.1 No such user")),
        ("550 No", Reply(550, "", "No")),
    ],
)
def test_2_8_a_refused_recipient_does_not_disturb_the_next(peer: Peer, answer: str, wanted: Reply) -> None:
    peer.recipients[BOB] = answer
    first, second = send(peer.smtp(), BOB, ALICE)
    assert first == wanted
    assert (second.code, peer.to) == (250, [ALICE])


def test_2_8_a_refused_sender_is_about_us(peer: Peer) -> None:
    peer.sender = "550 5.7.1 You may not send"
    (reply,) = send(peer.smtp(), ALICE)
    assert (reply.code, reply.enhanced, reply.about) == (550, "5.7.1", "session")


def test_2_8_policy_after_the_data_stops_the_relay(peer: Peer) -> None:
    peer.data = ["550 5.7.1 Looks like spam"]
    with pytest.raises(RelayError, match=r"refuses us: 550 5\.7\.1"):
        send(peer.smtp(), ALICE, BOB)
    assert peer.taken == []


@pytest.mark.parametrize("answer", ["552 5.2.3 Too long for this mailbox", "451 4.3.0 Try again"])
def test_2_8_content_refused_after_the_data(peer: Peer, answer: str) -> None:
    peer.data = [answer]
    first, second = send(peer.smtp(), ALICE, BOB)
    assert (f"{first.code} {first.text}", second.code) == (answer, 250)


@pytest.mark.parametrize("how", ["hang up", "nonsense"])
def test_2_4_an_answer_that_is_lost_is_no_answer(peer: Peer, how: str) -> None:
    peer.data = [how]
    first, second = send(peer.smtp(), ALICE, BOB)
    assert first.code == 0
    assert second.code == 250, "the next one gets a new connection"
    assert peer.to == [ALICE, BOB]


def test_2_4_a_server_that_takes_too_long_may_have_taken_the_email(peer: Peer) -> None:
    peer.delay = 1.5
    (reply,) = send(peer.smtp(), ALICE, patience=0.4)
    assert reply.code == 0
    assert "timed out" in reply.text


@pytest.mark.filterwarnings("ignore:Requiring AUTH")  # on loopback; TLS has its own tests
def test_signing_in() -> None:
    with serving(Peer(), sign_in=True) as peer:
        (reply,) = send(peer.smtp(username="bob", password="right"), ALICE)
        assert reply.code == 250
        with pytest.raises(RelayError, match="cannot be used: 535") as refused:
            send(peer.smtp(username="bob", password="wr0ng!"), ALICE)
        assert "wr0ng!" not in str(refused.value)
        assert refused.value.remedy
        (without,) = send(peer.smtp(), ALICE)
        assert (without.code, without.about) == (530, "session")


def test_starttls_that_is_required_and_missing_stops_before_any_password(peer: Peer) -> None:
    with pytest.raises(RelayError, match="STARTTLS"):
        send(peer.smtp(starttls="require", username="bob", password="right"), ALICE)
    assert peer.taken == []


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(RelayError, match="cannot be used"):
        send(Smtp("127.0.0.1", free_port(), "", "", False, "never"), ALICE)
