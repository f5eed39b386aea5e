"""The servers the world runs, asked by their own books: every email arrives once, in each way they talk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address

import pytest
from cryptography import x509

from newsletter.delivery.smtp.envelope import Outgoing
from newsletter.delivery.smtp.exchange import Exchange
from newsletter.errors import RelayError
from newsletter.settings import Smtp
from tests.delivery.smtp.crowd import codes, fates
from tests.delivery.smtp.rude import CALM
from tests.delivery.smtp.servers import BIGGEST, WAYS, Server, exim, postfix, sink
from tests.delivery.smtp.talk import SENDER
from tests.delivery.smtp.test_tls import HERE, Papers, papers

HEAD = b"Message-ID: <%d@example.org>\r\nSubject: Hello\r\n\r\n.dot\r\n.\r\n..\r\n"
WHOLE = replace(CALM, greeting=60, command=60, data=60, ending=60, email=120)


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    folder = tmp_path_factory.mktemp("papers")
    made = papers(folder, HERE, x509.IPAddress(ip_address("::1")))
    made.key.chmod(0o644)  # Exim reads it as its own user
    return made


@pytest.fixture(scope="module", params=[postfix, exim])
def server(request: pytest.FixtureRequest, trusted: Papers) -> Iterator[Server]:
    with request.param(trusted.certificate, trusted.key) as running:
        yield running


def emails(way: str, count: int, **odd: str) -> list[Outgoing]:
    """For r0.<way>@example.org and so on; `odd` names other recipients by number."""
    word = way.replace(" ", "-") or "plain"
    return [
        Outgoing(key, SENDER, odd.get(f"r{key}", f"r{key}.{word}@example.org"), HEAD % key + b"line\r\n" * (key * 40))
        for key in range(count)
    ]


def send(smtp: Smtp, what: list[Outgoing], connections: int = 3) -> dict[int, int | None]:
    with Exchange(smtp, connections=connections, patience=WHOLE) as exchange:
        exchange.hand_over(what)
        return codes(exchange)


@pytest.mark.parametrize("way", WAYS)
def test_everything_arrives_once(server: Server, way: str) -> None:
    """Refused, deferred and too big ones in between disturb nobody."""
    before = server.taken()
    odd = {
        "r3": "nobody@example.org",
        "r5": "later@example.org",
        "r11": "nobody@example.org",
        "r12": "nobody@example.org",
    }
    what = emails(way, 60, **odd)
    what[20] = what[20]._replace(content=what[20].content + b"x" * BIGGEST)
    with Exchange(server.smtp(way), connections=3, patience=WHOLE) as exchange:
        exchange.hand_over(what)
        found = fates(exchange)
        assert exchange.problem is None
    refused = {
        key: (reply.code // 100, reply.enhanced, reply.about)
        for key, reply in found.items()
        if reply and reply.code != 250
    }
    nobody = (5, "5.1.1", "recipient")
    assert refused == {3: nobody, 11: nobody, 12: nobody, 5: (4, "4.2.0", "recipient"), 20: (5, "5.3.4", "recipient")}
    assert server.takes(before + Counter(one.recipient for one in what if one.key not in refused))


def test_what_they_offer_is_what_we_think(server: Server) -> None:
    for way in WAYS:
        with Exchange(server.smtp(way), connections=1, patience=WHOLE) as exchange:
            offered = exchange._lines[0].wire.offered
            assert (offered.pipelining, offered.chunking) == ("pipelining" in way, "chunking" in way)
            assert offered.eightbit
            assert offered.size


@pytest.mark.parametrize("way", WAYS)
def test_2_8_a_sender_they_do_not_want_stops_the_relay(server: Server, way: str) -> None:
    before = server.taken()
    what = [one._replace(sender="stranger@example.org") for one in emails(way, 30)]
    with Exchange(server.smtp(way), connections=1, patience=WHOLE) as exchange:
        exchange.hand_over(what)
        found = fates(exchange)
        assert exchange.problem is not None
        assert "5.7.1" in exchange.problem.happened
    told = {reply.about for reply in found.values() if reply}
    assert told == {"session"}
    assert sum(reply is None for reply in found.values()) >= 25
    assert server.takes(before)


def test_under_tls(server: Server, trusted: Papers, monkeypatch: pytest.MonkeyPatch) -> None:
    smtp = server.smtp("pipelining chunking", starttls="require")
    with pytest.raises(RelayError, match="certificate is not trusted"):
        send(smtp, [])
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted.certificate))
    before = server.taken()
    what = emails("tls", 30)
    assert send(smtp, what) == dict.fromkeys(range(30), 250)
    assert server.takes(before + Counter(one.recipient for one in what))


@pytest.fixture(scope="module")
def sparing(trusted: Papers) -> Iterator[Server]:
    """Exim that hangs up after seven emails on one connection, and lets Bob sign in under TLS."""
    with exim(trusted.certificate, trusted.key, most=7) as running:
        yield running


@pytest.mark.parametrize("way", WAYS)
def test_a_relay_that_hangs_up_after_seven_emails(sparing: Server, way: str) -> None:
    before = sparing.taken()
    what = emails(way, 50)
    assert send(sparing.smtp(way), what, connections=2) == dict.fromkeys(range(50), 250)
    assert sparing.takes(before + Counter(one.recipient for one in what))


@pytest.mark.parametrize("auth", ["", "plain", "login"])
def test_signing_in(sparing: Server, auth: str) -> None:
    smtp = sparing.smtp("pipelining", starttls="auto", username="bob", password="right", auth=auth)
    assert send(smtp, emails(f"auth{auth}", 3)) == {0: 250, 1: 250, 2: 250}
    with pytest.raises(RelayError, match="cannot be used: 535") as refused:
        send(replace(smtp, password="wr0ng!"), [])
    assert "wr0ng!" not in str(refused.value)


@pytest.mark.parametrize("options", [(), ("-p",), ("-8",), ("-e",)])
def test_the_sink(options: tuple[str, ...]) -> None:
    with sink(*options) as smtp:
        assert send(smtp, emails("sink", 100), connections=4) == dict.fromkeys(range(100), 250)


@pytest.mark.parametrize("command", ["mail", "rcpt", "data", "."])
def test_a_sink_that_says_421_and_hangs_up(command: str) -> None:
    with sink("-Q", command) as smtp, Exchange(smtp, connections=2, patience=WHOLE) as exchange:
        exchange.hand_over(emails("closing", 10))
        found = codes(exchange)
    assert set(found.values()) <= {421, None}
    assert 421 in found.values()
    assert (exchange.problem is None) == (command == ".")


@pytest.mark.parametrize("command", ["mail", "rcpt", "data"])
def test_a_sink_that_hangs_up_without_a_word(command: str) -> None:
    with sink("-q", command) as smtp, Exchange(smtp, connections=2, patience=WHOLE) as exchange:
        exchange.hand_over(emails("silent", 10))
        found = codes(exchange)
    assert set(found.values()) <= {451, None}
    assert exchange.problem is not None


def test_a_sink_that_hangs_up_after_the_end_of_the_data() -> None:
    with sink("-q", ".") as smtp, Exchange(smtp, connections=1, patience=WHOLE) as exchange:
        exchange.hand_over(emails("lost", 10))
        found = Counter(codes(exchange).values())
    assert found == {0: 3, None: 7}
