"""DKIM signatures (RFC 6376), RSA-SHA256 and Ed25519-SHA256 (RFC 8463), relaxed/relaxed. Pure."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

PrivateKey = rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

# Named twice each: a second one added on the way then breaks the signature instead of deceiving the reader.
SIGNED = (
    *("from", "to", "subject", "date", "message-id", "reply-to", "mime-version", "content-type"),
    *("list-unsubscribe", "list-unsubscribe-post", "list-id", "feedback-id"),
)

_SPACES = re.compile(rb"[ \t]+")
_LINE_END_SPACES = re.compile(rb"[ \t]+(?=\r\n)")
_FOLD = re.compile(rb"\r\n(?=[ \t])")


@dataclass(frozen=True)
class Signer:
    """A key and where its public half is published: `selector`._domainkey.`domain`."""

    domain: str
    selector: str
    key: PrivateKey

    @property
    def algorithm(self) -> str:
        """The value of the a= tag."""
        return "rsa-sha256" if isinstance(self.key, rsa.RSAPrivateKey) else "ed25519-sha256"

    def record(self) -> str:
        """The TXT record to publish (RFC 6376 section 3.6.1)."""
        public = self.key.public_key()
        if isinstance(public, ed25519.Ed25519PublicKey):
            raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
            return f"v=DKIM1; k=ed25519; p={base64.b64encode(raw).decode()}"
        der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        return f"v=DKIM1; k=rsa; p={base64.b64encode(der).decode()}"

    def _sign(self, text: bytes) -> bytes:
        if isinstance(self.key, rsa.RSAPrivateKey):
            return self.key.sign(text, PKCS1v15(), SHA256())
        return self.key.sign(hashlib.sha256(text).digest())


def signed(message: bytes, signers: Sequence[Signer], now: datetime) -> bytes:
    """The message (CRLF lines) with a DKIM-Signature header of each signer in front."""
    head, _, body = message.partition(b"\r\n\r\n")
    digest = base64.b64encode(hashlib.sha256(relaxed_body(body)).digest()).decode()
    fields = [_relaxed_field(field) for field in _FOLD.sub(b"", head).split(b"\r\n")]
    for signer in signers:
        message = _signature(signer, fields, digest, now) + message
    return message


def relaxed_body(body: bytes) -> bytes:
    """The body in its canonical form (RFC 6376 section 3.4.4)."""
    body = _LINE_END_SPACES.sub(b"", _SPACES.sub(b" ", body)).rstrip(b"\r\n ")
    return body + b"\r\n" if body else b""


def _relaxed_field(field: bytes) -> tuple[str, bytes]:
    name, _, value = field.partition(b":")
    lower = name.strip().lower()
    return lower.decode(), lower + b":" + _SPACES.sub(b" ", value).strip()


def _signature(signer: Signer, fields: Sequence[tuple[str, bytes]], digest: str, now: datetime) -> bytes:
    # Where a name stands more than once the last one is signed first (RFC 6376 section 5.4.2); ours stand once.
    present = dict(fields)
    names = [name for name in SIGNED if name in present]
    listed = ":".join(f"{name}:{name}" for name in names)
    tags = (
        f"v=1; a={signer.algorithm}; c=relaxed/relaxed; d={signer.domain}; s={signer.selector};\r\n"
        f" t={int(now.timestamp())}; h={_folded(listed)};\r\n bh={digest};\r\n b="
    )
    own = _relaxed_field(_FOLD.sub(b"", f"DKIM-Signature: {tags}".encode()))[1]
    text = b"".join(present[name] + b"\r\n" for name in names) + own
    value = base64.b64encode(signer._sign(text)).decode()
    lines = "\r\n ".join(value[at : at + 72] for at in range(0, len(value), 72))
    return f"DKIM-Signature: {tags}{lines}\r\n".encode()


def _folded(names: str) -> str:
    return re.sub(r"(.{1,68}):", r"\1:\r\n ", names).rstrip() if len(names) > 68 else names


def new_keys() -> dict[str, PrivateKey]:
    """A fresh key of each kind, by the last letters of its selector."""
    return {
        "rsa": rsa.generate_private_key(public_exponent=65537, key_size=2048),
        "ed": ed25519.Ed25519PrivateKey.generate(),
    }


def to_pem(key: PrivateKey) -> str:
    """The private key as it is kept."""
    kind, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(kind, form, serialization.NoEncryption()).decode()


def from_pem(pem: str) -> PrivateKey:
    """The private key as it was kept; raises ValueError on anything else."""
    key = serialization.load_pem_private_key(pem.encode(), password=None)
    if not isinstance(key, rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey):
        raise ValueError("neither an RSA nor an Ed25519 key")
    return key
