"""How Alembic reaches the application's database; run by Flask-Migrate."""

import importlib
from contextlib import contextmanager
from pathlib import Path

from alembic import context
from flask import current_app

from newsletter.database.base import Base

ROOMS = Path(__file__).resolve().parent.parent.parent
for models in sorted(ROOMS.glob("*/models.py")):
    importlib.import_module(f"newsletter.{models.parent.name}.models")


def include_object(_thing, name, kind, _reflected, _compare_to):
    """Leave Huey's own tables alone, where the queue is in the same database."""
    return not (kind == "table" and name.startswith("huey_"))


@contextmanager
def unlinked(connection):
    """Let SQLite change tables by making them anew: with its foreign keys on, dropping the old one empties others.

    As https://www.sqlite.org/lang_altertable.html section 7 says; the setting counts only outside of a transaction.
    """
    if connection.dialect.name != "sqlite":
        yield
        return
    raw = connection.connection.driver_connection
    raw.execute("PRAGMA foreign_keys=OFF")
    try:
        yield
    finally:
        raw.execute("PRAGMA foreign_keys=ON")


def run_migrations() -> None:
    """Bring the database up to date, all migrations in one transaction."""
    engine = current_app.extensions["migrate"].db.engine
    with engine.connect() as connection, unlinked(connection):
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            render_as_batch=True,
            compare_type=True,
            include_object=include_object,
            user_module_prefix="base.",
        )
        with context.begin_transaction():
            context.run_migrations()
            if connection.dialect.name == "sqlite" and connection.exec_driver_sql("PRAGMA foreign_key_check").first():
                raise RuntimeError("the migration would leave rows that point at nothing; nothing was changed")


run_migrations()
