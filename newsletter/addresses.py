"""Email addresses: what one is, when two are the same, and how to speak of one without telling it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import idna
from email_validator import EmailNotValidError, validate_email

from newsletter.errors import InputError

# RFC 5321 section 4.5.3.1.3 allows 256 octets for a path, of which two are the angle brackets.
LONGEST = 254


@dataclass(frozen=True)
class Address:
    """An address as its owner writes it (`text`) and as it is compared (`key`, lower case)."""

    text: str
    key: str

    @property
    def domain(self) -> str:
        """The part after the @, in lower case."""
        return self.key.rpartition("@")[2]


def parse(typed: str) -> Address:
    """Read an address that a person typed; raises InputError with a sentence fit for that person."""
    typed = typed.strip()
    if len(typed) > LONGEST:
        raise InputError("This email address is too long.", remedy=f"It may have {LONGEST} characters.")
    try:
        # Letters beyond ASCII before the @ want SMTPUTF8 at every relay on the way; most refuse them.
        seen = validate_email(typed, check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError as problem:
        raise InputError(
            "This does not look like an email address.", means=str(problem), remedy="It reads like name@example.org."
        ) from problem
    # lower(), not casefold(): that would make faß.de and fass.de, two domains of two owners, the same person.
    return Address(seen.normalized, seen.normalized.lower())


def on_the_wire(text: str) -> str:
    """The address as SMTP wants it: a domain with letters beyond ASCII in its A-label form (RFC 5891)."""
    local, _, domain = text.rpartition("@")
    return f"{local}@{_a_label(domain)}"


@lru_cache(maxsize=4096)  # most of a list shares a few domains, and encoding one costs 20 us
def _a_label(domain: str) -> str:
    return idna.encode(domain).decode()


def mask(address: str) -> str:
    """An address as it may stand in a log: the first letter and the length tell enough to a helper, not who it is."""
    local, _, domain = address.partition("@")
    return f"{local[:1]}{'*' * max(len(local) - 1, 1)}@{domain[:1]}***"
