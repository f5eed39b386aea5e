"""The back office of this room."""

from newsletter.accounts.gate import admin_blueprint

bp = admin_blueprint("subscribers", __name__, "/admin/subscribers")
