"""Tokens: what was signed is read, anything else is refused with one of two errors."""

from __future__ import annotations

import hmac
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter import tokens
from newsletter.errors import ExpiredToken, InvalidToken
from newsletter.tokens import Purpose
from tests.conftest import SECRET

NOW = datetime(2026, 3, 4, 9, 30, 15, tzinfo=UTC)
SAFE = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
ids = st.lists(st.integers(0, 2**40 - 1), max_size=5)
purposes = st.sampled_from(Purpose)
moments = st.datetimes(datetime(1970, 1, 2), datetime(2105, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))  # noqa: DTZ001


# Made by the first release. Links in emails of years ago must go on working, so these never change.
MADE_BEFORE = [
    (Purpose.CONFIRM, (1,), "2026-03-04T09:30:15+00:00", "wddTPaLiJmJOI_OcwxhJ6G5RaIzGcsp0Ww"),
    (Purpose.DOWNLOAD, (7, 12), "2026-03-04T09:30:15.999999+00:00", "k5EqGCkIWgWBcCW9-ptRFgtfa0VCZQJTA7gNDF2g"),
    (Purpose.UNSUBSCRIBE, (2**40 - 1, 0), "1970-01-01T00:00:00+00:00", "kGzhXJQkIML1AcVsLGgjTh6arQ-xc0jPUz3e0xqm"),
    (Purpose.PREFERENCES, (123456789,), "2106-02-07T06:28:15+00:00", "lx4ZkWP_kAK2mDyHWqpiXUfSEMIivah_jQ"),
    (
        Purpose.FORM,
        (1, 2, 3, 4, 5),
        "2030-01-01T00:00:00+00:00",
        "B28pTNPxmsmgeLbwmiVVTlGpXTF2wj1pLR49XkRFsR1rFBZwo3RFDX8eAu7b",
    ),
    (Purpose.SETUP, (), "2026-03-04T00:00:00+00:00", "p0LvDoch5v_KN_AeoAnO7JtG8tc"),
    (Purpose.WORK_PROOF, (3, 987654321), "2026-11-22T15:03:00+00:00", "IVkPN4rBtrgIREYrvCTWcwVbrCOWt_FnmLfbkq_j"),
]


@pytest.mark.parametrize(("purpose", "signed", "at", "token"), MADE_BEFORE)
def test_tokens_are_byte_for_byte_those_of_the_first_release(
    purpose: Purpose, signed: tuple[int, ...], at: str, token: str
) -> None:
    issued = datetime.fromisoformat(at)
    assert tokens.sign(SECRET, purpose, *signed, at=issued) == token
    assert tokens.read(SECRET, purpose, token, now=NOW).ids == signed


@pytest.mark.parametrize(
    ("secret", "token"),
    [("ключ " * 9, "5LlPJaJC-3gltZUSWemlO_BTEq6KM7GgvQ"), ("long " * 20, "exXzz5HL-4_6RtCIaI8slaoBYAl84EE2aQ")],
)
def test_secrets_longer_than_a_block_of_the_hash_make_the_same_tokens_as_ever(secret: str, token: str) -> None:
    """RFC 2104 hashes such a key first; the second is 100 bytes long, the first 81 in UTF-8."""
    assert tokens.sign(secret, Purpose.CONFIRM, 5, at=datetime(2026, 3, 4, tzinfo=UTC)) == token


@given(st.binary(max_size=200), st.text(min_size=1, max_size=150), purposes)
def test_the_copied_hash_states_are_hmac(data: bytes, secret: str, purpose: Purpose) -> None:
    keyed, stream = tokens._keys(secret, str(purpose))
    for made, name in ((keyed, purpose), (stream, purpose + "/stream")):
        assert made.digest(data) == hmac.digest(secret.encode(), name.encode() + b"\0" + data, "sha256")


@pytest.mark.parametrize("number", [-1, 2**40, 2**63])
def test_a_number_that_is_no_id_is_refused(number: int) -> None:
    with pytest.raises(OverflowError):
        tokens.sign(SECRET, Purpose.CLICK, 1, number, 2, at=NOW)


@given(purposes, ids, moments)
def test_what_was_signed_is_read(purpose: Purpose, signed: list[int], at: datetime) -> None:
    token = tokens.sign(SECRET, purpose, *signed, at=at)
    assert set(token) <= set(SAFE)
    read = tokens.read(SECRET, purpose, token, now=at)
    assert read.ids == tuple(signed)
    assert read.issued_at == at.replace(microsecond=0)


@given(ids, st.data())
def test_any_changed_sign_is_refused(signed: list[int], data: st.DataObject) -> None:
    token = tokens.sign(SECRET, Purpose.CONFIRM, *signed, at=NOW)
    at = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.sampled_from([sign for sign in SAFE + "+/=. é" if sign != token[at]]))
    with pytest.raises(InvalidToken):
        tokens.read(SECRET, Purpose.CONFIRM, token[:at] + other + token[at + 1 :], now=NOW)


def test_every_flipped_bit_is_refused() -> None:
    token = tokens.sign(SECRET, Purpose.DOWNLOAD, 7, 12, at=NOW)
    raw = tokens._unwrap(token)
    for bit in range(len(raw) * 8):
        changed = bytearray(raw)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(InvalidToken):
            tokens.read(SECRET, Purpose.DOWNLOAD, tokens._wrap(bytes(changed)), now=NOW)


@given(st.integers(1, 40))
def test_cut_or_prolonged_tokens_are_refused(by: int) -> None:
    token = tokens.sign(SECRET, Purpose.CONFIRM, 1, at=NOW)
    for changed in (token[:-by], token[by:], token + "A" * by, token + "=" * by, " " + token, token + "\n"):
        with pytest.raises(InvalidToken):
            tokens.read(SECRET, Purpose.CONFIRM, changed, now=NOW)


@given(
    st.one_of(st.text(max_size=120), st.text(SAFE, max_size=120), st.binary().map(lambda raw: raw.decode("latin-1")))
)
def test_garbage_is_refused_and_never_anything_else(garbage: str) -> None:
    with pytest.raises(InvalidToken):
        tokens.read(SECRET, Purpose.SETUP, garbage, now=NOW)


def test_a_token_is_good_for_one_purpose_only() -> None:
    for made in Purpose:
        token = tokens.sign(SECRET, made, 5, at=NOW)
        for other in set(Purpose) - {made}:
            with pytest.raises(InvalidToken):
                tokens.read(SECRET, other, token, now=NOW)


def test_another_installations_token_is_refused() -> None:
    token = tokens.sign(SECRET, Purpose.CONFIRM, 5, at=NOW)
    with pytest.raises(InvalidToken):
        tokens.read(SECRET + "!", Purpose.CONFIRM, token, now=NOW)


def test_expiry_is_exact_to_the_second_and_still_tells_the_ids() -> None:
    token, day = tokens.sign(SECRET, Purpose.DOWNLOAD, 5, 6, at=NOW), timedelta(days=1)
    assert tokens.read(SECRET, Purpose.DOWNLOAD, token, now=NOW + day, max_age=day).ids == (5, 6)
    with pytest.raises(ExpiredToken) as expired:
        tokens.read(SECRET, Purpose.DOWNLOAD, token, now=NOW + day + timedelta(microseconds=1), max_age=day)
    assert expired.value.ids == (5, 6)


def test_a_forged_token_is_not_called_expired() -> None:
    """Otherwise a stranger could learn from the answer which ids there are."""
    token = tokens.sign("another secret, also of 32 letters or more", Purpose.DOWNLOAD, 5, at=NOW - timedelta(days=900))
    with pytest.raises(InvalidToken):
        tokens.read(SECRET, Purpose.DOWNLOAD, token, now=NOW, max_age=timedelta(days=1))


def test_ids_cannot_be_read_from_outside() -> None:
    one, other = (tokens._unwrap(tokens.sign(SECRET, Purpose.CONFIRM, number, at=NOW)) for number in (1, 2))
    assert (1).to_bytes(5, "big") not in one
    assert one[tokens.MAC_BYTES :] != other[tokens.MAC_BYTES :]


def test_too_many_ids_are_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="5 ids"):
        tokens.sign(SECRET, Purpose.CONFIRM, *range(6), at=NOW)


def test_a_fingerprint_recognises_without_telling() -> None:
    print_ = tokens.fingerprint(SECRET, "alice@example.org")
    assert print_ == tokens.fingerprint(SECRET, "alice@example.org")
    assert (
        len({print_, tokens.fingerprint(SECRET, "bob@example.org"), tokens.fingerprint("x" * 32, "alice@example.org")})
        == 3
    )
    assert len(print_) == 64
    assert print_ == "27857c186dddd51e2c35a0f447a44dbe18ecc0b0634402489f3ed83c777cfb24"  # as the first release made it
