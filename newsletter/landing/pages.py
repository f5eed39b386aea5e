"""Public pages of this room."""

from flask import Blueprint

bp = Blueprint("landing", __name__)
