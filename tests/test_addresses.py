"""What an address is, when two are the same, and how one is spoken of in a log."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter import addresses
from newsletter.errors import InputError

TAKEN = [
    ("alice@example.org", "alice@example.org", "alice@example.org"),
    ("  Alice@Example.ORG \n", "Alice@example.org", "alice@example.org"),
    ("bob+letters@example.org", "bob+letters@example.org", "bob+letters@example.org"),
    ("o'neill@example.org", "o'neill@example.org", "o'neill@example.org"),
    ("alice@BÜCHER.example.org", "alice@bücher.example.org", "alice@bücher.example.org"),
    ("alice@xn--bcher-kva.example.org", "alice@bücher.example.org", "alice@bücher.example.org"),
]
REFUSED = [
    "", " ", "alice", "@example.org", "alice@", "alice@@example.org", "alice@example", "alice@example..org",
    "alice bob@example.org", "alice@exa mple.org", "älice@example.org", "alice@localhost", "alice@example.test",
    "alice@example.org\nBcc: charlie@example.org", "<alice@example.org>", "Alice <alice@example.org>",
    "alice@example.org,bob@example.org", f"alice@{'b' * 60}." * 5 + "org", "alice@[127.0.0.1]",
    f"alice@{'b' * 300}.org",
    ".alice@example.org", "al\x00ice@example.org",
]  # fmt: skip


@pytest.mark.parametrize(("typed", "text", "key"), TAKEN)
def test_taken(typed: str, text: str, key: str) -> None:
    assert addresses.parse(typed) == addresses.Address(text, key)


@pytest.mark.parametrize("typed", REFUSED)
def test_refused_with_words_for_a_person(typed: str) -> None:
    with pytest.raises(InputError) as refused:
        addresses.parse(typed)
    assert refused.value.remedy


@given(st.text(max_size=300))
def test_whatever_is_typed_is_an_address_or_an_input_error(typed: str) -> None:
    try:
        address = addresses.parse(typed)
    except InputError:
        return
    assert addresses.parse(address.text) == address


@pytest.mark.parametrize(
    ("text", "wire"),
    [
        ("Alice@example.org", "Alice@example.org"),
        ("alice@bücher.example.org", "alice@xn--bcher-kva.example.org"),
        ("alice@faß.de", "alice@xn--fa-hia.de"),  # RFC 5891; the older rules made it fass.de, somebody else's domain
    ],
)
def test_on_the_wire_a_domain_is_ascii(text: str, wire: str) -> None:
    assert addresses.on_the_wire(text) == wire


def test_two_domains_that_only_look_alike_are_two_people() -> None:
    assert addresses.parse("alice@faß.de").key != addresses.parse("alice@fass.de").key


def test_the_domain() -> None:
    assert addresses.parse("Alice@Example.org").domain == "example.org"


@pytest.mark.parametrize("address", ["alice@example.org", "b@example.org", "", "nonsense"])
def test_masked_it_tells_nobody(address: str) -> None:
    masked = addresses.mask(address)
    assert "example" not in masked
    assert "lice" not in masked
    assert "*" in masked
