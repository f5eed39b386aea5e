"""Public pages of this room."""

from flask import Blueprint

bp = Blueprint("signup", __name__)
