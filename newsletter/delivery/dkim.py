"""DKIM signatures (RFC 6376), RSA-SHA256 and Ed25519-SHA256 (RFC 8463), relaxed/relaxed. Pure."""

from __future__ import annotations

import base64
import hashlib
import re
from binascii import b2a_base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from newsletter.messages.mime import Message

PrivateKey = rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

# Each is named once more than it stands: another one, added on the way, then breaks the signature and deceives nobody.
SIGNED = frozenset({
    b"from", b"to", b"subject", b"date", b"message-id", b"reply-to", b"mime-version", b"content-type",
    b"list-unsubscribe", b"list-unsubscribe-post", b"list-id", b"feedback-id",
})  # fmt: skip
_PERSONAL = (b"To:", b"Subject:", b"Message-ID:", b"List-Unsubscribe:")  # the other fields are the same for many

_SPACES = re.compile(rb"[ \t]+")
_LINE_END_SPACES = re.compile(rb"[ \t]+(?=\r\n)")
_NEXT_FIELD = re.compile(rb"(?<=\r\n)(?![ \t])")
_PADDING, _HASH = PKCS1v15(), SHA256()


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

    def sign(self, text: bytes) -> bytes:
        """The signature of a text, by the key alone."""
        if isinstance(self.key, rsa.RSAPrivateKey):
            return self.key.sign(text, _PADDING, _HASH)
        return self.key.sign(hashlib.sha256(text).digest())


def sealed(message: Message, signers: Sequence[Signer], now: datetime) -> bytes:
    """The message's bytes with a DKIM-Signature header of each signer in front."""
    signatures = _signatures(message.fields, message.body, signers, now) if signers else ()
    return b"".join((*signatures, *message.fields, b"\r\n", message.body))


def signed(message: bytes, signers: Sequence[Signer], now: datetime) -> bytes:
    """The same for any message with CRLF lines."""
    head, _, body = message.partition(b"\r\n\r\n")
    fields = _NEXT_FIELD.split(head + b"\r\n")[:-1]
    return b"".join((*_signatures(fields, relaxed_body(body), signers, now), message))


def relaxed_body(body: bytes) -> bytes:
    """The body in its canonical form (RFC 6376 section 3.4.4)."""
    body = _LINE_END_SPACES.sub(b"", _SPACES.sub(b" ", body)).rstrip(b"\r\n ")
    return body + b"\r\n" if body else b""


def _signatures(fields: Sequence[bytes], body: bytes, signers: Sequence[Signer], now: datetime) -> Iterator[bytes]:
    """The signatures of a message whose body is canonical, the last signer's first."""
    digest = b2a_base64(hashlib.sha256(body).digest(), newline=False)
    # From the last to the first, as names that stand more than once must be (RFC 6376 section 5.4.2).
    relaxed = [(_relaxed if field.startswith(_PERSONAL) else _relaxed_once)(field) for field in reversed(fields)]
    names = tuple([name for name, _ in relaxed if name in SIGNED])
    text = b"".join([field for name, field in relaxed if name in SIGNED])
    moment = int(now.timestamp())
    for signer in reversed(signers):
        opening, own = _opening(signer.algorithm, signer.domain, signer.selector, names, moment)
        value = b2a_base64(signer.sign(b"%b%b%b; b=" % (text, own, digest)), newline=False)
        lines = b"\r\n ".join([value[at : at + 72] for at in range(0, len(value), 72)])
        yield b"%b%b;\r\n b=%b\r\n" % (opening, digest, lines)


def _relaxed(field: bytes) -> tuple[bytes, bytes]:
    """A field's name and the field in its canonical form (RFC 6376 section 3.4.2); ours hold no \\v and no \\f."""
    name, _, value = field.partition(b":")
    name = name.strip().lower()
    return name, b"%b:%b\r\n" % (name, b" ".join(value.split()))


_relaxed_once = lru_cache(maxsize=512)(_relaxed)


@lru_cache(maxsize=64)
def _opening(algorithm: str, domain: str, selector: str, names: tuple[bytes, ...], moment: int) -> tuple[bytes, bytes]:
    """A signature's header up to the body's hash, as it is written and in its canonical form."""
    listed = b":".join((*names, *dict.fromkeys(names))).decode()
    written = (
        f"DKIM-Signature: v=1; a={algorithm}; c=relaxed/relaxed; d={domain}; s={selector};\r\n"
        f" t={moment}; h={_folded(listed)};\r\n bh="
    ).encode()
    return written, _relaxed(written)[1].removesuffix(b"\r\n")


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
