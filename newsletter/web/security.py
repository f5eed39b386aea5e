"""CSRF, cookies, and the headers that keep a page to itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from flask import Flask, Response, abort, g, request
from flask_wtf import CSRFProtect
from werkzeug.routing import IntegerConverter, Map

from newsletter.settings import Settings

csrf = CSRFProtect()
View = TypeVar("View", bound=Callable[..., object])

# Everything a page may load comes from this site; there is no inline script and no inline style anywhere.
POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "media-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "frame-src": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
}


def init(app: Flask, settings: Settings) -> None:
    """Give `app` its CSRF check, cookie rules and security headers."""
    app.config.update(
        SECRET_KEY=settings.secret_key,
        SESSION_COOKIE_NAME="supple",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.base_url.startswith("https://"),
        WTF_CSRF_TIME_LIMIT=None,  # as long as the session: a page left open over lunch still works
        WTF_CSRF_SSL_STRICT=False,  # wants a Referer, which privacy settings often leave out
    )
    csrf.init_app(app)
    app.url_map.converters["int"] = RowNumber
    app.before_request(_without_nul)
    app.after_request(_add_headers)
    if settings.base_url.startswith("https://"):
        app.after_request(_only_https)


def _only_https(response: Response) -> Response:
    response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")  # a year (RFC 6797)
    return response


class RowNumber(IntegerConverter):
    """A number in an address: one that no row can have is an address that does not exist, not an error."""

    def __init__(self, routes: Map) -> None:
        super().__init__(routes, max=2**31 - 1)


def _without_nul() -> None:
    if "\0" in request.path:  # PostgreSQL takes no NUL in a text, so nothing can have such an address
        abort(404)


def without_csrf(view: View) -> View:
    """Mark a view whose authority is a token in the request itself, not a cookie; say why at each use."""
    csrf.exempt(view)
    return view


def keep_to_itself(response: Response) -> Response:
    """For pages with a token in their address, which is somebody's own: to no other site and into no search engine."""
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Robots-Tag"] = "noindex"
    response.headers.setdefault("Cache-Control", "private, no-store")
    return response


def let(directive: str, sources: str) -> None:
    """Widen one directive of the content security policy for this answer only, for example frame-ancestors."""
    g.setdefault("csp", {})[directive] = sources


def _add_headers(response: Response) -> Response:
    policy = POLICY | g.get("csp", {})
    headers = response.headers
    headers.setdefault("Content-Security-Policy", "; ".join(f"{name} {value}" for name, value in policy.items()))
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "same-origin")
    # What may be kept says so itself. The other pages hold an address, a name or a link that is its reader's alone, and
    # must not wait in the Back button of a borrowed computer.
    headers.setdefault("Cache-Control", "no-store")
    headers.setdefault("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
    if policy["frame-ancestors"] == "'none'":
        headers.setdefault("X-Frame-Options", "DENY")
    return response
