"""Pictures by the hash of their content: for emails, previews and pages."""

from __future__ import annotations

from flask import Blueprint, Response, abort

from newsletter.database import blobs
from newsletter.database.engine import db
from newsletter.messages import images

bp = Blueprint("media", __name__)

PICTURES = frozenset({"image/png", "image/gif", "image/jpeg"})
FOR_GOOD = "public, max-age=31536000, immutable"  # another content would have another name


@bp.get("/media/<name>.<kind>")
def picture(name: str, kind: str) -> Response:  # noqa: ARG001
    """A stored picture, or one that a preview just drew before any email stored it; `kind` is for mail programs."""
    kept = blobs.get(db.session(), name)
    if kept is not None and kept.content_type in PICTURES:
        return _answer(kept.content, kept.content_type)
    drawn = images.drawn_as(name)
    if drawn is None:
        abort(404)
    return _answer(drawn.content, drawn.content_type)


def _answer(content: bytes, content_type: str) -> Response:
    answer = Response(content, content_type=content_type)
    answer.headers["Cache-Control"] = FOR_GOOD
    answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"  # mail programs on the web show it on their pages
    return answer
