"""Every email is DKIM-signed (semantics 2.13); two other implementations (dkimpy and OpenDKIM) verify it."""

from __future__ import annotations

from datetime import UTC, datetime

import dkim as other
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from dkim.canonicalization import Relaxed
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.delivery import dkim
from newsletter.delivery.dkim import Signer
from newsletter.messages.compiling import Rendered
from newsletter.messages.mime import Envelope, assemble, build
from newsletter.messages.segments import Segments

from .opendkim import OpenDkim

NOW = datetime(2026, 3, 2, 7, 0, tzinfo=UTC)
KEYS = dkim.new_keys()
SIGNERS = [Signer("example.org", f"supple-{kind}", dkim.from_pem(dkim.to_pem(key))) for kind, key in KEYS.items()]
MESSAGE = (
    b"Date: Mon, 02 Mar 2026 07:00:00 +0000\r\nFrom: Your Studio <studio@example.org>\r\n"
    b"To: Alice <alice@example.org>\r\nSubject: A long   subject that is\r\n folded \r\n"
    b"Message-ID: <1@example.org>\r\nList-Unsubscribe: <https://example.org/unsubscribe/x>\r\n\r\n"
    b"Hello  there \t\r\n\r\nBye.  \r\n\r\n\r\n"
)


def dns(name: bytes, timeout: int = 5) -> bytes:
    """The records as an operator publishes them."""
    selector = name.decode().split("._domainkey.")[0]
    return next(signer.record() for signer in SIGNERS if signer.selector == selector).encode()


@pytest.fixture(scope="module")
def opendkim(tmp_path_factory: pytest.TempPathFactory) -> OpenDkim:
    """The second judge, who knows the same records."""
    records = {f"{signer.selector}._domainkey.{signer.domain}": signer.record() for signer in SIGNERS}
    return OpenDkim(records, tmp_path_factory.mktemp("opendkim"))


def verdicts(message: bytes, opendkim: OpenDkim) -> list[bool]:
    """What dkimpy says to each signature, and then OpenDKIM."""
    second = opendkim.verdicts(message)
    return [*(_verifies(message, number) for number in (0, 1)), *(second[signer.selector] for signer in SIGNERS)]


def _verifies(message: bytes, number: int) -> bool:
    try:
        return bool(other.DKIM(message).verify(idx=number, dnsfunc=dns))
    except other.ValidationError:
        return False


def test_2_13_both_signatures_verify(opendkim: OpenDkim) -> None:
    assert verdicts(dkim.signed(MESSAGE, SIGNERS, NOW), opendkim) == [True] * 4


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([b" ", b"\t", b"a", b".", b"\r\n", b"=20", b"  b "]), max_size=30))
def test_any_body_verifies(opendkim: OpenDkim, pieces: list[bytes]) -> None:
    head = MESSAGE.partition(b"\r\n\r\n")[0]
    body = b"".join(pieces) + b"\r\n"  # as every email ends on the wire
    assert verdicts(dkim.signed(head + b"\r\n\r\n" + body, SIGNERS, NOW), opendkim) == [True] * 4


words = st.text(max_size=90) | st.text(alphabet=" .\tab=\n\u00e4\U0001f600", max_size=200)


@settings(max_examples=60, deadline=None)
@given(name=words, subject=words, html=st.lists(words, max_size=4), text=st.lists(words, max_size=4))
def test_2_13_any_email_verifies_as_it_is_made(
    opendkim: OpenDkim, name: str, subject: str, html: list[str], text: list[str]
) -> None:
    envelope = Envelope(
        message_id="<1@example.org>",
        date=NOW,
        sender=("Your Studio", "studio@example.org"),
        recipient=(name, "alice@example.org"),
        list_unsubscribe_url="https://example.org/unsubscribe/" + "x" * 150,
        list_unsubscribe_mailto="studio@example.org?subject=unsubscribe",
        list_id="<newsletter.example.org>",
        attachments=[(name, "application/pdf", b"%PDF")],
    )
    message = assemble(Rendered(subject, "", Segments.of(*html), Segments.of(*text)), envelope)
    assert message.body == Relaxed.canonicalize_body(message.body)
    sealed = dkim.sealed(message, SIGNERS, NOW)
    assert verdicts(sealed, opendkim) == [True] * 4
    assert sealed == dkim.signed(bytes(message), SIGNERS, NOW)


def test_2_14_without_keys_an_email_is_the_bytes_it_was_built_of() -> None:
    rendered = Rendered("Hello", "", Segments.of("<p>x</p>\n"), Segments.of("x\n"))
    envelope = Envelope("<1@example.org>", NOW, ("", "studio@example.org"), ("", "alice@example.org"))
    assert dkim.sealed(assemble(rendered, envelope), [], NOW) == build(rendered, envelope)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"Bye.", b"Pay."),
        (b"Subject: A long", b"Subject: Another"),
        (b"From: Your Studio", b"From: Charlie"),
        (b"To: Alice", b"Subject: added\r\nTo: Alice"),
        (b"To: Alice", b"From: charlie@example.org\r\nTo: Alice"),
    ],
)
def test_a_change_on_the_way_or_an_added_header_breaks_them(opendkim: OpenDkim, before: bytes, after: bytes) -> None:
    signed = dkim.signed(MESSAGE, SIGNERS, NOW)
    assert before in signed
    assert verdicts(signed.replace(before, after, 1), opendkim) == [False] * 4


def test_a_field_that_stands_twice_is_signed_twice(opendkim: OpenDkim) -> None:
    twice = b"List-Id: <one.example.org>\r\nReply-To: a@example.org\r\nList-Id: <two.example.org>\r\n" + MESSAGE
    signed = dkim.signed(twice, SIGNERS, NOW)
    assert verdicts(signed, opendkim) == [True] * 4
    assert verdicts(signed.replace(b"<one.", b"<three."), opendkim) == [False] * 4


def test_lines_stay_short_enough_for_every_relay() -> None:
    assert max(len(line) for line in dkim.signed(MESSAGE, SIGNERS, NOW).split(b"\r\n")) <= 100


def test_a_key_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="neither"):
        dkim.from_pem(dkim.to_pem(generate_private_key(SECP256R1())))  # type: ignore[arg-type]
