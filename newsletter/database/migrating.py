"""Flask-Migrate and Alembic, apart from the engine: only who brings a database up to date carries them."""

from __future__ import annotations

from flask import Flask
from flask_migrate import Migrate

from newsletter.database.engine import db

migrate = Migrate(compare_type=True, render_as_batch=True)


def init(app: Flask) -> None:
    """Give `app`, which has its database, the commands that bring it up to date."""
    migrate.init_app(app, db, directory=f"{app.root_path}/newsletter/database/migrations")
