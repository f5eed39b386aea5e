"""The picture that social networks show for a page: 1200 × 630 PNG (the Open Graph size), made of its title and a figure."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

import resvg_py
from fontTools.pens.svgPathPen import SVGPathPen
from fontTools.ttLib import TTFont

WIDTH, HEIGHT = 1200, 630
FONT = Path(__file__).resolve().parents[2] / "static/vendor/fonts/fraunces/fraunces-latin-600-normal.woff2"
MARGIN = 72
COLUMN = 600  # width of the title
SIZES = (74, 66, 58, 50, 42)  # the largest in which the title takes at most five lines
_HEAD = re.compile(r"<svg [^>]*>")


class Face:
    """A typeface as outlines: no font has to be installed where the picture is made."""

    def __init__(self, path: Path) -> None:
        self.font = TTFont(path)
        self.glyphs = self.font.getGlyphSet()
        self.names: dict[int, str] = self.font.getBestCmap()
        self.em: int = self.font["head"].unitsPerEm

    def width(self, text: str, size: float) -> float:
        """How wide `text` is, in the unit of `size`."""
        return sum(self.glyphs[self._name(char)].width for char in text) * size / self.em

    def outline(self, text: str, x: float, y: float, size: float, colour: str) -> str:
        """`text` with its baseline starting at (x, y), as SVG paths."""
        scale = size / self.em
        found = []
        for char in text:
            glyph = self.glyphs[self._name(char)]
            pen = SVGPathPen(self.glyphs)
            glyph.draw(pen)
            found.append(
                f'<path transform="translate({x:.2f} {y:.2f}) scale({scale:.5f} {-scale:.5f})" d="{pen.getCommands()}"/>'
            )
            x += glyph.width * scale
        return f'<g fill="{colour}">{"".join(found)}</g>'

    def _name(self, char: str) -> str:
        return self.names.get(ord(char), ".notdef")


@lru_cache(maxsize=1)
def _face() -> Face:
    return Face(FONT)


def wrapped(face: Face, text: str, size: float, width: float) -> list[str]:
    """`text` in lines of at most `width`; a word longer than that has a line of its own."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and face.width(longer, size) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


@lru_cache(maxsize=32)
def png(title: str, studio: str, figure: str) -> bytes:
    """The picture for a page with that title; `figure` is an SVG with a 2:1 view box."""
    face = _face()
    size, lines = next(
        ((s, found) for s in SIZES if len(found := wrapped(face, title, s, COLUMN)) <= 5),
        (SIZES[-1], wrapped(face, title, SIZES[-1], COLUMN)[:5]),
    )
    top = HEIGHT / 2 - (len(lines) - 1) * size * 1.12 / 2 + size * 0.2
    words = "".join(face.outline(line, MARGIN, top + i * size * 1.12, size, "#2B2622") for i, line in enumerate(lines))
    drawn = _HEAD.sub('<svg x="640" y="190" width="540" height="270" viewBox="0 0 480 240">', figure, count=1)
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"><rect width="100%" height="100%" fill="#FBF7F0"/>'
        '<path fill="#F6E3D9" d="M905 62c118-10 240 36 277 140 34 96-30 214-139 264-113 52-259 44-339-30-77-72-93-190-30-272'
        ' 56-72 144-95 231-102Z"/>'
        f'{drawn}{words}<g transform="translate({MARGIN} 56) scale(1.15)">{MARK}</g>'
        f"{face.outline(studio, MARGIN + 62, 91, 32, '#2B2622')}</svg>"
    )
    return bytes(resvg_py.svg_to_bytes(svg_string=svg, width=WIDTH, height=HEIGHT, skip_system_fonts=True))


MARK = (
    '<path fill="#A84A27" d="M20 1.5c7.6-.6 14.2 3.200 17 10 2.700 6.600 1.900 15-2.700 20.800-4.400 5.400-11.600 7.300-18.500 5.700'
    'C8.900 36.400 3.300 31.600 1.900 24.600.6 17.600 3 9.700 8.300 5.300 11.600 2.600 15.700 1.800 20 1.500Z"/>'
    '<path fill="none" stroke="#FFF" stroke-width="3" stroke-linecap="round" d="M9 28.500c0-6.500 2.500-13 9-14 6-.9 8.500 2.500 8.500 6.500v7.500"/>'
    '<circle cx="30.300" cy="18.300" r="2.700" fill="#FFF"/>'
)
