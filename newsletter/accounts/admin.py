"""Signing in and out, the operator's own account, the studio's settings."""

from __future__ import annotations

from flask import Blueprint

bp = Blueprint("accounts", __name__, url_prefix="/admin")


@bp.get("/sign-in")
def sign_in() -> str:
    """The sign-in page."""
    return ""
