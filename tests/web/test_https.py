"""Behind https, browsers are told to come back by https only, and cookies travel by nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from newsletter.application import create_app
from newsletter.database.engine import db


@pytest.mark.parametrize(
    ("base_url", "strict"), [("https://letters.example.org", True), ("http://localhost:8000", False)]
)
def test_strict_transport_security_follows_the_base_url(tmp_path: Path, base_url: str, strict: bool) -> None:
    app = create_app({"DATA_DIR": str(tmp_path), "BASE_URL": base_url})
    answer = app.test_client().get("/nowhere")
    assert ("Strict-Transport-Security" in answer.headers) is strict
    assert app.config["SESSION_COOKIE_SECURE"] is strict
    with app.app_context():
        db.engine.dispose()
