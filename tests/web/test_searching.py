"""Searches for an address: sent as a form, found in place, and never readable in a page's own address."""

from __future__ import annotations

import pytest
from flask import Flask

from newsletter.web import searching


@pytest.mark.parametrize("text", ["bob@example.org", "@", "bob@", "ä@ö.example"])
def test_an_address_is_sealed_on_its_way_and_read_again(sqlite_app: Flask, text: str) -> None:
    with sqlite_app.test_request_context():
        travels = searching.in_address(text)
    assert "@" not in travels
    assert "bob" not in travels
    with sqlite_app.test_request_context("/", query_string={"q": travels}):
        assert searching.asked() == text


@pytest.mark.parametrize("text", ["", "bob", "Hips & shoulders", "%", "50~"])
def test_other_words_stay_as_they_are(sqlite_app: Flask, text: str) -> None:
    with sqlite_app.test_request_context("/", query_string={"q": f" {text}\0 "}):
        assert searching.asked() == searching.in_address(text) == text


@pytest.mark.parametrize("text", ["~", "~zzzz", "~" + "A" * 60, "~ä"])
def test_what_cannot_be_unsealed_finds_nothing_instead_of_everything(sqlite_app: Flask, text: str) -> None:
    with sqlite_app.test_request_context("/", query_string={"q": text}):
        assert searching.asked() == text
