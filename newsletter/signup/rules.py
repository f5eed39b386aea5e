"""What a sign-up leads to, and who is kept out."""

from __future__ import annotations

from enum import StrEnum


class ConsentMode(StrEnum):
    """What pressing the button means (semantics 1.7)."""

    SUBSCRIBE = "subscribe"  # "subscribe and get it": follow-ups are part of the deal
    MAGNET = "magnet"  # "send me the PDF": follow-ups only with the separate box, which starts unticked
