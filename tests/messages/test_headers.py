"""Header lines: nothing gets out of its line, everything comes back as it was."""

from __future__ import annotations

from email import message_from_bytes, policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.messages import headers
from newsletter.messages.headers import EnvelopeError

NASTY = "Alice\r\nBcc: charlie@evil.example\r\n\r\nbody\x00\u2028x"
text = st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=200)


def _parsed(line: bytes) -> str:
    message = message_from_bytes(line + b"\r\n", policy=policy.default)
    assert not message.defects
    assert len(message.keys()) == 1
    return str(message[message.keys()[0]])


@given(value=text)
def test_words_come_back_and_stay_in_their_header(value: str) -> None:
    line = headers.words("Subject", value)
    assert line.endswith(b"\r\n")
    assert line.isascii()
    assert all(row.startswith(b" ") for row in line.removesuffix(b"\r\n").split(b"\r\n")[1:])
    assert all(len(row) <= 998 for row in line.split(b"\r\n"))
    assert _parsed(line).split() == headers.clean(value).split()


@given(name=st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=30))
def test_any_display_name_leaves_the_address_alone(name: str) -> None:
    message = message_from_bytes(
        headers.line("To", headers.mailbox(name, "bob@example.org")) + b"\r\n", policy=policy.default
    )
    assert [address.addr_spec for address in message["to"].addresses] == ["bob@example.org"]
    assert not message["to"].defects


@pytest.mark.parametrize(
    "name",
    [
        "Zoë Ångström",
        "日本語の名前",
        "Mary O'Neil",
        'A "quoted" one',
        "Last, First",
        "a\\b",
        "=?utf-8?q?Boss?=",
        "Ж" * 22,
    ],
)
def test_2_13_a_name_is_read_as_it_was_written(name: str) -> None:
    message = message_from_bytes(
        headers.line("To", headers.mailbox(name, "bob@example.org")) + b"\r\n", policy=policy.default
    )
    assert message["to"].addresses[0].display_name == name


def test_line_breaks_in_words_become_spaces_and_in_ids_are_refused() -> None:
    assert headers.words("Subject", NASTY).count(b"\r\n") == 1
    assert headers.clean(NASTY) == "Alice Bcc: charlie@evil.example body x"
    for make in (headers.message_id, headers.uri, headers.checked_address):
        with pytest.raises(EnvelopeError):
            make(NASTY)
    with pytest.raises(EnvelopeError):
        headers.line("X-Test", NASTY)


@pytest.mark.parametrize(
    "address",
    ["", "bob", "bob@", "@example.org", "bob@example.org\r\nBcc: c@evil.example", "a b@example.org", "bob@exa mple.org",
     "bob@example.org>", "<bob@example.org", "bob@example.org, c@evil.example", "bób@example.org",
     "x" * 250 + "@a.example"],
)  # fmt: skip
def test_an_address_that_cannot_travel_is_refused(address: str) -> None:
    with pytest.raises(EnvelopeError):
        headers.checked_address(address)


def test_a_domain_travels_in_ascii() -> None:
    assert headers.checked_address("bob@münchen.example") == "bob@xn--mnchen-3ya.example"


@given(value=st.text(alphabet=st.characters(exclude_categories=("C", "Zl", "Zp")), min_size=1, max_size=120))
def test_file_names_come_back(value: str) -> None:
    # Python's parser takes such brackets away; no name of an attachment has any (mime.py takes them out).
    value = headers.clean(value).strip("<>") or "x"
    raw = b"Content-Disposition: attachment;\r\n " + ";\r\n ".join(headers.parameter("filename", value)).encode("ascii")
    assert message_from_bytes(raw + b"\r\n\r\n", policy=policy.default).get_filename() == value
    assert all(len(row) <= 78 for row in raw.split(b"\r\n"))
