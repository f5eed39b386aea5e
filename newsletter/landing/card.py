"""The picture that social networks show for a page: 1200 × 630 PNG (the Open Graph size), of its title and a figure."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

import resvg_py
from fontTools.pens.svgPathPen import SVGPathPen
from fontTools.ttLib import TTFont

WIDTH, HEIGHT = 1200, 630
STATIC = Path(__file__).resolve().parents[2] / "static"
FONT = STATIC / "vendor/fonts/fraunces/fraunces-latin-600-normal.woff2"
INK, PAPER, ACCENT_SOFT = "#2B2622", "#FBF7F0", "#F6E3D9"
MARGIN = 72
COLUMN = 520  # width of the title
LEADING = 1.14
SIZES = (72, 64, 56, 50, 44)  # the largest in which the title takes at most five lines
MOST_LINES = 5
BLOB = (
    "M905 62c118-10 240 36 277 140 34 96-30 214-139 264-113 52-259 44-339-30-77-72-93-190-30-272 56-72 144-95 231-102Z"
)
_HEAD = re.compile(r"<svg [^>]*>")


class Face:
    """A typeface as outlines: no font has to be installed where the picture is made."""

    def __init__(self, path: Path) -> None:
        font = TTFont(path)
        self.glyphs = font.getGlyphSet()
        self.names: dict[int, str] = font.getBestCmap()
        self.em: int = font["head"].unitsPerEm

    def width(self, text: str, size: float) -> float:
        """How wide `text` is, in the unit of `size`."""
        return float(sum(self.glyphs[self._name(char)].width for char in text) * size / self.em)

    def outline(self, text: str, x: float, y: float, size: float) -> str:
        """`text` with its baseline starting at (x, y), as SVG paths."""
        scale = size / self.em
        found = []
        for char in text:
            glyph = self.glyphs[self._name(char)]
            pen = SVGPathPen(self.glyphs)
            glyph.draw(pen)
            place = f"translate({x:.2f} {y:.2f}) scale({scale:.5f} {-scale:.5f})"
            found.append(f'<path fill="{INK}" transform="{place}" d="{pen.getCommands()}"/>')
            x += glyph.width * scale
        return "".join(found)

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


def balanced(face: Face, text: str, size: float) -> list[str]:
    """`text` in as few lines as the column allows, and those about equally long: no word is left alone at the end."""
    lines = wrapped(face, text, size, COLUMN)
    for width in range(COLUMN - 10, 0, -10):
        narrower = wrapped(face, text, size, width)
        if len(narrower) > len(lines) or max(face.width(line, size) for line in narrower) > width:
            break
        lines = narrower
    return lines


def _title(face: Face, text: str) -> str:
    tried = [(size, balanced(face, text, size)) for size in SIZES]
    size, lines = next((each for each in tried if len(each[1]) <= MOST_LINES), (SIZES[-1], tried[-1][1][:MOST_LINES]))
    top = HEIGHT / 2 - (len(lines) - 1) * size * LEADING / 2 + size * 0.3 + 24
    return "".join(face.outline(line, MARGIN, top + i * size * LEADING, size) for i, line in enumerate(lines))


def _placed(svg: str, x: float, y: float, width: float, height: float, box: str) -> str:
    return _HEAD.sub(f'<svg x="{x}" y="{y}" width="{width}" height="{height}" viewBox="{box}">', svg, count=1)


@lru_cache(maxsize=32)
def png(title: str, studio: str, figure: str) -> bytes:
    """The picture for a page with that title; `figure` is an SVG with a view box of 480 × 240."""
    face = _face()
    mark = (STATIC / "images/favicon.svg").read_text()
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">'
        f'<path fill="{PAPER}" d="M0 0h{WIDTH}v{HEIGHT}H0Z"/>'
        f'<path fill="{ACCENT_SOFT}" transform="translate(0 51)" d="{BLOB}"/>'
        f"{_placed(figure, 620, 170, 572, 286, '0 0 480 240')}"
        f"{_placed(mark, MARGIN, 56, 48, 48, '0 0 40 40')}"
        f"{face.outline(studio, MARGIN + 62, 90, 30)}{_title(face, title)}</svg>"
    )
    return bytes(resvg_py.svg_to_bytes(svg_string=svg, width=WIDTH, height=HEIGHT, skip_system_fonts=True))
