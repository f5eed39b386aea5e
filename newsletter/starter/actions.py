"""Loading the starter content, once, into an empty database."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import yaml
from sqlalchemy.orm import Session

from newsletter.accounts import actions as accounts
from newsletter.landing import actions as landing
from newsletter.landing import queries as landing_queries
from newsletter.landing.actions import Draft
from newsletter.magnets import actions as magnets
from newsletter.magnets import sheet
from newsletter.sequences.series import load_series
from newsletter.signup import actions as signup
from newsletter.signup.models import Form
from newsletter.signup.rules import ConsentMode

HERE = Path(__file__).resolve().parent
SERIES = HERE.parent.parent / "emails" / "core-series"


def load_if_empty(session: Session, now: datetime) -> bool:
    """Load article, gift, series and form when there is no page yet; returns whether it did."""
    if session.scalar(landing_queries.pages("").limit(1)) is not None:
        return False
    accounts.ensure_studio(session)
    magnet = magnets.create(session, sheet.starter(), now, slug="stretch-series")
    sequence = load_series(session, SERIES, now)
    form = signup.create_form(
        session,
        "stretches",
        now,
        name="Stretch PDF",
        magnet_id=magnet.id,
        sequence_id=sequence.id,
        tag="stretches",
        mode=ConsentMode.SUBSCRIBE,
        button="Send me the PDF",
        wording=(
            "You get the one-page PDF and, over the next three weeks, a short series of workouts by email. "
            "After that, a new workout now and then. You can leave with one press at any time."
        ),
    )
    _article(session, form, now)
    return True


def _article(session: Session, form: Form, now: datetime) -> None:
    _, front_matter, body = (HERE / "article.md").read_text(encoding="utf-8").split("---\n", 2)
    front = yaml.safe_load(front_matter)
    draft = Draft(
        slug=str(front["slug"]),
        title=str(front["title"]),
        summary=str(front["summary"]),
        body=body,
        form_id=form.id,
    )
    landing.save_page(session, None, draft, now)
