"""A logo is drawn anew from what was uploaded."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from newsletter.accounts import logo
from newsletter.errors import InputError


def picture(kind: str, size: tuple[int, int] = (900, 300), **more: object) -> bytes:
    made = io.BytesIO()
    Image.new("RGB", size, "#A84A27").save(made, kind, **more)
    return made.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_picture_becomes_a_small_png(kind: str) -> None:
    with Image.open(io.BytesIO(logo.remake(picture(kind)))) as made:
        assert made.format == "PNG"
        assert made.size == (640, 213)


def test_what_is_hidden_behind_or_in_a_picture_is_gone() -> None:
    exif = Image.Exif()
    exif[0x010E] = "taken at home"
    made = logo.remake(picture("JPEG", exif=exif) + b"<script>alert(1)</script>")
    assert b"script" not in made
    assert b"taken at home" not in made


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.7",
        b"\x89PNG\r\n\x1a\n but no more",
        picture("GIF"),
        picture("PNG", (6001, 10)),
        b"x" * (logo.LARGEST_UPLOAD + 1),
    ],
    ids=["nothing", "svg", "pdf", "head only", "gif", "too wide", "too big"],
)
def test_anything_else_is_refused(content: bytes) -> None:
    with pytest.raises(InputError):
        logo.remake(content)
