"""Applications for tests: one that most tests share, and some of their own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from typing import Any

from flask import Flask, g, has_app_context
from flask.testing import FlaskClient
from sqlalchemy import event

from newsletter.application import create_app
from newsletter.database.engine import db
from newsletter.web.limits import limiter

SECRET = "a secret that only the tests know, 32 and more"


class Browser(FlaskClient):
    """A browser whose every request begins with an empty `g`.

    Tests stand in one application context, and Flask lets requests share it: without this, whoever signed in first
    in a test would be taken for the visitor of every later request, a stranger's too.
    """

    def open(self, *args: Any, **kwargs: Any) -> Any:
        """Send a request."""
        for name in list(g) if has_app_context() else ():
            g.pop(name)
        return super().open(*args, **kwargs)


def environment(tmp_path: Path, **more: str) -> dict[str, str]:
    """The settings of a test application in its own folder."""
    return {"DATA_DIR": str(tmp_path), "SECRET_KEY": SECRET, "BASE_URL": "http://localhost:8000"} | more


def running(url: str, folder: Path, **more: str) -> Iterator[Flask]:
    """An application of its own on that database with further settings, and its context."""
    with _within(_made(url, folder, **more)) as app:
        yield app
    with app.app_context():
        db.engine.dispose()


def _made(url: str, folder: Path, **more: str) -> Flask:
    more = {"DATABASE_URL": url, "QUEUE_URL": f"sqlite:///{folder / 'queue.db'}"} | more
    app = create_app(environment(folder, **more))
    app.config.update(TESTING=True, WTF_CSRF_ENABLED=False)
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.test_client_class = Browser
    with app.app_context():
        if db.engine.dialect.name == "sqlite":
            # Nothing here has to outlast a power cut.
            event.listen(db.engine, "connect", lambda raw, _: raw.execute("PRAGMA synchronous=OFF"))
    return app


@contextmanager
def _within(app: Flask) -> Iterator[Flask]:
    limiter.init_app(app)  # there is one for all applications, and it counts where the last one told it to
    with app.app_context():
        yield app
        app.extensions["clicks"].flush()  # its thread would write them into the next test's database
        db.session.remove()


class Site:
    """One application on one database, for test after test.

    To make an application, and what it makes at first use (templates, statements), takes longer than most tests do.
    """

    def __init__(self, folder: Path, url: str = "") -> None:
        self.folder = folder
        self.url = url or f"sqlite:///{folder / 'supple.db'}"
        self._app = _made(self.url, folder)
        self._config, self._extensions = dict(self._app.config), dict(self._app.extensions)

    def clear(self) -> None:
        """Leave nothing in its folder."""
        shutil.rmtree(self.folder)
        self.folder.mkdir()

    @contextmanager
    def opened(self) -> Iterator[Flask]:
        """The application as it was when it was made: without the settings, rooms and caches of other tests."""
        app = self._app
        app.config.clear()
        app.config.update(self._config)
        app.extensions.clear()
        app.extensions |= {name: copy(one) if type(one) is dict else one for name, one in self._extensions.items()}
        with _within(app):
            heard = _listeners()
            yield app
            assert _listeners() == heard, "a test still listens to the database, and would hear the next one"
        if self.url.startswith("sqlite"):
            self.close()  # its file goes away

    def close(self) -> None:
        """End its connections."""
        with self._app.app_context():
            db.engine.dispose()


def _listeners() -> int:
    told = db.engine.dispatch
    return len(list(told.before_cursor_execute)) + len(list(told.commit))
