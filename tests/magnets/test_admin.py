"""The operator's gifts."""

from __future__ import annotations

import io
from typing import Any

import pikepdf
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from newsletter.accounts.models import AuditEntry
from newsletter.database.engine import db, transaction
from newsletter.magnets import sheet
from newsletter.magnets.admin import typed_sheet
from newsletter.magnets.models import Magnet, MagnetVersion
from newsletter.magnets.rules import LARGEST_UPLOAD
from tests.accounts.people import signed_in
from tests.magnets.conftest import Give
from tests.magnets.test_upload import saved


@pytest.fixture
def desk(app: Flask) -> FlaskClient:
    """A signed-in operator's browser."""
    return signed_in(app)


def magnet(magnet_id: int) -> Magnet:
    db.session.rollback()
    return db.session.get_one(Magnet, magnet_id, populate_existing=True)


def pdf_file(content: bytes, name: str = "A short core workout.pdf") -> dict[str, Any]:
    """The form as a browser sends it; whole in memory, because the test client leaves big files of its own open."""
    boundary, body = encode_multipart({"pdf": FileStorage(io.BytesIO(content), name, "pdf", "application/pdf")})
    return {"data": body, "content_type": f"multipart/form-data; boundary={boundary}"}


def form_of(words: dict[str, Any]) -> dict[str, str]:
    """A sheet as the form would send it."""
    flat = {key: value for key, value in words.items() if isinstance(value, str)}
    for number, item in enumerate(words["items"], 1):
        flat |= {f"{key}-{number}": value for key, value in item.items() if key != "steps"}
        flat[f"steps-{number}"] = "\r\n".join(item["steps"])
    return flat


def test_charlie_sees_and_changes_nothing(app: Flask, give: Give) -> None:
    given, charlie = give("Alice"), app.test_client()
    here = given.magnet_id
    for path in (
        "/admin/magnets",
        f"/admin/magnets/{here}",
        f"/admin/magnets/{here}/sheet",
        f"/admin/magnets/{here}/file/1",
    ):
        assert charlie.get(path).status_code == 302
    for path in ("/admin/magnets/upload", "/admin/magnets/new-sheet"):
        assert charlie.post(path, **pdf_file(saved())).status_code == 403
    for path in (
        f"/admin/magnets/{here}/upload",
        f"/admin/magnets/{here}/switches",
        f"/admin/magnets/{here}/rebuild",
        f"/admin/magnets/{here}/back-to-sheet",
        f"/admin/magnets/{here}/sheet",
    ):
        assert charlie.post(path, **pdf_file(saved())).status_code == 403
    assert magnet(given.magnet_id).uploaded is False
    assert db.session.scalars(select(Magnet)).one().attach is False


def test_the_list_shows_pictures_and_figures(desk: FlaskClient, give: Give) -> None:
    given = give("Alice")
    desk.get(given.path)
    page = desk.get("/admin/magnets").text
    assert "4 feel-good stretches" in page
    assert "/media/" in page
    assert page.count("<dd>1</dd>") == 2
    assert "Nothing found" in desk.get("/admin/magnets?q=knitting").text


def test_one_gift_offers_both_papers(desk: FlaskClient, give: Give) -> None:
    given = give("Alice")
    page = desk.get(f"/admin/magnets/{given.magnet_id}").text
    assert "Download A4" in page
    assert "Download US Letter" in page
    version = db.session.scalars(select(MagnetVersion).where(MagnetVersion.paper == "letter")).one()
    file = desk.get(f"/admin/magnets/{given.magnet_id}/file/{version.id}")
    assert file.mimetype == "application/pdf"
    with pikepdf.open(io.BytesIO(file.data)) as pdf:
        assert round(float(pdf.pages[0].mediabox[2])) == 612
    assert desk.get(f"/admin/magnets/{given.magnet_id}/file/999").status_code == 404
    assert desk.get("/admin/magnets/999").status_code == 404


def test_the_press_error_is_said_in_words(desk: FlaskClient, give: Give) -> None:
    given = give("Alice")
    with transaction() as session:
        session.get_one(Magnet, given.magnet_id).press_error = "The sheet does not fit on one page."
    assert "does not fit on one page" in desk.get(f"/admin/magnets/{given.magnet_id}").text
    assert "could not be made" in desk.get("/admin/magnets").text


def test_an_uploaded_pdf_becomes_a_gift(desk: FlaskClient) -> None:
    answer = desk.post("/admin/magnets/upload", **pdf_file(saved()), follow_redirects=True)
    assert "is a gift now" in answer.text
    made = db.session.scalars(select(Magnet)).one()
    assert (made.title, made.file_name, made.uploaded) == ("A short core workout", "A short core workout.pdf", True)
    file = db.session.scalars(select(MagnetVersion)).one()
    assert (file.paper, file.pages) == ("upload", 2)
    assert file.preview_hash
    assert db.session.scalars(select(AuditEntry.action).order_by(AuditEntry.id.desc())).first() == "gift.uploaded"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "No file arrived"),
        (b"MZ this is a program", "not a PDF"),
        (saved(encryption=pikepdf.Encryption(owner="a", user="b")), "locked with a password"),
        (b"%PDF-1.7" + b"\0" * LARGEST_UPLOAD, "may have 20 MB"),
    ],
    ids=["nothing", "program", "locked", "heavy"],
)
def test_what_cannot_be_taken_is_refused_in_words(desk: FlaskClient, content: bytes, said: str) -> None:
    answer = desk.post("/admin/magnets/upload", **pdf_file(content), follow_redirects=True)
    assert said in answer.text
    assert db.session.scalars(select(Magnet)).all() == []


def test_replacing_and_going_back(desk: FlaskClient, give: Give) -> None:
    given = give("Alice")
    here = given.magnet_id
    other = saved()
    assert (
        "fetches the new file"
        in desk.post(f"/admin/magnets/{here}/upload", **pdf_file(other), follow_redirects=True).text
    )
    assert desk.get(given.path).data == other
    assert "uploaded file" in desk.post(f"/admin/magnets/{here}/rebuild", follow_redirects=True).text
    assert "from the sheet again" in desk.post(f"/admin/magnets/{here}/back-to-sheet", follow_redirects=True).text
    assert desk.get(given.path).data != other


def test_an_uploaded_gift_has_no_sheet_to_go_back_to(desk: FlaskClient) -> None:
    desk.post("/admin/magnets/upload", **pdf_file(saved()))
    made = db.session.scalars(select(Magnet)).one()
    answer = desk.post(f"/admin/magnets/{made.id}/back-to-sheet", follow_redirects=True)
    assert "has no sheet" in answer.text


def test_1_6_the_switches(desk: FlaskClient, give: Give) -> None:
    given = give("Alice")
    here = given.magnet_id
    desk.post(f"/admin/magnets/{here}/switches", data={"attach": "yes"})
    assert (magnet(given.magnet_id).attach, magnet(given.magnet_id).stamp) == (True, False)
    heavy = saved(_with_noise, compress_streams=False)
    desk.post(f"/admin/magnets/{here}/upload", **pdf_file(heavy))
    assert magnet(given.magnet_id).attach is False
    answer = desk.post(f"/admin/magnets/{here}/switches", data={"attach": "yes"}, follow_redirects=True)
    assert "Above 2 MB" in answer.text
    assert magnet(given.magnet_id).attach is False


def _with_noise(pdf: pikepdf.Pdf) -> None:
    pdf.Root.Noise = pdf.make_indirect(pdf.make_stream(bytes(range(256)) * 9000))


def test_a_rebuild_waits_for_the_press(desk: FlaskClient, give: Give) -> None:
    given = give("Alice")
    answer = desk.post(f"/admin/magnets/{given.magnet_id}/rebuild", follow_redirects=True)
    assert "on the press" in answer.text
    assert desk.get(given.path).status_code == 200


def test_the_sheet_is_edited_in_a_form(desk: FlaskClient, give: Give) -> None:
    given = give("Alice")
    here = given.magnet_id
    assert "Thread the needle" in desk.get(f"/admin/magnets/{here}/sheet").text
    words = form_of(sheet.starter().as_dict()) | {
        "title": "Three stretches",
        "name-4": "",
        "steps-4": "",
        "file_name": "Drei",
    }
    assert "Saved" in desk.post(f"/admin/magnets/{here}/sheet", data=words, follow_redirects=True).text
    kept = magnet(given.magnet_id)
    assert (kept.title, kept.file_name, len(kept.sheet["items"])) == ("Three stretches", "Drei.pdf", 3)


def test_a_mistake_in_the_form_keeps_what_was_typed(desk: FlaskClient, give: Give) -> None:
    given = give("Alice")
    here = given.magnet_id
    words = form_of(sheet.starter().as_dict()) | {"title": "Typed <b>with care</b>", "steps-1": "Only one."}
    answer = desk.post(f"/admin/magnets/{here}/sheet", data=words)
    assert answer.status_code == 400
    assert "Move 1 has 1 instructions" in answer.text
    assert "Typed &lt;b&gt;with care" in answer.text
    assert magnet(given.magnet_id).title == sheet.starter().title


def test_a_new_sheet_begins_with_the_shipped_words(desk: FlaskClient) -> None:
    answer = desk.post("/admin/magnets/new-sheet", follow_redirects=True)
    assert "make its words your own" in answer.text
    assert "Cat–cow" in answer.text
    desk.post("/admin/magnets/new-sheet")
    slugs = set(db.session.scalars(select(Magnet.slug)))
    assert len(slugs) == 2


def test_the_form_says_the_same_as_the_sheet() -> None:
    words = sheet.starter().as_dict()
    assert sheet.parse(typed_sheet(form_of(words))) == sheet.starter()
