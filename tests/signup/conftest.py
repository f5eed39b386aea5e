"""A studio with one gift, one series and two forms, and a visitor who can press their buttons."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from io import BytesIO
from pathlib import Path

import pikepdf
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from newsletter import clock, tokens, worker
from newsletter.audience.models import Subscriber
from newsletter.database.engine import db, transaction
from newsletter.delivery.models import Delivery, MailboxMessage
from newsletter.magnets import actions as magnets
from newsletter.sequences.series import load_series
from newsletter.settings import current
from newsletter.signup.models import Form
from newsletter.signup.rules import ConsentMode
from newsletter.tokens import Purpose

SERIES = Path(__file__).resolve().parents[2] / "emails" / "core-series"


def small_pdf() -> bytes:
    """One empty page."""
    made = pikepdf.new()
    made.add_blank_page()
    out = BytesIO()
    made.save(out)
    return out.getvalue()


@dataclass
class Visitor:
    """A person with a browser, at the doors of the studio."""

    client: FlaskClient
    form_ids: dict[str, int]

    def stamp(self, slug: str = "stretches", age: timedelta = timedelta(seconds=5)) -> str:
        """The stamp of a form that was opened `age` ago."""
        return tokens.sign(current().secret_key, Purpose.FORM, self.form_ids[slug], at=clock.now() - age)

    def sign_up(self, email: str, slug: str = "stretches", **more: str) -> TestResponse:
        """Press the button of a form."""
        fields = {"email": email, "stamp": self.stamp(slug), "page": "http://localhost:8000/?utm=1"} | more
        return self.client.post(f"/signup/{slug}", data=fields)

    def emails(self, to: str = "") -> list[EmailMessage]:
        """Let the worker do its work, and read the mailbox, oldest first."""
        worker.take_turn()
        assert not worker.failed
        kept = db.session.scalars(select(MailboxMessage).order_by(MailboxMessage.id)).all()
        db.session.rollback()
        return [message_from_bytes(m.content, policy=policy.default) for m in kept if to in m.recipient]

    def link(self, email: EmailMessage, kind: str) -> str:
        """The path of the first link of that kind in the text part."""
        text = email.get_body(("plain",)).get_content()  # type: ignore[union-attr]
        found = re.search(rf"http://localhost:8000(/{kind}/[\w-]+)", text)
        assert found, text
        return found[1]

    def confirm(self, email: str, slug: str = "stretches") -> TestResponse:
        """Sign up and press the button in the confirmation email."""
        self.sign_up(email, slug)
        return self.client.post(self.link(self.emails(email)[-1], "confirm"), follow_redirects=True)


@pytest.fixture
def visitor(app: Flask) -> Visitor:
    """A visitor, and the forms `stretches`, `hips` (subscribe and get it), `plain` (send me the PDF, with a box)."""
    now = clock.now()
    with transaction() as session:
        series = load_series(session, SERIES, now)
        gift = magnets.upload(session, small_pdf(), 1, None, title="Four stretches", name="stretches.pdf", now=now)
        other = magnets.upload(session, small_pdf(), 1, None, title="Three hips", name="hips.pdf", now=now)
        forms = [
            _form("stretches", gift.id, series.id, ConsentMode.SUBSCRIBE),
            _form("plain", gift.id, series.id, ConsentMode.MAGNET),
            _form("hips", other.id, series.id, ConsentMode.SUBSCRIBE),
        ]
        session.add_all(forms)
        session.flush()
        ids = {form.slug: form.id for form in forms}
    worker.failed.clear()
    return Visitor(app.test_client(), ids)


def _form(slug: str, magnet_id: int, sequence_id: int, mode: ConsentMode) -> Form:
    return Form(
        slug=slug,
        name=slug,
        magnet_id=magnet_id,
        sequence_id=sequence_id,
        tag=slug,
        mode=mode,
        button="Send it",
        wording="You get the PDF.",
        box="And the follow-ups.",
        created_at=clock.now(),
    )


def person(email: str) -> Subscriber | None:
    """The subscriber with that address, as the database has it now."""
    db.session.rollback()
    return db.session.scalar(select(Subscriber).where(Subscriber.email_key == email))


def reasons(email: str) -> list[str]:
    """Why a person has emails in the ledger, oldest first."""
    found = select(Delivery.reason).join(Subscriber, Subscriber.id == Delivery.subscriber_id)
    rows = db.session.scalars(found.where(Subscriber.email_key == email).order_by(Delivery.id)).all()
    db.session.rollback()
    return list(rows)
