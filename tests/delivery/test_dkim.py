"""Every email is DKIM-signed (semantics 2.13); another implementation (dkimpy) verifies it."""

from __future__ import annotations

from datetime import UTC, datetime

import dkim as other
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.delivery import dkim
from newsletter.delivery.dkim import Signer

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


def verdicts(message: bytes) -> list[bool]:
    """What dkimpy says to each signature."""
    return [_verifies(message, number) for number in (0, 1)]


def _verifies(message: bytes, number: int) -> bool:
    try:
        return bool(other.DKIM(message).verify(idx=number, dnsfunc=dns))
    except other.ValidationError:
        return False


def test_2_13_both_signatures_verify() -> None:
    assert verdicts(dkim.signed(MESSAGE, SIGNERS, NOW)) == [True, True]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([b" ", b"\t", b"a", b".", b"\r\n", b"=20", b"  b "]), max_size=30))
def test_any_body_verifies(pieces: list[bytes]) -> None:
    head = MESSAGE.partition(b"\r\n\r\n")[0]
    body = b"".join(pieces) + b"\r\n"  # as every email ends on the wire
    assert verdicts(dkim.signed(head + b"\r\n\r\n" + body, SIGNERS, NOW)) == [True, True]


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
def test_a_change_on_the_way_or_an_added_header_breaks_them(before: bytes, after: bytes) -> None:
    signed = dkim.signed(MESSAGE, SIGNERS, NOW)
    assert before in signed
    assert verdicts(signed.replace(before, after, 1)) == [False, False]


def test_lines_stay_short_enough_for_every_relay() -> None:
    assert max(len(line) for line in dkim.signed(MESSAGE, SIGNERS, NOW).split(b"\r\n")) <= 100


def test_a_key_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="neither"):
        dkim.from_pem(dkim.to_pem(generate_private_key(SECP256R1())))  # type: ignore[arg-type]
