"""The built-in mailbox."""

from __future__ import annotations

import re
from io import BytesIO
from urllib.parse import urlsplit

from flask import Blueprint, abort, flash, redirect, render_template, request, send_file, url_for
from markupsafe import Markup, escape
from werkzeug.wrappers import Response

from newsletter import settings
from newsletter.accounts.gate import require_operator
from newsletter.database.engine import db, transaction
from newsletter.delivery import mailbox, relay_rows
from newsletter.delivery.opening import Opened, open_email
from newsletter.errors import NotFound
from newsletter.web import searching
from newsletter.web.isolation import SANDBOX, isolated
from newsletter.web.limits import client_ip
from newsletter.web.paging import list_page
from newsletter.web.security import let

bp = Blueprint("mailbox", __name__, url_prefix="/mailbox")

VIEWS = {"html": "As they see it", "text": "Text", "headers": "Headers", "source": "Source"}
LONGEST_SOURCE = 200_000  # bytes shown; a PDF inside would make the page megabytes long, and it can be downloaded
LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
LOCAL_PEERS = frozenset({"127.0.0.1", "::1", "::ffff:127.0.0.1"})
_LINK = re.compile(r"https?://[^\s<>\"]+[^\s<>\".,;:!?)\]]")


@bp.before_request
def only_where_it_belongs() -> Response | None:
    """No mailbox beside a real mail server, and none for strangers: it holds every link that was ever mailed."""
    found = settings.current()
    if not relay_rows.into_mailbox(db.session()):
        abort(404)
    return None if found.is_local and _is_at_this_machine() else require_operator()


def _is_at_this_machine() -> bool:
    """Whether the request was made on this machine, as far as can be seen.

    The Host header is asked because a page elsewhere may make its own name point here; the peer, because a stranger may
    write any Host; the headers of proxies, because one on this machine passes strangers on.
    """
    if any(name in request.headers for name in ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via")):
        return False
    host = urlsplit(f"//{request.host}").hostname
    return host in LOCAL_HOSTS and client_ip() in LOCAL_PEERS


@bp.get("")
def messages() -> str:
    """The emails that arrived, newest first."""
    search = searching.asked()
    listing = list_page(db.session(), mailbox.listed(search))
    query = searching.in_address(search)
    return render_template("mailbox/messages.html", listing=listing, search=search, query=query)


@bp.post("/find")
def find() -> Response:
    """Search the mailbox; an address that is looked for never stands in the page's own address."""
    return searching.shown("mailbox.messages")


@bp.get("/<int:number>")
def message(number: int) -> str:
    """One email, seen in one of four ways."""
    found = mailbox.find(db.session(), number)
    opened = open_email(found.content)
    view = _view(request.args.get("view", ""), opened)
    newer, older = mailbox.neighbours(db.session(), number)
    return render_template(
        "mailbox/message.html",
        message=found,
        opened=opened,
        view=view,
        views=VIEWS,
        sandbox=SANDBOX,
        phone=request.args.get("width") == "phone",
        text=linked(opened.text),
        source=found.content[:LONGEST_SOURCE].decode("utf-8", "backslashreplace"),
        cut=len(found.content) > LONGEST_SOURCE,
        newer=newer,
        older=older,
    )


def _view(asked: str, opened: Opened) -> str:
    if asked in VIEWS:
        return asked
    return "html" if opened.html else "text"


def linked(text: str) -> Markup:
    """Plain text, escaped, with its web addresses as links."""
    parts, position = [], 0
    for match in _LINK.finditer(text):
        parts.append(escape(text[position : match.start()]))
        parts.append(Markup('<a href="{0}" rel="noopener noreferrer" target="_blank">{0}</a>').format(match[0]))
        position = match.end()
    parts.append(escape(text[position:]))
    return Markup("").join(parts)


@bp.get("/<int:number>/html")
def html(number: int) -> Response:
    """The email's own HTML, for the frame."""
    return isolated(open_email(mailbox.find(db.session(), number).content).html_with_pictures)


@bp.get("/<int:number>/parts/<int:part_number>")
def part(number: int, part_number: int) -> Response:
    """One attached file, always to be saved, never shown."""
    parts = open_email(mailbox.find(db.session(), number).content).parts
    found = next((part for part in parts if part.number == part_number), None)
    if found is None:
        raise NotFound("This email has no such attachment.", remedy="Go back to the email and choose one of its files.")
    let("sandbox", "")
    return send_file(BytesIO(found.content), mimetype=found.content_type, as_attachment=True, download_name=found.name)


@bp.get("/<int:number>/source.eml")
def source(number: int) -> Response:
    """The email's bytes as a file that mail programs open."""
    found = mailbox.find(db.session(), number)
    let("sandbox", "")
    return send_file(
        BytesIO(found.content),
        mimetype="application/octet-stream",
        as_attachment=True,
        download_name=f"email-{number}.eml",
    )


@bp.post("/delete")
def delete_all() -> Response:
    """Empty the mailbox."""
    with transaction() as session:
        mailbox.empty(session)
    flash("The mailbox is empty now.")
    return redirect(url_for("mailbox.messages"))
