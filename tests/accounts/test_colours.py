"""An accent colour stays legible, whatever the operator chose."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from newsletter.accounts import colours

any_colour = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06X}")


@pytest.mark.parametrize(
    ("one", "other", "ratio"), [("#000000", "#FFFFFF", 21.0), ("#777777", "#FFFFFF", 4.48), ("#A84A27", "#A84A27", 1.0)]
)
def test_contrast_is_as_wcag_defines_it(one: str, other: str, ratio: float) -> None:
    assert colours.contrast(one, other) == pytest.approx(ratio, abs=0.01)


def test_the_shipped_colour_is_taken() -> None:
    assert colours.accent_problem(colours.DEFAULT) == ""


@given(any_colour)
def test_a_pale_colour_is_refused_with_one_that_is_taken(colour: str) -> None:
    problem = colours.accent_problem(colour)
    if problem:
        offered = re.findall(r"#[0-9A-F]{6}", problem)[-1]
        assert colours.accent_problem(offered) == ""


@given(any_colour)
def test_words_in_the_accent_can_be_read_in_light_and_dark(colour: str) -> None:
    light, strong, soft, dark, dark_strong, dark_soft = re.findall(r"#[0-9A-F]{6}", colours.stylesheet(colour))
    assert colours.contrast(light, colours.LIGHT_PAPER) >= colours.LEGIBLE
    assert colours.contrast("#FFFFFF", light) >= colours.LEGIBLE
    assert colours.contrast(strong, soft) >= colours.LEGIBLE
    assert colours.contrast(dark, colours.DARK_SURFACE) >= colours.LEGIBLE
    assert colours.contrast(colours.DARK_PAPER, dark) >= colours.LEGIBLE
    assert colours.contrast(dark_strong, dark_soft) >= colours.LEGIBLE


def test_the_stylesheet_is_served_for_colours_only(sqlite_app: Flask) -> None:
    visitor = sqlite_app.test_client()
    answer = visitor.get("/theme/356B4A.css")
    assert answer.status_code == 200
    assert answer.mimetype == "text/css"
    assert b"--accent:#356B4A" in answer.data
    assert visitor.get("/theme/red.css").status_code == 404
    assert visitor.get("/theme/356B4A;}body{.css").status_code == 404
