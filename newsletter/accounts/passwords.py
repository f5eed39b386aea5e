"""Passwords at rest: argon2id with the library's parameters, those of RFC 9106 section 4 (second choice, 64 MiB)."""

from __future__ import annotations

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

HASHER = PasswordHasher()


@cache
def _of_nobody() -> str:
    return HASHER.hash("the password of nobody")


def keep(password: str) -> str:
    """The hash to keep of `password`."""
    return HASHER.hash(password)


def matches(kept: str | None, password: str) -> bool:
    """Whether `password` is the one kept; for an unknown person (None) it takes as long and says no."""
    nobody = _of_nobody()
    try:
        return HASHER.verify(kept or nobody, password) and kept is not None
    except (VerificationError, InvalidHashError):
        return False


def is_outdated(kept: str) -> bool:
    """Whether a hash was made with other parameters than today's."""
    return HASHER.check_needs_rehash(kept)
