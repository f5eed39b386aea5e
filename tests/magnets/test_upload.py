"""Uploaded files: believed by their content only."""

from __future__ import annotations

import io
from collections.abc import Callable

import pikepdf
import pytest
from pikepdf import Array, Dictionary, Name, String

from newsletter.errors import MagnetError
from newsletter.magnets import upload
from newsletter.magnets.rules import LARGEST_UPLOAD, Paper
from tests.magnets.conftest import Pages


def saved(change: Callable[[pikepdf.Pdf], object] = bool, **how: object) -> bytes:
    """A small PDF of two pages with something changed in it."""
    pdf = pikepdf.new()
    pdf.add_blank_page(page_size=(300, 400))
    pdf.add_blank_page(page_size=(300, 400))
    change(pdf)
    out = io.BytesIO()
    pdf.save(out, **how)  # type: ignore[arg-type]
    return out.getvalue()


def _open_with_script(pdf: pikepdf.Pdf) -> None:
    pdf.Root.OpenAction = Dictionary(S=Name.JavaScript, JS=String("app.alert(1)"))


def _named_script(pdf: pikepdf.Pdf) -> None:
    script = pdf.make_indirect(Dictionary(S=Name.JavaScript, JS=pdf.make_stream(b"app.alert(1)")))
    pdf.Root.Names = Dictionary(JavaScript=Dictionary(Names=Array([String("a"), script])))


def _launching_link(pdf: pikepdf.Pdf) -> None:
    action = Dictionary(S=Name.Launch, F=String("calc.exe"))
    pdf.pages[1].Annots = Array([Dictionary(Type=Name.Annot, Subtype=Name.Link, Rect=Array([0, 0, 9, 9]), A=action)])


def _page_action(pdf: pikepdf.Pdf) -> None:
    pdf.pages[0].obj.AA = Dictionary(O=Dictionary(S=Name.SubmitForm, F=String("https://example.org")))


def _buried_script(pdf: pikepdf.Pdf) -> None:
    action = Dictionary(S=Name.JavaScript, JS=String("app.alert(1)"))
    for _ in range(60):
        action = Dictionary(S=Name.URI, URI=String("https://example.org"), Next=Array([action]))
    pdf.Root.OpenAction = action


def _web_link(pdf: pikepdf.Pdf) -> None:
    action = Dictionary(S=Name.URI, URI=String("https://example.org"))
    pdf.pages[1].Annots = Array([Dictionary(Type=Name.Annot, Subtype=Name.Link, Rect=Array([0, 0, 9, 9]), A=action)])


def test_a_plain_pdf_is_taken() -> None:
    assert upload.checked(saved()) == 2
    assert upload.checked(saved(_web_link)) == 2


def test_our_own_pages_are_taken(pages: Pages) -> None:
    assert upload.checked(pages[Paper.A4].pdf) == 1


@pytest.mark.parametrize("change", [_open_with_script, _named_script, _launching_link, _page_action, _buried_script])
@pytest.mark.parametrize("packed", [pikepdf.ObjectStreamMode.disable, pikepdf.ObjectStreamMode.generate])
def test_scripts_and_launchers_are_refused(change: Callable[[pikepdf.Pdf], None], packed: object) -> None:
    with pytest.raises(MagnetError, match="runs scripts"):
        upload.checked(saved(change, object_stream_mode=packed))


@pytest.mark.parametrize("user", ["secret", ""])
def test_locked_files_are_refused(user: str) -> None:
    with pytest.raises(MagnetError, match="locked"):
        upload.checked(saved(encryption=pikepdf.Encryption(owner="owner", user=user)))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "No file"),
        (b"<html>gift.pdf</html>", "not a PDF"),
        (b"PK\x03\x04" + b"\0" * 2000 + b"%PDF-1.7", "not a PDF"),
        (b"%PDF-1.7\nnothing more", "damaged"),
        (b"%PDF-1.7" + b"\0" * LARGEST_UPLOAD, "20 MB"),
    ],
)
def test_what_is_no_pdf_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(MagnetError, match=said):
        upload.checked(content)


def test_preview_of_a_strange_shape_stays_small() -> None:
    pdf = pikepdf.new()
    pdf.add_blank_page(page_size=(3, 14_000))
    out = io.BytesIO()
    pdf.save(out)
    assert len(upload.preview(out.getvalue())) < 100_000
