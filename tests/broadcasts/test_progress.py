"""How far a broadcast is, in words and as a bar."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.broadcasts.models import Broadcast
from newsletter.broadcasts.progress import NARROWEST, WIDTH, progress
from newsletter.broadcasts.queries import Tally
from newsletter.broadcasts.rules import BroadcastState

NOW = datetime(2026, 3, 4, 9, 30, tzinfo=UTC)


def at(state: BroadcastState, **more: object) -> Broadcast:
    """A broadcast to a thousand readers, all proved and planned."""
    values = {"through_id": 1000, "proved_to": 1000, "planned_to": 1000, "proved": 1000, "rate": 0.0, "paused_why": ""}
    return Broadcast(id=1, state=state, started_at=NOW, **(values | {"finished_at": None} | more))


SENDING, PAUSED, STARTING = BroadcastState.SENDING, BroadcastState.PAUSED, BroadcastState.STARTING
DONE, CANCELED = BroadcastState.DONE, BroadcastState.CANCELED


@pytest.mark.parametrize(
    ("broadcast", "tally", "headline", "aside"),
    [
        (
            at(STARTING, proved_to=250, proved=212, planned_to=0),
            Tally(),
            "Checking everybody’s email before the first one leaves",
            "Each is made once, to see that it works for every reader. 212 so far.",
        ),
        (at(STARTING, planned_to=500), Tally(500, planned=400, accepted=100), "100 sent, and more are being lined up",
         "400 people wait for their turn."),
        (at(SENDING, rate=3000.0), Tally(10_000, planned=6000, accepted=4000), "4,000 of 10,000 sent",
         "3,000 a minute, about 2 minutes left."),
        (at(SENDING), Tally(10, under_way=1, accepted=9), "9 of 10 sent", "1 person waits for their turn."),
        (at(SENDING), Tally(10, deferred=2, accepted=8), "8 of 10 sent",
         "Everybody’s turn has come. 2 people will be tried again, for up to three days."),
        (at(SENDING), Tally(10, uncertain=2, accepted=8), "8 of 10 sent",
         "Everybody’s turn has come. The uncertain ones wait for your decision."),
        (at(PAUSED), Tally(10, planned=7, accepted=3), "3 of 10 sent", "7 people wait until you go on."),
        (at(DONE), Tally(10, accepted=10), "Done: all 10 have it", ""),
        (at(DONE), Tally(1, accepted=1), "Done: it has reached its one reader", ""),
        (at(DONE), Tally(), "Done: there was nobody to send it to", ""),
        (at(DONE), Tally(10, accepted=9, rejected=1), "Done: 9 of 10 have it", ""),
        (at(CANCELED), Tally(10, planned=7, accepted=3), "Called off; 3 people had it already",
         "What waited is being taken out of the outbox."),
        (at(CANCELED, finished_at=NOW), Tally(10, canceled=10), "Called off; nobody got it", ""),
    ],
)  # fmt: skip
def test_2_10_what_the_page_says(broadcast: Broadcast, tally: Tally, headline: str, aside: str) -> None:
    shown = progress(broadcast, tally)
    assert (shown.headline, shown.aside) == (headline, aside)


@pytest.mark.parametrize(
    ("broadcast", "live", "buttons"),
    [
        (at(STARTING), True, (True, False, True)),
        (at(SENDING), True, (True, False, True)),
        (at(PAUSED), True, (False, True, True)),
        (at(DONE), False, (False, False, False)),
        (at(CANCELED), True, (False, False, False)),
        (at(CANCELED, finished_at=NOW), False, (False, False, False)),
    ],
)
def test_2_10_which_buttons_there_are(broadcast: Broadcast, live: bool, buttons: tuple[bool, ...]) -> None:
    shown = progress(broadcast, Tally(1, planned=1))
    assert (shown.may_pause, shown.may_resume, shown.may_cancel) == buttons
    assert shown.live is live


PARTS = ("planned", "accepted", "deferred", "rejected", "expired", "uncertain", "canceled")


@given(st.tuples(*(st.integers(0, 2_000_000) for _ in PARTS)))
def test_the_bar_is_full_and_shows_everything_that_is_there(numbers: tuple[int, ...]) -> None:
    parts = progress(at(SENDING), Tally(sum(numbers), **dict(zip(PARTS, numbers, strict=True)))).parts
    assert len(parts) == len([number for number in numbers if number])
    assert sum(part.number for part in parts) == sum(numbers)
    if parts:
        assert [part.x for part in parts] == [sum(part.width for part in parts[:n]) for n in range(len(parts))]
        assert sum(part.width for part in parts) == WIDTH
        assert min(part.width for part in parts) >= NARROWEST
