"""The back office of this room."""

from newsletter.accounts.gate import admin_blueprint

bp = admin_blueprint("broadcasts", __name__, "/admin/broadcasts")
