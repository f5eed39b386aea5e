"""Alice and Bob with an email each, and links that stand in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from flask import Flask

from newsletter import tokens
from newsletter.database.engine import transaction
from newsletter.settings import current
from newsletter.tokens import Purpose
from newsletter.tracking import actions
from newsletter.tracking.rules import Seen
from tests.people import ALICE, BOB, NOW, person

MOVES, HIPS = "https://example.org/moves?day=3#hips", "https://example.org/hips"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Version/17.5 Safari/604.1"


@dataclass(frozen=True)
class Post:
    """What went out: Alice got the email with ledger number 101, Bob the one with 102."""

    alice: int
    bob: int
    moves: int
    hips: int
    to_alice: int = 101
    to_bob: int = 102

    def click(self, link_id: int = 0, *, at: datetime = NOW, bob: bool = False, robot: bool = False) -> Seen:
        """Alice (or Bob) presses a link."""
        whose = (self.to_bob, self.bob) if bob else (self.to_alice, self.alice)
        return Seen(*whose, link_id or self.moves, at, robot)

    def token(self, *, bob: bool = False, sent_at: datetime = NOW - timedelta(days=1)) -> str:
        """What stands in the links of their email."""
        ids = (self.to_bob, self.bob) if bob else (self.to_alice, self.alice)
        return tokens.sign(current().secret_key, Purpose.CLICK, *ids, at=sent_at)


@pytest.fixture
def post(app: Flask) -> Post:
    """Both readers and both links."""
    with transaction() as session:
        alice, bob = person(session, ALICE), person(session, BOB)
        ids = actions.link_ids(session, [MOVES, HIPS])
    return Post(alice.id, bob.id, ids[MOVES], ids[HIPS])
