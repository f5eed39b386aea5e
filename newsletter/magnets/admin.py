"""The back office of this room."""

from newsletter.accounts.gate import admin_blueprint

bp = admin_blueprint("magnets_admin", __name__, "/admin/magnets")
