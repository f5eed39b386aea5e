"""The studio's own colour, as the stylesheet that follows base.css."""

from __future__ import annotations

from flask import Blueprint, Response

from newsletter.accounts import colours
from newsletter.errors import NotFound

bp = Blueprint("studio", __name__)


@bp.get("/theme/<accent>.css")
def theme(accent: str) -> Response:
    """The shades of one accent colour; the colour stands in the address, so a copy stays right for good."""
    try:
        answer = Response(colours.stylesheet(f"#{accent}"), mimetype="text/css")
    except ValueError as problem:
        raise NotFound("There is no such colour.") from problem
    answer.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return answer
