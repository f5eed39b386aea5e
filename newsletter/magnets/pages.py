"""Public pages of this room."""

from flask import Blueprint

bp = Blueprint("magnets", __name__)
