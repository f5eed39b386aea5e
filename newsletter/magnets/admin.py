"""The back office of this room: look at gifts, fetch them, change their words, replace their files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from flask import Response, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from newsletter import clock
from newsletter.accounts import actions as accounts
from newsletter.accounts.gate import admin_blueprint, current_operator
from newsletter.database.engine import db, transaction
from newsletter.errors import InputError, MagnetError, NotFound, SuppleError
from newsletter.figures.exercises import EXERCISES
from newsletter.magnets import actions, queries, rules, sheet, upload
from newsletter.magnets.models import Magnet
from newsletter.magnets.rules import PAPER_WORDS, Paper
from newsletter.web.paging import list_page

log = structlog.get_logger()
bp = admin_blueprint("magnets_admin", __name__, "/admin/magnets")

# The fields of one move in the form, each followed by the move's number.
FIELDS = ("figure", "name", "aim", "dose", "caution")


def _find(magnet_id: int) -> Magnet:
    found = queries.magnet(db.session(), magnet_id)
    if found is None:
        raise NotFound("There is no such gift.", remedy="Look for it in the list of gifts.")
    return found


def _record(session: Any, action: str, magnet_id: int) -> None:
    accounts.record(session, action, by=current_operator().id, now=clock.now(), subject=f"magnet:{magnet_id}")


def _to(magnet_id: int, said: str) -> AnyResponse:
    flash(said)
    return redirect(url_for("magnets_admin.show", magnet_id=magnet_id), code=303)


@bp.errorhandler(MagnetError)
@bp.errorhandler(InputError)
def _refused(problem: SuppleError) -> AnyResponse:
    """Say what was wrong on the page where it was asked for; nothing was changed."""
    flash(str(problem), "problem")
    magnet_id = (request.view_args or {}).get("magnet_id")
    back = url_for("magnets_admin.show", magnet_id=magnet_id) if magnet_id else url_for("magnets_admin.gifts")
    return redirect(back, code=303)


@bp.get("")
def gifts() -> str:
    """All gifts with their picture, how often they were fetched, and what is wrong with them."""
    session = db.session()
    search = request.args.get("q", "").strip()
    listing = list_page(session, queries.magnets(search))
    return render_template(
        "magnets/admin_gifts.html",
        listing=listing,
        search=search,
        figures=queries.figures(session, [row.id for row in listing.rows]),
        newest={row.id: queries.newest(session, row) for row in listing.rows},
    )


@bp.get("/<int:magnet_id>")
def show(magnet_id: int) -> str:
    """One gift: its page, its files, and what can be done with it."""
    session, magnet = db.session(), _find(magnet_id)
    papers = (Paper.UPLOAD,) if magnet.uploaded else rules.PRINTED
    files = {paper: queries.newest(session, magnet, paper) for paper in papers}
    return render_template(
        "magnets/admin_gift.html",
        magnet=magnet,
        files={paper: file for paper, file in files.items() if file is not None and file.paper == paper},
        versions=queries.versions(session, magnet_id),
        figures=queries.figures(session, [magnet_id])[magnet_id],
        PAPER_WORDS=PAPER_WORDS,
    )


@bp.get("/<int:magnet_id>/file/<int:version_id>")
def file(magnet_id: int, version_id: int) -> Response:
    """One version's file, as it is kept: without a name, and not counted as a reader's download."""
    session, magnet = db.session(), _find(magnet_id)
    chosen = next((kept for kept in queries.versions(session, magnet_id) if kept.id == version_id), None)
    if chosen is None:
        raise NotFound("There is no such version of this gift.", remedy="Choose one from its page.")
    answer = Response(queries.content(session, chosen.blob_hash), mimetype=actions.PDF)
    answer.headers["Content-Disposition"] = rules.disposition("inline", magnet.file_name)
    answer.headers["Content-Security-Policy"] = "frame-ancestors 'none'"
    answer.headers["Cache-Control"] = "private, no-cache"
    return answer


@bp.post("/upload")
def add() -> AnyResponse:
    """A new gift from an uploaded PDF."""
    pdf, name = _received()
    pages, picture = upload.checked(pdf), _preview(pdf)
    with transaction() as session:
        made = actions.upload(
            session, pdf, pages, picture, title=request.form.get("title", "").strip(), name=name, now=clock.now()
        )
        _record(session, "gift.uploaded", made.id)
    return _to(made.id, "Your PDF is a gift now. Choose it in a page’s form to give it away.")


@bp.post("/<int:magnet_id>/upload")
def replace(magnet_id: int) -> AnyResponse:
    """Another PDF in place of this gift's; every link that was sent fetches it from now on."""
    _find(magnet_id)
    pdf, _name = _received()
    pages, picture = upload.checked(pdf), _preview(pdf)
    with transaction() as session:
        actions.replace(session, magnet_id, pdf, pages, picture, now=clock.now())
        _record(session, "gift.replaced", magnet_id)
    return _to(magnet_id, "Replaced. Every link that was ever sent fetches the new file from now on.")


def _received() -> tuple[bytes, str]:
    received = request.files.get("pdf")
    if received is None:
        return b"", ""
    with received.stream as stream:
        # One byte more than is allowed is enough to see that it is too much.
        return stream.read(rules.LARGEST_UPLOAD + 1), received.filename or ""


def _preview(pdf: bytes) -> bytes | None:
    try:
        return upload.preview(pdf)
    except Exception as problem:
        # The renderer stumbles over files that every reader program opens; a gift without a picture is a gift.
        log.warning("no preview", problem=type(problem).__name__)
        return None


@bp.post("/<int:magnet_id>/switches")
def switch(magnet_id: int) -> AnyResponse:
    """Whether the file goes along with the email, and carries the reader's name."""
    attach, stamp = "attach" in request.form, "stamp" in request.form
    with transaction() as session:
        actions.switch(session, magnet_id, attach=attach, stamp=stamp, now=clock.now())
        _record(session, "gift.changed", magnet_id)
    return _to(magnet_id, "Saved.")


@bp.post("/<int:magnet_id>/rebuild")
def rebuild(magnet_id: int) -> AnyResponse:
    """Press the page again, in the background."""
    with transaction() as session:
        actions.rebuild(session, magnet_id)
        _record(session, "gift.rebuilt", magnet_id)
    return _to(magnet_id, "It is on the press. Reload this page in half a minute; readers keep the present version.")


@bp.post("/<int:magnet_id>/back-to-sheet")
def back_to_sheet(magnet_id: int) -> AnyResponse:
    """Give out the pressed page again instead of the uploaded file."""
    with transaction() as session:
        actions.back_to_sheet(session, magnet_id, clock.now())
        _record(session, "gift.changed", magnet_id)
    return _to(magnet_id, "Readers get the page made from the sheet again.")


@bp.post("/new-sheet")
def new_sheet() -> AnyResponse:
    """A new gift that begins with the words of the shipped sheet."""
    with transaction() as session:
        made = actions.create(session, sheet.starter(), clock.now())
        _record(session, "gift.created", made.id)
    flash("Here is a sheet to begin with: make its words your own.")
    return redirect(url_for("magnets_admin.edit", magnet_id=made.id), code=303)


@bp.get("/<int:magnet_id>/sheet")
def edit(magnet_id: int) -> str:
    """The words of a sheet."""
    magnet = _find(magnet_id)
    return _form(magnet, magnet.sheet or sheet.starter().as_dict(), magnet.file_name)


@bp.post("/<int:magnet_id>/sheet")
def save(magnet_id: int) -> AnyResponse | tuple[str, int]:
    """Keep the words; the page is made in the background."""
    typed = typed_sheet(request.form)
    try:
        words = sheet.parse(typed)
    except MagnetError as problem:
        return _form(_find(magnet_id), typed, request.form.get("file_name", ""), problem), 400
    with transaction() as session:
        actions.edit(session, magnet_id, words, request.form.get("file_name", ""), clock.now())
        _record(session, "gift.edited", magnet_id)
    return _to(magnet_id, "Saved. The new page is made within a minute; until then readers get the last one.")


def _form(magnet: Magnet, words: Mapping[str, Any], file_name: str, problem: MagnetError | None = None) -> str:
    items = list(words.get("items") or [])
    return render_template(
        "magnets/admin_sheet.html",
        magnet=magnet,
        sheet=words,
        items=[*items, {}][: sheet.MOST_ITEMS],
        file_name=file_name,
        problem=problem,
        exercises=sorted((key, found.name) for key, found in EXERCISES.items()),
        longest=sheet.LONGEST,
    )


def typed_sheet(form: Mapping[str, str]) -> dict[str, Any]:
    """A sheet as the form sends it; a move without a name and without steps is one that was left out."""
    items = []
    for number in range(1, sheet.MOST_ITEMS + 1):
        item: dict[str, Any] = {field: form.get(f"{field}-{number}", "") for field in FIELDS}
        item["steps"] = [line for line in form.get(f"steps-{number}", "").splitlines() if line.strip()]
        if item["name"].strip() or item["steps"]:
            items.append(item)
    return {field: form.get(field, "") for field in ("title", "intro", "when", "note")} | {"items": items}
