"""Showing an email's own HTML inside our pages without trusting a byte of it."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from flask import Response

from newsletter import settings
from newsletter.web.security import let

# The same words go into the iframe's sandbox attribute and into the header: the header also holds for somebody who
# opens the frame's address directly. No scripts, no forms, an origin of its own; a link opens a new window.
SANDBOX = "allow-popups allow-popups-to-escape-sandbox"

_HEAD = re.compile(r"<head(?:\s[^>]*)?>", re.IGNORECASE)
_DOCTYPE = re.compile(r"\A\s*<!doctype[^>]*>", re.IGNORECASE)
_NEW_WINDOW = '<base target="_blank">'


def isolated(html: str) -> Response:
    """An answer for a sandboxed iframe; pictures come from this site (also as BASE_URL names it) and from data:."""
    base = urlsplit(settings.current().base_url)
    for directive in ("script-src", "font-src", "media-src", "connect-src", "form-action", "frame-src"):
        let(directive, "'none'")
    let("style-src", "'unsafe-inline'")
    let("img-src", f"'self' data: {base.scheme}://{base.netloc}")
    let("frame-ancestors", "'self'")
    let("sandbox", SANDBOX)
    answer = Response(_links_in_new_window(html), mimetype="text/html")
    answer.headers["Referrer-Policy"] = "no-referrer"
    answer.headers["Cache-Control"] = "private, no-store"
    answer.headers["X-Robots-Tag"] = "noindex"
    return answer


def _links_in_new_window(html: str) -> str:
    """A link must not load a page into the small frame; that page would refuse to be framed anyway."""
    found = _HEAD.search(html) or _DOCTYPE.search(html)
    at = found.end() if found else 0
    return html[:at] + _NEW_WINDOW + html[at:]
