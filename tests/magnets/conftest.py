"""Gifts to test with: pages pressed once per test process, and the people who have them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from newsletter.audience.models import Subscriber
from newsletter.audience.rules import Status
from newsletter.database.engine import transaction
from newsletter.magnets import actions, press, sheet
from newsletter.magnets.press import Made
from newsletter.magnets.rules import Paper
from newsletter.magnets.sheet import Imprint

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
IMPRINT = Imprint(
    name="Your Studio",
    url="https://letters.example.org",
    video="https://letters.example.org/video",
    postal_address="12 Garden Row, Exampletown",
    signature="Move well, and see you on the mat.",
)
Pages = dict[Paper, Made]


@pytest.fixture(scope="session")
def pages() -> Pages:
    """The shipped sheet on both papers."""
    return {paper: press.press(sheet.starter(), IMPRINT, paper) for paper in (Paper.A4, Paper.LETTER)}


@dataclass(frozen=True)
class Given:
    """Ids of a gift and of a person who has it, and the link in their email."""

    magnet_id: int
    subscriber_id: int
    grant_id: int
    url: str

    @property
    def path(self) -> str:
        """The link without the site."""
        return self.url.removeprefix("http://localhost:8000")


def person(session: Session, name: str, status: Status = Status.CONFIRMED, **more: object) -> Subscriber:
    """A subscriber called `name`, confirmed in the past unless they are still pending."""
    confirmed = None if status == Status.PENDING else NOW
    values: dict[str, object] = {"first_name": name, "status": status, "created_at": NOW, "confirmed_at": confirmed}
    address = f"{name.encode('ascii', 'ignore').decode().lower() or 'reader'}@example.org"
    found = Subscriber(email=address, email_key=address, **(values | more))
    session.add(found)
    session.flush()
    return found


Give = Callable[..., Given]


@pytest.fixture
def give(app: Flask, pages: Pages) -> Give:
    """Give the finished stretch series to somebody: `give("Alice")`, `give("Bob", Status.UNSUBSCRIBED)`."""

    def giving(name: str, status: Status = Status.CONFIRMED, *, made: bool = True, title: str = "") -> Given:
        with transaction() as session:
            magnet = actions.create(session, sheet.starter(), NOW, file_name=title)
            if made:
                for paper, page in pages.items():
                    actions.keep(session, magnet.id, paper, "s" * 64, page.pdf, 1, page.preview, now=NOW)
            reader = person(session, name, status)
            granted = actions.grant(session, magnet.id, reader.id, NOW)
            return Given(magnet.id, reader.id, granted.id, actions.download_url(granted, NOW))

    return giving
