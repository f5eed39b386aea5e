"""The press: a sheet becomes a PDF of exactly one page, as large as it fits.

It works as a process of its own, `python -m newsletter.magnets.press`, which pressroom.py starts.
"""

from __future__ import annotations

import io
import os
import re
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import pikepdf
import resvg_py
import segno
from pikepdf import Name
from PIL import Image
from weasyprint import CSS, HTML
from weasyprint.document import Document
from weasyprint.text.fonts import FontConfiguration
from weasyprint.urls import URLFetcher, URLFetcherResponse

from newsletter import lifeline
from newsletter.errors import MagnetError
from newsletter.figures import drawing
from newsletter.magnets import pressroom
from newsletter.magnets.manuscript import ROOT, STYLE, html
from newsletter.magnets.pressroom import Printed
from newsletter.magnets.rules import PRINTED, Paper
from newsletter.magnets.sheet import Imprint, Sheet
from newsletter.magnets.upload import preview

FONTS = ROOT / "static" / "vendor" / "fonts"
SIZES = {Paper.A4: "A4", Paper.LETTER: "letter"}

# Nothing on paper is smaller than 9 pt: below that people with tired eyes put the page away.
SMALLEST = 9.0
COMFORTABLE = 10.0  # pt, of running text, at which a sheet on the floor beside the mat still reads well
LARGEST = 11.0  # pt; larger looks like a children’s book
TIGHT, CALM, AIRY, WIDE = 1.6, 3.2, 4.4, 12.0  # mm, half of it above and half below each row
ARTS = (98.0, 94.0, 90.0, 85.0, 80.0, 68.0, 56.0)  # mm, the width of a picture, in the order they are tried
ROUNDS = 4  # of bisection: to a fifteenth of a point, half a millimetre
FLATTEST = 2.5  # a flatter picture gets air above and below, so that the cards look like one family
LARGEST_FILE = 300 * 1024
POINTS_PER_PIXEL = 0.75
PATIENT = 5  # of niceness: emails and pages go before paper


@dataclass(frozen=True)
class Fit:
    """How large things are: `type` in points, `gap` and `art` in millimetres."""

    type: float
    gap: float
    art: float

    def css(self, paper: Paper) -> str:
        """The fit as the style sheet wants it."""
        small = max(SMALLEST, self.type * 0.88)
        return (
            f"@page {{ size: {SIZES[paper]} }} :root {{ --type: {self.type:.2f}pt; --small: {small:.2f}pt; "
            f"--gap: {self.gap:.2f}mm; --art: {self.art:.1f}mm }}"
        )


@dataclass(frozen=True)
class Made(Printed):
    """A finished page, and how large its text came out."""

    fit: Fit


class OurFiles(URLFetcher):  # type: ignore[misc]
    """Fetches our drawings, the QR code and our fonts, and nothing else: a sheet cannot make the press call anyone."""

    def __init__(self, imprint: Imprint) -> None:
        super().__init__(allowed_protocols=())
        self.imprint = imprint

    def fetch(self, url: str, headers: object = None) -> URLFetcherResponse:  # noqa: ARG002
        """The content of `figure:key`, `code:video` or `font:path`; raises ValueError for any other address."""
        scheme, _, name = url.partition(":")
        if scheme == "figure":
            return URLFetcherResponse(url, cropped(drawing.svg(name)), {"Content-Type": "image/svg+xml"})
        if url == "code:video":
            return URLFetcherResponse(url, qr(self.imprint.video), {"Content-Type": "image/svg+xml"})
        if scheme == "font" and name in _fonts():
            return URLFetcherResponse(url, _fonts()[name], {"Content-Type": "font/woff2"})
        raise ValueError("the press fetches nothing from outside")


@lru_cache(maxsize=1)
def _fonts() -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in FONTS.glob("*/*.woff2")}


def font_faces() -> str:
    """The vendored fonts as CSS; an extended alphabet is a family of its own, which the style sheet names second."""
    faces = []
    for name in sorted(_fonts()):
        family, _, rest = name.removesuffix(".woff2").partition("-")
        alphabet, weight, _ = rest.rsplit("-", 2)
        shown = family.title() + (" Ext" if alphabet == "latin-ext" else "")
        faces.append(f'@font-face {{ font-family: "{shown}"; font-weight: {weight}; src: url("font:{name}") }}')
    return "\n".join(faces)


@lru_cache(maxsize=64)
def cropped(picture: str) -> str:
    """An SVG picture without the empty margins around what is drawn: on paper every millimetre counts."""
    drawn = Image.open(io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=picture))))
    left, top, right, bottom = drawn.getchannel("A").getbbox() or (0, 0, *drawn.size)
    width = right - left + 4
    height = max(bottom - top + 4, width / FLATTEST)
    box = f'viewBox="{left - 2} {(top + bottom - height) / 2:.1f} {width} {height:.1f}"'
    return re.sub(r'viewBox="[^"]*" width="[^"]*" height="[^"]*"', box, picture, count=1)


def qr(address: str) -> str:
    """A QR code of `address` as SVG, dark on nothing, with the correction that survives a fold (level M)."""
    out = io.BytesIO()
    segno.make(address, error="m", micro=False).save(
        out, kind="svg", border=0, xmldecl=False, dark="#2b2622", light=None
    )
    return out.getvalue().decode()


def largest(low: float, high: float, fits: Callable[[float], bool]) -> float:
    """The largest value up to `high` that fits, by bisection; `low` is known to fit."""
    if fits(high):
        return high
    for _ in range(ROUNDS):
        middle = (low + high) / 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


class Press:
    """One sheet on one paper: lays it out as often as it takes to find the largest fit."""

    def __init__(self, sheet: Sheet, imprint: Imprint, paper: Paper) -> None:
        self.paper = paper
        self.files = OurFiles(imprint)
        self.fonts = FontConfiguration()
        self.document = HTML(string=html(sheet, imprint), base_url="", url_fetcher=self.files)
        self.style = CSS(string=font_faces() + STYLE.read_text(), font_config=self.fonts, url_fetcher=self.files)

    def lay_out(self, fit: Fit) -> Document:
        """The pages at this fit."""
        sizes = CSS(string=fit.css(self.paper), font_config=self.fonts, url_fetcher=self.files)
        return self.document.render(
            font_config=self.fonts, stylesheets=[self.style, sizes], pdf_variant="pdf/ua-1", optimize_images=False
        )

    def fits(self, fit: Fit) -> bool:
        """Whether everything stands on one page."""
        return len(self.lay_out(fit).pages) == 1

    def best(self) -> Fit:
        """The largest pictures that leave the type comfortable; what is left over becomes air, larger type, more air.

        Raises MagnetError when nothing fits at 9 pt.
        """
        fit = self._smallest()
        fit = replace(fit, gap=largest(fit.gap, AIRY, lambda gap: self.fits(replace(fit, gap=gap))))
        fit = replace(fit, type=largest(fit.type, LARGEST, lambda size: self.fits(replace(fit, type=size))))
        return replace(fit, gap=largest(fit.gap, WIDE, lambda gap: self.fits(replace(fit, gap=gap))))

    def _smallest(self) -> Fit:
        tries = [Fit(COMFORTABLE, CALM, art) for art in ARTS] + [Fit(SMALLEST, TIGHT, ARTS[-1])]
        found = next((fit for fit in tries if self.fits(fit)), None)
        if found is None:
            raise MagnetError(
                "The sheet does not fit on one page.",
                means=f"Even at {SMALLEST:g} pt, the smallest size that reads well, it runs onto a second page.",
                remedy="Shorten the instructions, or leave out a move. Readers keep getting the last good version.",
            )
        return found


def press(sheet: Sheet, imprint: Imprint, paper: Paper) -> Made:
    """Make the page; raises MagnetError when it cannot be one legible page under 300 KB, OSError on a full disk."""
    machine = Press(sheet, imprint, paper)
    fit = machine.best()
    pdf = with_true_boxes(machine.lay_out(fit).write_pdf(pdf_variant="pdf/ua-1"))
    if len(pdf) > LARGEST_FILE:
        raise MagnetError("The PDF is too heavy.", means=f"It has {len(pdf) // 1024} KB.", remedy="Leave out a move.")
    return Made(pdf, preview(pdf), fit)


def with_true_boxes(pdf: bytes) -> bytes:
    """The page with every picture's box where the picture is.

    WeasyPrint 70 writes these boxes in CSS pixels from the top; ISO 32000-1 (14.8.5.4.3) wants points from the foot:
    otherwise a reader program frames the wrong part of the page.
    """
    with pikepdf.open(io.BytesIO(pdf)) as document:
        height = float(document.pages[0].mediabox[3])
        for thing in document.objects:
            if isinstance(thing, pikepdf.Dictionary) and thing.get(Name.S) == Name.Figure and Name.A in thing:
                left, top, right, bottom = (float(side) * POINTS_PER_PIXEL for side in thing.A.BBox)
                thing.A.BBox = pikepdf.Array([left, height - bottom, right, height - top])
        out = io.BytesIO()
        document.save(out, deterministic_id=True)
    return out.getvalue()


def main() -> int:
    """Print the order on standard input for the worker whose process id is the first word, and end when it does."""
    lifeline.die_with(int(sys.argv[1]), signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the worker too, and the worker ends us
    os.nice(PATIENT)
    try:
        sheet, imprint = pressroom.told(sys.stdin.buffer.read())
        answer = pressroom.answered({paper: press(sheet, imprint, paper) for paper in PRINTED})
    except (MagnetError, OSError) as problem:
        answer = pressroom.apologised(problem)
    sys.stdout.buffer.write(answer)
    return 0


if __name__ == "__main__":
    sys.exit(main())
