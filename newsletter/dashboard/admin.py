"""The back office of this room."""

from newsletter.accounts.gate import admin_blueprint

bp = admin_blueprint("dashboard", __name__, "/admin")
