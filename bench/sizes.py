"""How much is measured: everything, quickly, or just enough to see that a benchmark runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """Numbers of emails, and seconds."""

    broadcast: int = 20_000
    rounds: int = 3  # of a broadcast and its reference
    growing: tuple[int, ...] = (10_000, 100_000, 1_000_000)
    ledger: int = 100_000
    large: int = 1_000_000
    piece: float = 40  # seconds of a large broadcast that are sent at a time
    signed: tuple[str, ...] = ("RSA-2048", "RSA-2048 and Ed25519")
    visits: int = 12
    presses: int = 3  # of the gift
    signups: int = 120
    pause: float = 0.4  # seconds between two sign-ups
    distant: int = 8_000
    connections: int = 50
    kills: int = 1_000
    storms: tuple[str, ...] = ("sqlite", "postgresql")
    openssl: int = 5
    readers: int = 100_000  # under way in series
    worlds: int = 5_000


FULL = Sizes()
QUICK = Sizes(
    broadcast=2_000,
    rounds=1,
    growing=(1_000, 5_000, 20_000),
    ledger=5_000,
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
    broadcast=200,
    rounds=1,
    growing=(200, 2_500),
    ledger=1_000,
    large=400,
    piece=0.3,
    signed=("RSA-2048 and Ed25519",),
    visits=1,
    presses=1,
    signups=2,
    pause=0.1,
    distant=60,
    connections=5,
    kills=2,
    storms=("sqlite",),  # on the other one the suite has a whole storm
    openssl=1,
    readers=300,
    worlds=4,
)
