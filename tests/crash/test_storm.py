"""Semantics 2.5: killing any process at any time loses nothing and doubles nothing."""

from __future__ import annotations

import random
from pathlib import Path

from flask import Flask

from tests.crash.storm import storm

KILLS = 100  # on each of the two databases


def test_2_5_a_hundred_kills_lose_nothing_and_double_nothing(app: Flask, tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(10**6)
    tally = storm(app, tmp_path, kills=KILLS, seed=seed)
    assert tally.violations == [], tally
    assert tally.killed.total() >= KILLS
    assert tally.killed["worker"] > KILLS // 2, tally
    assert min(tally.killed[who] for who in ("web", "peer")) > 0, tally
    assert tally.at_a_stage > KILLS // 4, tally
    assert min(tally.planning, tally.claiming) > 0, tally
    assert tally.emails > KILLS, tally
    assert tally.signed_up > 5, tally
    assert tally.queued, tally
    print(tally)
