"""Drawn exercises as files, and the picture for social networks."""

from __future__ import annotations

import gzip
import io
import os
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from newsletter.errors import NotFound
from newsletter.landing import card, drawings


@pytest.mark.parametrize("name", ["cat-cow", "cat-cow-dark", "cat-cow-moving", "cat-cow-moving-dark"])
def test_every_version_of_a_drawing_is_svg_without_a_script(name: str, tmp_path: Path) -> None:
    text = gzip.decompress(drawings.packed(name, tmp_path)).decode()
    tags = {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(text).iter()}  # noqa: S314 - our own
    assert tags <= {"svg", "g", "path", "title", "rect", "circle", "ellipse", "animate", "set", "desc"}
    assert ("animate" in tags) == ("-moving" in name)


def test_dark_and_light_differ(tmp_path: Path) -> None:
    assert drawings.packed("open-book", tmp_path) != drawings.packed("open-book-dark", tmp_path)


def test_a_drawing_is_made_once_and_kept(tmp_path: Path) -> None:
    drawn = drawings.packed("puppy-pose", tmp_path)
    (kept,) = tmp_path.iterdir()
    assert kept.read_bytes() == drawn
    kept.write_bytes(b"what is kept is not drawn again")
    drawings.packed.cache_clear()
    assert drawings.packed("puppy-pose", tmp_path) == b"what is kept is not drawn again"
    drawings.packed.cache_clear()


def test_a_disk_that_takes_nothing_only_means_drawing_again(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    assert gzip.decompress(drawings.packed("cat-cow", blocked / "figures")).startswith(b"<svg")


@pytest.mark.parametrize("name", ["nothing", "-dark", "cat-cow-dark-moving", "../../etc/passwd", "cat-cow/../x"])
def test_an_unknown_drawing_is_refused_and_touches_no_file(name: str, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        drawings.packed(name, tmp_path)
    assert os.listdir(tmp_path) == []


def test_the_address_of_a_drawing_changes_with_the_code_that_draws() -> None:
    assert drawings.url("cat-cow", moving=True, dark=True) == f"/figures/cat-cow-moving-dark.svg?v={drawings.mark()}"


@pytest.mark.parametrize(
    "title",
    [
        "Hi",
        "4 feel-good stretches for a tight upper back",
        "Donaudampfschifffahrtskapitän",
        "wide " * 60,
    ],
)
def test_the_card_has_the_size_that_networks_want_and_its_title_fits(title: str) -> None:
    drawn = Image.open(io.BytesIO(card.png(title, "Your Studio", drawings.drawing_of("cat-cow"))))
    assert (drawn.format, drawn.size) == ("PNG", (1200, 630))
    paper = (0xFB, 0xF7, 0xF0)
    edge = [drawn.convert("RGB").getpixel((x, y)) for x in range(0, 1200, 8) for y in (0, 20, 629)]
    assert set(edge) == {paper}


def test_no_word_stands_alone_at_the_end_of_a_title() -> None:
    face = card.Face(card.FONT)
    lines = card.balanced(face, "4 feel-good stretches for a tight upper back", 72)
    assert len(lines[-1].split()) > 1
    assert len(lines) == len(card.wrapped(face, " ".join(lines), 72, card.COLUMN))


def test_lines_break_between_words() -> None:
    face = card.Face(card.FONT)
    lines = card.wrapped(face, "4 feel-good stretches for a tight upper back", 64, 520)
    assert " ".join(lines) == "4 feel-good stretches for a tight upper back"
    assert all(face.width(line, 64) <= 520 for line in lines)
    assert len(lines) > 1
