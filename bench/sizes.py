"""How much is measured: everything, quickly, or just enough to see that a benchmark runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """Numbers of emails, and seconds."""

    broadcast: int = 20_000
    growing: tuple[int, ...] = (10_000, 100_000, 1_000_000)
    large: int = 1_000_000
    piece: float = 60  # seconds of sending out of the large broadcast
    signups: int = 120
    pause: float = 0.4  # seconds between two sign-ups
    distant: int = 8_000
    connections: int = 50
    kills: int = 1_000
    openssl: int = 5
    readers: int = 100_000  # under way in series
    worlds: int = 5_000


FULL = Sizes()
QUICK = Sizes(
    broadcast=2_000,
    growing=(1_000, 5_000, 20_000),
    large=20_000,
    piece=15,
    signups=20,
    distant=1_500,
    kills=20,
    openssl=2,
    readers=10_000,
    worlds=100,
)
TINY = Sizes(
    broadcast=60,
    growing=(40, 1_000),
    large=400,
    piece=0.5,
    signups=2,
    pause=0.1,
    distant=60,
    connections=5,
    kills=2,
    openssl=1,
    readers=300,
    worlds=4,
)
