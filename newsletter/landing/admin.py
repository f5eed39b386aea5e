"""The back office of this room."""

from newsletter.accounts.gate import admin_blueprint

bp = admin_blueprint("landing_admin", __name__, "/admin/pages")
