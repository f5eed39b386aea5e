"""TLS as SMTP_URL says: a certificate that is not the relay's own stops everything before a password is said."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from newsletter import clock
from newsletter.delivery.smtp.exchange import Exchange
from newsletter.errors import RelayError
from newsletter.settings import Smtp
from tests.delivery.smtp.crowd import LONG, codes
from tests.delivery.smtp.rude import CALM, Line, rude
from tests.delivery.smtp.talk import email


@dataclass
class Papers:
    """A certificate for some names, in files as OpenSSL wants them."""

    certificate: Path
    key: Path

    @property
    def context(self) -> ssl.SSLContext:
        """The server's side."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context


def papers(folder: Path, *names: x509.GeneralName) -> Papers:
    """A self-signed certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "rude.example.org")])
    now = clock.now()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    made = Papers(folder / "certificate.pem", folder / "key.pem")
    made.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    made.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return made


HERE = x509.IPAddress(ip_address("127.0.0.1"))
ELSEWHERE = x509.DNSName("elsewhere.example.org")


def starttls(context: ssl.SSLContext) -> Callable[[Line], None]:
    def script(line: Line) -> None:
        line.say("220 hi")
        line.command()
        line.hello("STARTTLS", "PIPELINING")
        assert line.command() == "STARTTLS"
        line.say("220 go on")
        line.start_tls(context)
        line.command()
        line.hello("PIPELINING", "AUTH PLAIN")
        serve(line)

    return script


def implicit(context: ssl.SSLContext) -> Callable[[Line], None]:
    def script(line: Line) -> None:
        line.start_tls(context)
        line.greet("PIPELINING", "AUTH PLAIN")
        serve(line)

    return script


def serve(line: Line) -> None:
    said = line.command()
    if said.startswith("AUTH PLAIN"):
        line.server.taken.append((said, b""))
        line.say("235 welcome")
    else:
        line.heard = bytearray(f"{said}\r\n".encode()) + line.heard
    line.take()


def send(smtp: Smtp, count: int = 3) -> dict[int, int | None]:
    with Exchange(smtp, connections=2, patience=CALM) as exchange:
        exchange.hand_over([email(key, LONG) for key in range(1, count + 1)])
        return codes(exchange)


@pytest.mark.parametrize("way", [starttls, implicit])
def test_a_trusted_relay_gets_the_password_and_the_emails(
    way: Callable[[ssl.SSLContext], Callable[[Line], None]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = papers(tmp_path, HERE)
    monkeypatch.setenv("SSL_CERT_FILE", str(made.certificate))
    with rude(way(made.context)) as server:
        secure = {"starttls": "never", "implicit_tls": True} if way is implicit else {"starttls": "require"}
        smtp = server.smtp(username="bob", password="right", **secure)
        assert send(smtp, 40) == dict.fromkeys(range(1, 41), 250)
        emails = [content for recipient, content in server.taken if "@" in recipient]
        assert len(emails) == 40
        assert set(emails) == {LONG}


@pytest.mark.parametrize("way", [starttls, implicit])
@pytest.mark.parametrize(("name", "trusted"), [(HERE, False), (ELSEWHERE, True)])
def test_a_certificate_of_somebody_else_stops_everything(
    way: Callable[[ssl.SSLContext], Callable[[Line], None]],
    name: x509.GeneralName,
    trusted: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = papers(tmp_path, name)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(made.certificate))
    with rude(way(made.context)) as server:
        secure = {"starttls": "never", "implicit_tls": True} if way is implicit else {"starttls": "require"}
        with pytest.raises(RelayError, match="its certificate is not trusted") as refused:
            send(server.smtp(username="bob", password="right", **secure))
        assert server.taken == []
    assert "IP address mismatch" in refused.value.happened if trusted else "self-signed" in refused.value.happened


def test_on_this_machine_any_certificate_will_do_unless_asked(tmp_path: Path) -> None:
    with rude(starttls(papers(tmp_path, ELSEWHERE).context)) as server:
        assert send(server.smtp(starttls="auto")) == {1: 250, 2: 250, 3: 250}


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (lambda line: line.hang_up(), "TLS failed|hung up|Connection reset|EOF"),
        (lambda line: line.say("and now in the clear"), "TLS failed|in the clear"),
        (lambda line: line.nothing(), "timed out"),
    ],
)
def test_tls_that_fails(script: Callable[[Line], None], why: str) -> None:
    def begin(line: Line) -> None:
        line.say("220 hi")
        line.command()
        line.hello("STARTTLS")
        line.command()
        line.say("220 go on")
        script(line)

    quick = CALM.__class__(greeting=1)
    with rude(begin) as server, pytest.raises(RelayError, match=why):
        Exchange(server.smtp(starttls="auto"), connections=1, patience=quick).__enter__()


def test_what_is_no_tls_at_all() -> None:
    with rude(lambda line: line.greet()) as server, pytest.raises(RelayError, match="TLS failed"):
        send(server.smtp(implicit_tls=True))
