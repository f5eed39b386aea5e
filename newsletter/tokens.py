"""Tokens for links: opaque, short, made without storing anything, each good for one purpose only.

A token is `mac || (payload xor keystream)`, the keystream drawn from the mac: the synthetic-IV construction of
RFC 5297, here with HMAC-SHA-256, so equal content gives an equal token and nothing can be read or changed from outside.
"""

from __future__ import annotations

import base64
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from newsletter.errors import ExpiredToken, InvalidToken

MAC_BYTES = 16  # 128 bits: a guess every nanosecond for the age of the universe does not hit one
TIME_BYTES = 4  # whole seconds since 1970, good until 2106
ID_BYTES = 5  # a trillion rows
MOST_IDS = 5  # the keystream of one SHA-256 covers 4 + 5 * 5 bytes


class Purpose(StrEnum):
    """What a token may be used for; one made for one purpose is void for every other."""

    CONFIRM = "confirm"
    DOWNLOAD = "download"
    UNSUBSCRIBE = "unsubscribe"
    PREFERENCES = "preferences"
    FORM = "form"
    SETUP = "setup"
    WORK_PROOF = "proof-of-work"


@dataclass(frozen=True)
class Token:
    """What a genuine token says: row ids in the order they were signed, and when."""

    ids: tuple[int, ...]
    issued_at: datetime


def _keyed(secret: str, purpose: str, data: bytes) -> bytes:
    return hmac.digest(secret.encode(), purpose.encode() + b"\0" + data, "sha256")


def _veil(secret: str, purpose: str, mac: bytes, data: bytes) -> bytes:
    stream = _keyed(secret, purpose + "/stream", mac)
    return bytes(a ^ b for a, b in zip(data, stream, strict=False))


def sign(secret: str, purpose: Purpose, *ids: int, at: datetime) -> str:
    """A URL-safe token of up to five ids, issued `at`."""
    if len(ids) > MOST_IDS:
        raise ValueError(f"a token holds {MOST_IDS} ids at most")
    payload = int(at.timestamp()).to_bytes(TIME_BYTES, "big") + b"".join(i.to_bytes(ID_BYTES, "big") for i in ids)
    mac = _keyed(secret, purpose, payload)[:MAC_BYTES]
    return _wrap(mac + _veil(secret, purpose, mac, payload))


def _wrap(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _unwrap(token: str) -> bytes:
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except ValueError as problem:
        raise InvalidToken from problem
    # base64 has several spellings of the same bytes; only ours is a token, so that one token is one text.
    if _wrap(raw) != token:
        raise InvalidToken
    return raw


def read(secret: str, purpose: Purpose, token: str, *, now: datetime, max_age: timedelta | None = None) -> Token:
    """What `token` says; raises InvalidToken, or ExpiredToken when older than `max_age`."""
    raw = _unwrap(token)
    mac, veiled = raw[:MAC_BYTES], raw[MAC_BYTES:]
    payload = _veil(secret, purpose, mac, veiled)
    if len(veiled) > 32 or not hmac.compare_digest(mac, _keyed(secret, purpose, payload)[:MAC_BYTES]):
        raise InvalidToken
    issued_at = datetime.fromtimestamp(int.from_bytes(payload[:TIME_BYTES], "big"), UTC)
    ids = tuple(int.from_bytes(payload[at : at + ID_BYTES], "big") for at in range(TIME_BYTES, len(payload), ID_BYTES))
    if max_age is not None and now - issued_at > max_age:
        raise ExpiredToken(ids)
    return Token(ids, issued_at)


def fingerprint(secret: str, text: str) -> str:
    """A keyed hash of `text`: the same text can be recognised again, but not read back (64 hexadecimal digits)."""
    return _keyed(secret, "fingerprint", text.encode()).hex()
