"""A sealed text is read by who has the key, for what it was sealed for, unchanged; and by nobody else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.errors import Unsealable
from newsletter.sealing import seal, unseal

KEY = "a secret that only the tests know, 32 and more"


@given(st.text())
def test_what_was_sealed_is_read_again(text: str) -> None:
    assert unseal(KEY, "relay", seal(KEY, "relay", text)) == text


def test_the_same_text_is_sealed_differently_each_time_and_not_to_be_seen() -> None:
    first, second = seal(KEY, "relay", "hunter2"), seal(KEY, "relay", "hunter2")
    assert first != second
    assert "hunter2" not in first


@pytest.mark.parametrize("position", [0, 11, 12, -3])
def test_a_changed_text_is_refused(position: int) -> None:
    sealed = seal(KEY, "relay", "hunter2")
    changed = list(sealed)
    changed[position] = "A" if sealed[position] != "A" else "B"
    with pytest.raises(Unsealable, match="Type it again"):
        unseal(KEY, "relay", "".join(changed))


@pytest.mark.parametrize(
    ("key", "purpose"), [("another secret, that is also long enough", "relay"), (KEY, "something else")]
)
def test_another_key_or_purpose_is_refused(key: str, purpose: str) -> None:
    with pytest.raises(Unsealable):
        unseal(key, purpose, seal(KEY, "relay", "hunter2"))


@pytest.mark.parametrize("nonsense", ["", "x", "not base64 at all!", "AAAA", "é"])
def test_nonsense_is_refused(nonsense: str) -> None:
    with pytest.raises(Unsealable):
        unseal(KEY, "relay", nonsense)
