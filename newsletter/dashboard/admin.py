"""The overview."""

from __future__ import annotations

from flask import render_template

from newsletter.accounts.gate import admin_blueprint

bp = admin_blueprint("dashboard", __name__, "/admin")


@bp.get("/")
def overview() -> str:
    """What happened, what comes next, and what wants the operator's hand."""
    return render_template("dashboard/overview.html")
