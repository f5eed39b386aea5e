"""Sealing what has to be read again by us and by nobody else, as a mail server's password, with SECRET_KEY."""

from __future__ import annotations

import base64
import hmac
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from newsletter.errors import Unsealable

NONCE_BYTES = 12  # as AES-GCM wants it (NIST SP 800-38D section 8.2)


def seal(secret: str, purpose: str, text: str) -> str:
    """Encrypt `text` (AES-256-GCM); sealed for one purpose, it cannot be put in the place of another."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    sealed = nonce + _cipher(secret, purpose).encrypt(nonce, text.encode(), None)
    return base64.urlsafe_b64encode(sealed).decode()


def unseal(secret: str, purpose: str, sealed: str) -> str:
    """What was sealed for that purpose; raises Unsealable when the key is another one or the text was changed."""
    try:
        raw = base64.b64decode(sealed, altchars=b"-_", validate=True)
        return _cipher(secret, purpose).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], None).decode()
    except (InvalidTag, ValueError) as problem:
        raise Unsealable from problem


def _cipher(secret: str, purpose: str) -> AESGCM:
    return AESGCM(hmac.digest(secret.encode(), b"seal\0" + purpose.encode(), "sha256"))
