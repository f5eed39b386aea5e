"""The pressed page: one, tagged, legible, light, and never made with anybody else's files."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pikepdf
import pypdfium2
import pytest
from pikepdf import Name
from PIL import Image

from newsletter.errors import MagnetError
from newsletter.magnets import manuscript, press, sheet
from newsletter.magnets.press import OurFiles
from newsletter.magnets.rules import Paper
from tests.magnets.conftest import IMPRINT, Pages

BOTH = pytest.mark.parametrize("paper", [Paper.A4, Paper.LETTER])
PAINTING = {"Tj", "TJ", "f", "F", "f*", "S", "s", "B", "b", "B*", "b*", "sh", "Do"}
POINTS = {Paper.A4: (595.3, 841.9), Paper.LETTER: (612.0, 792.0)}


def opened(pages: Pages, paper: Paper) -> pikepdf.Pdf:
    return pikepdf.open(io.BytesIO(pages[paper].pdf))


def elements(node: Any) -> list[Any]:
    """Every element below a node of the structure tree, in reading order."""
    if not isinstance(node, pikepdf.Dictionary):
        return []
    kids = node.get(Name.K, [])
    below = kids if isinstance(kids, pikepdf.Array) else [kids]
    return [node, *(found for kid in below for found in elements(kid))]


@BOTH
def test_is_exactly_one_page_of_that_paper(pages: Pages, paper: Paper) -> None:
    with opened(pages, paper) as pdf:
        assert len(pdf.pages) == 1
        size = [float(side) for side in pdf.pages[0].mediabox[2:]]
    assert size == pytest.approx(POINTS[paper], abs=0.5)


@BOTH
def test_weighs_less_than_300_kilobytes(pages: Pages, paper: Paper) -> None:
    assert len(pages[paper].pdf) < 300 * 1024


@BOTH
def test_says_that_it_is_pdf_ua_with_language_and_title(pages: Pages, paper: Paper) -> None:
    with opened(pages, paper) as pdf:
        assert str(pdf.Root.Lang) == "en"
        assert str(pdf.docinfo[Name.Title]) == sheet.starter().title
        assert bool(pdf.Root.ViewerPreferences.DisplayDocTitle)
        assert bool(pdf.Root.MarkInfo.Marked)
        with pdf.open_metadata() as metadata:
            assert metadata["pdfuaid:part"] == "1"


@BOTH
def test_is_tagged_in_reading_order(pages: Pages, paper: Paper) -> None:
    with opened(pages, paper) as pdf:
        kinds = [str(element.S) for element in elements(pdf.Root.StructTreeRoot.K[0]) if Name.S in element]
    assert kinds[0] == "/Document"
    assert kinds.count("/H1") == 1
    assert kinds.count("/H2") == 4
    assert kinds.index("/H1") < kinds.index("/Figure") < kinds.index("/H2") < kinds.index("/Link")
    assert kinds.count("/LI") == sum(len(item.steps) for item in sheet.starter().items)


@BOTH
def test_every_picture_has_words(pages: Pages, paper: Paper) -> None:
    with opened(pages, paper) as pdf:
        tags = [element for element in elements(pdf.Root.StructTreeRoot.K[0]) if element.get(Name.S) == Name.Figure]
        told = [str(tag.get(Name.Alt, "")) for tag in tags]
    assert told[:4] == [item.alt for item in sheet.starter().items]
    assert "letters.example.org/video" in told[4]
    assert len(told) == 5


@BOTH
def test_every_picture_is_where_its_box_says(pages: Pages, paper: Paper) -> None:
    """In points from the foot of the page: inside each box there is ink, and the boxes stand below one another."""
    with opened(pages, paper) as pdf:
        tags = [element for element in elements(pdf.Root.StructTreeRoot.K[0]) if element.get(Name.S) == Name.Figure]
        boxes = [[float(side) for side in tag.A.BBox] for tag in tags]
    with pypdfium2.PdfDocument(pages[paper].pdf) as document:
        grey = document[0].render(scale=1).to_pil().convert("L")
    for left, foot, right, top in boxes:
        picture = grey.crop((round(left), round(grey.height - top), round(right), round(grey.height - foot)))
        assert picture.getextrema()[0] < 80
    assert [box[1] for box in boxes] == sorted((box[1] for box in boxes), reverse=True)


@BOTH
def test_all_content_is_marked(pages: Pages, paper: Paper) -> None:
    """PDF/UA-1, clause 7.1: whatever is painted is inside the structure or an artifact."""
    with opened(pages, paper) as pdf:
        depth, loose = 0, 0
        for operands, operator in pikepdf.parse_content_stream(pdf.pages[0]):
            name = str(operator)
            depth += {"BDC": 1, "BMC": 1, "EMC": -1}.get(name, 0)
            loose += name in PAINTING and depth == 0
            assert operands is not None
    assert loose == 0


@BOTH
def test_all_fonts_are_ours_and_inside(pages: Pages, paper: Paper) -> None:
    with opened(pages, paper) as pdf:
        fonts = [font.DescendantFonts[0] for font in pdf.pages[0].Resources.Font.values()]
        names = {str(font.BaseFont).partition("+")[2] for font in fonts}
        assert all(Name.FontFile2 in font.FontDescriptor or Name.FontFile3 in font.FontDescriptor for font in fonts)
    assert names == {"Fraunces-Semi-Bold", "Figtree", "Figtree-Semi-Bold"}


@BOTH
def test_no_text_is_smaller_than_nine_points(pages: Pages, paper: Paper) -> None:
    sizes = text_sizes(pages[paper].pdf)
    assert len(sizes) > 50
    assert min(sizes) >= 8.99  # the size goes through a matrix of floats


def text_sizes(pdf: bytes) -> list[float]:
    """The size of every piece of text as it comes out on paper, in points."""
    with pypdfium2.PdfDocument(pdf) as document:
        raw = pypdfium2.raw
        found = []
        for thing in document[0].get_objects(filter=[raw.FPDF_PAGEOBJ_TEXT], max_depth=6):
            size = raw.c_float()
            raw.FPDFTextObj_GetFontSize(thing.raw, size)
            found.append(abs(size.value * thing.get_matrix().d))
    return found


@BOTH
def test_uses_the_page_to_its_end(pages: Pages, paper: Paper) -> None:
    with pypdfium2.PdfDocument(pages[paper].pdf) as document:
        shade = document[0].render(scale=0.5).to_pil().convert("L")
    left, top, right, bottom = shade.point(lambda value: 255 if value < 250 else 0).getbbox() or (0, 0, 0, 0)
    wide, high = shade.size
    assert left < wide * 0.08
    assert right > wide * 0.92
    assert top < high * 0.06
    assert bottom > high * 0.94


@BOTH
def test_is_clear_in_black_and_white(pages: Pages, paper: Paper) -> None:
    """The darkest part of a picture is far from its card also without colour."""
    with pypdfium2.PdfDocument(pages[paper].pdf) as document:
        grey = document[0].render(scale=1).to_pil().convert("L")
    card = grey.crop((60, 160, 280, 330))
    assert card.getextrema()[0] < 80
    assert card.getextrema()[1] > 230


@BOTH
def test_leads_to_the_video_and_the_studio(pages: Pages, paper: Paper) -> None:
    with opened(pages, paper) as pdf:
        targets = {str(note.A.URI) for note in pdf.pages[0].Annots}
        assert all(str(note.Contents) for note in pdf.pages[0].Annots)
    assert targets == {IMPRINT.url, IMPRINT.video}


def test_preview_is_a_picture_of_the_page(pages: Pages) -> None:
    with Image.open(io.BytesIO(pages[Paper.A4].preview)) as picture:
        assert picture.format == "PNG"
        assert picture.size == (900, 1273)


def test_too_many_words_are_refused_in_words() -> None:
    starter = sheet.starter()
    long = tuple(
        replace(item, steps=("Breathe in and out, very slowly and with care. " * 5,) * 4) for item in starter.items
    )
    with pytest.raises(MagnetError, match="does not fit on one page") as refused:
        press.press(replace(starter, items=long * 2), IMPRINT, Paper.A4)
    assert "9 pt" in refused.value.means
    assert "Shorten" in refused.value.remedy


def test_a_short_sheet_fills_the_page_with_large_type() -> None:
    starter = sheet.starter()
    made = press.press(replace(starter, items=starter.items[:2]), IMPRINT, Paper.A4)
    assert made.fit.type == press.LARGEST
    assert made.fit.art == press.ARTS[0]


@pytest.mark.parametrize(
    "address",
    [
        "https://example.org/pixel.png",
        "file:///etc/passwd",
        "data:text/plain,hello",
        "font:../../pyproject.toml",
        "http:x",
    ],
)
def test_the_press_fetches_nothing_from_elsewhere(address: str) -> None:
    with pytest.raises(ValueError, match="nothing from outside"):
        OurFiles(IMPRINT).fetch(address)


def test_words_cannot_become_markup() -> None:
    starter = sheet.starter()
    page = manuscript.html(replace(starter, title="<img src=file:///etc/passwd> & more"), IMPRINT)
    assert "<img src=file" not in page
    assert "&lt;img src=file" in page


def test_source_hash_changes_with_every_word_and_the_studio() -> None:
    starter = sheet.starter()
    hashes = {
        manuscript.source_hash(starter, IMPRINT),
        manuscript.source_hash(replace(starter, when="On Mondays."), IMPRINT),
        manuscript.source_hash(starter, replace(IMPRINT, signature="Yours")),
        manuscript.source_hash(starter, replace(IMPRINT, video="https://elsewhere.example/video")),
    }
    assert len(hashes) == 4
    assert manuscript.source_hash(sheet.starter(), IMPRINT) in hashes
