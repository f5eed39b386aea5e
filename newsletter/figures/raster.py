"""Figures as PNG and GIF for email, on a light card of their own so that dark mail clients leave them legible."""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO

import resvg_py
from PIL import Image

from newsletter.figures.drawing import find, frame
from newsletter.figures.layout import ease, fit, moving, still
from newsletter.figures.mat import mat
from newsletter.figures.palette import LIGHT
from newsletter.figures.scene import Layer

COLOURS = 48
"""Palette size: flat areas and their smoothed edges; keeps a 480 px PNG under 25 KB."""

STEPS = 9
STEP_MS = 90
HOLD_MS = 1100


def _image(layers: list[Layer], span: list[Layer], width: int) -> Image.Image:
    text = frame(layers, fit(span), LIGHT, width)
    picture = Image.open(BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=text, skip_system_fonts=True))))
    picture.load()
    return picture


@lru_cache(maxsize=64)
def png(key: str, width: int = 480) -> bytes:
    """The still picture as a PNG of `width` pixels with transparent corners round the card; raises NotFound."""
    layers = still(find(key))
    picture = _image(layers, layers, width).quantize(COLOURS, method=Image.Quantize.FASTOCTREE)
    out = BytesIO()
    picture.save(out, "PNG", optimize=True)
    return out.getvalue()


@lru_cache(maxsize=64)
def gif(key: str, width: int = 480) -> bytes:
    """The movement there and back as an endless GIF of `width` pixels; raises NotFound."""
    ex = find(key)
    ground = mat(ex.mat, ex.camera)
    steps = [ground + step for step in moving(ex, STEPS, 24, ease)]
    span = [layer for step in steps for layer in step]
    images = [_flat(_image(step, span, width)) for step in steps]
    shared = images[0].quantize(COLOURS)
    there = [image.quantize(palette=shared, dither=Image.Dither.NONE) for image in images]
    course = there + there[-2:0:-1]
    waits = [HOLD_MS if i in (0, len(there) - 1) else STEP_MS for i in range(len(course))]
    out = BytesIO()
    course[0].save(out, "GIF", save_all=True, append_images=course[1:], duration=waits, loop=0, optimize=False)
    return out.getvalue()


def _flat(image: Image.Image) -> Image.Image:
    """GIF knows no half-transparent corner: the card's page colour fills it."""
    ground = Image.new("RGBA", image.size, LIGHT.page)
    ground.alpha_composite(image.convert("RGBA"))
    return ground.convert("RGB")
