"""Quoted-printable in segments: together they say what the words say, and nothing on the way changes them."""

from __future__ import annotations

import binascii
import quopri

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.messages.quoted import segment

anything = st.text(max_size=200) | st.text(alphabet=" .\tF=rom\n-\u00e4\U0001f600", max_size=300)


@given(st.lists(anything, max_size=6))
def test_segments_say_together_what_the_words_say(texts: list[str]) -> None:
    encoded = b"".join(segment(text) for text in texts)
    words = "".join(text.replace("\r\n", "\n").replace("\r", "\n") for text in texts).encode("utf-8", "replace")
    unix = encoded.replace(b"\r\n", b"\n")
    assert quopri.decodestring(unix) == binascii.a2b_qp(unix) == words


@given(anything)
def test_lines_are_7_bit_short_and_the_same_after_any_relay(text: str) -> None:
    encoded = segment(text)
    assert encoded == b"" or encoded.endswith(b"\r\n")
    lines = encoded.split(b"\r\n")
    assert not any(b"\r" in line or b"\n" in line for line in lines)
    assert encoded.isascii()
    for line in lines:
        assert len(line) <= 76
        assert not line.startswith((b".", b"From "))
        assert b"  " not in line
        assert b"\t" not in line
        assert not line.endswith(b" ")


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("", b""),
        ("Alice", b"Alice=\r\n"),
        ("a=b", b"a=3Db=\r\n"),
        ("Zoë\n", b"Zo=C3=AB\r\n"),
        (".\n..\nFrom here\nFromage", b"=2E\r\n=2E.\r\n=46rom here\r\nFromage=\r\n"),
        ("-- \nYour Studio\n", b"--=20\r\nYour Studio\r\n"),
        ("a   b\tc ", b"a =20=20b=09c =\r\n"),
        ("x" * 75, b"x" * 75 + b"=\r\n"),
        ("x" * 76, b"x" * 75 + b"=\r\nx=\r\n"),
        ("x" * 76 + "\n", b"x" * 76 + b"\r\n"),
        ("x" * 74 + "=", b"x" * 74 + b"=\r\n=3D=\r\n"),
        ("x" * 75 + ".y", b"x" * 75 + b"=\r\n=2Ey=\r\n"),
    ],
)
def test_a_segment_begins_at_the_margin_and_ends_there(text: str, encoded: bytes) -> None:
    assert segment(text) == encoded
