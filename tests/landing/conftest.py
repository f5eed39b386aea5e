"""A small site: the shipped article as the front page with a form, and a second page."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from flask import Flask
from flask.testing import FlaskClient

from newsletter.accounts.models import Operator
from newsletter.database.engine import db, transaction
from newsletter.landing import actions
from newsletter.landing.actions import Draft
from newsletter.landing.models import Page
from newsletter.signup.models import Form
from tests.accounts.people import signed_in
from tests.people import NOW

ARTICLE = Path(__file__).resolve().parents[2] / "newsletter/starter/article.md"


def shipped() -> tuple[dict[str, str], str]:
    """Front matter and body of the article that ships."""
    _, front, body = ARTICLE.read_text(encoding="utf-8").split("---\n", 2)
    return yaml.safe_load(front), body


@pytest.fixture
def page(app: Flask) -> Page:
    """The front page, and behind it another page and a draft."""
    front, body = shipped()
    with transaction() as session:
        form = Form(slug="stretches", name="Stretches", button="Send it", wording="You get the PDF.", created_at=NOW)
        session.add(form)
        session.flush()
        first = actions.save_page(
            session, None, Draft(front["slug"], front["title"], front["summary"], body, form_id=form.id), NOW
        )
        actions.save_page(session, None, Draft("tight-hips", "Hips", "For hips.", "Slowly.", position=2), NOW)
        actions.save_page(session, None, Draft("secret", "Secret", "Not yet.", "Soon.", position=3, public=False), NOW)
    return first


@pytest.fixture
def operator(app: Flask) -> tuple[FlaskClient, Operator]:
    """A signed-in operator's browser, and who it is."""
    return signed_in(app), db.session.get_one(Operator, 1)
