"""Pictures for email: small, of the asked size, on a card of their own."""

from __future__ import annotations

from io import BytesIO

import pytest
from PIL import Image, ImageSequence

from newsletter.figures import raster
from newsletter.figures.exercises import EXERCISES

KEYS = sorted(EXERCISES)


@pytest.mark.parametrize("key", KEYS)
def test_a_png_is_small_and_not_empty(key: str) -> None:
    data = raster.png(key)
    assert len(data) < 25_000
    picture = Image.open(BytesIO(data))
    assert (picture.format, picture.size) == ("PNG", (480, 240))
    colours = picture.convert("RGBA").getcolors(100_000)
    assert colours is not None
    assert len(colours) > 8


def test_a_png_has_its_own_light_ground_and_round_corners() -> None:
    picture = Image.open(BytesIO(raster.png("cat-cow"))).convert("RGBA")
    assert picture.getpixel((0, 0))[3] < 40  # type: ignore[index]
    assert min(picture.getpixel((240, 8))) > 245  # type: ignore[type-var, arg-type]


@pytest.mark.parametrize("width", [240, 960])
def test_a_png_comes_in_the_width_asked_for(width: int) -> None:
    assert Image.open(BytesIO(raster.png("puppy-pose", width))).size == (width, width // 2)


@pytest.mark.parametrize("key", KEYS)
def test_a_gif_moves_and_stays_small(key: str) -> None:
    data = raster.gif(key)
    assert len(data) < 150_000
    picture = Image.open(BytesIO(data))
    assert picture.size == (480, 240)
    assert picture.info["loop"] == 0
    frames = [frame.convert("RGB").tobytes() for frame in ImageSequence.Iterator(picture)]
    assert len(frames) >= 12
    assert len(set(frames)) >= 8
