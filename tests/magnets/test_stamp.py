"""The reader's name on the page."""

from __future__ import annotations

import io
import time

import pikepdf
import pypdfium2
import pytest
from pikepdf import Name

from newsletter.magnets.rules import Paper
from newsletter.magnets.stamp import stamp, words
from tests.magnets.conftest import Pages
from tests.magnets.test_press import elements, text_sizes


def text_of(pdf: bytes) -> str:
    with pypdfium2.PdfDocument(pdf) as document:
        return document[0].get_textpage().get_text_bounded()


@pytest.mark.parametrize("paper", [Paper.A4, Paper.LETTER])
@pytest.mark.parametrize("name", ["Alice", "Zoë", "Łukasz", "Bo\u0308rje", "Ştefania", "O’Hara"])
def test_names_of_europe_stand_on_the_page_as_text(pages: Pages, paper: Paper, name: str) -> None:
    stamped = stamp(pages[paper].pdf, name)
    composed = name.replace("o\u0308", "ö")
    assert f"For {composed}" in text_of(stamped)
    with pikepdf.open(io.BytesIO(stamped)) as pdf:
        assert len(pdf.pages) == 1
    assert len(stamped) < 300 * 1024


@pytest.mark.parametrize("name", ["", "  ", "花子", "Zoë 花", "x" * 80, "\u202eevil"])
def test_a_name_that_cannot_be_set_leaves_the_page_as_it_is(pages: Pages, name: str) -> None:
    assert stamp(pages[Paper.A4].pdf, name) is pages[Paper.A4].pdf


def test_the_name_is_in_the_free_corner(pages: Pages) -> None:
    """The stamp covers nothing: where it stands the kept page is blank."""
    before, after = pages[Paper.A4].pdf, stamp(pages[Paper.A4].pdf, "Maximiliane Josephine")
    pictures = []
    for pdf in (before, after):
        with pypdfium2.PdfDocument(pdf) as document:
            pictures.append(document[0].render(scale=1).to_pil().convert("L"))
    corner = (380, 25, 560, 50)
    assert pictures[0].crop(corner).getextrema()[0] == 255
    assert pictures[1].crop(corner).getextrema()[0] < 120
    assert pictures[0].crop((0, 55, 595, 841)).tobytes() == pictures[1].crop((0, 55, 595, 841)).tobytes()


def test_the_name_is_real_content_read_first(pages: Pages) -> None:
    """PDF/UA-1, clause 7.1: the stamp is part of the structure, and the parent tree knows it."""
    with pikepdf.open(io.BytesIO(stamp(pages[Paper.A4].pdf, "Łukasz"))) as pdf:
        first = elements(pdf.Root.StructTreeRoot.K[0])[1]
        assert first.S == Name.P
        marks = pdf.Root.StructTreeRoot.ParentTree.Nums[1]
        assert marks[int(first.K[0])].objgen == first.objgen
        with pdf.open_metadata() as metadata:
            assert metadata["pdfuaid:part"] == "1"


def test_the_fonts_of_the_stamp_are_inside(pages: Pages) -> None:
    with pikepdf.open(io.BytesIO(stamp(pages[Paper.A4].pdf, "Łukasz"))) as pdf:
        fonts = pdf.pages[0].Resources.Font
        ours = [font.DescendantFonts[0] for name, font in fonts.items() if "SemiBold" in name]
        assert len(ours) == 2
        assert all(font.FontDescriptor.FontFile2.read_bytes()[:4] == b"\0\1\0\0" for font in ours)


def test_the_stamp_is_legible(pages: Pages) -> None:
    assert min(text_sizes(stamp(pages[Paper.A4].pdf, "Alice"))) >= 8.99


def test_same_page_and_name_give_the_same_bytes(pages: Pages) -> None:
    """A broken download is continued with a second request; its bytes must belong to the first."""
    assert stamp(pages[Paper.A4].pdf, "Zoë") == stamp(pages[Paper.A4].pdf, "Zoë")


def test_stamping_takes_milliseconds(pages: Pages) -> None:
    stamp(pages[Paper.A4].pdf, "Alice")
    best = 1.0
    for _ in range(5):
        begun = time.perf_counter()
        stamp(pages[Paper.A4].pdf, "Alice")
        best = min(best, time.perf_counter() - begun)
    assert best < 0.05


def test_words_are_one_line() -> None:
    assert "".join(run.text for run in words(" Ann \n Marie ")) == "For Ann Marie"
