"""Each benchmark still runs, at its smallest: what nobody runs for a month is broken when it is wanted."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bench import postfix
from bench.table import at_least, at_most
from tests.house import ROOT

LONGEST = 240  # seconds, on a machine that does much else
POSTFIX = pytest.mark.skipif(
    not all(map(postfix.find, ("smtp-sink", "smtp-source", "openssl"))),
    reason="smtp-sink, smtp-source or openssl is missing; Debian has them in the packages postfix and openssl",
)


@pytest.mark.parametrize(
    ("part", "says"),
    [
        ("everyday", "press the gift, A4"),
        ("making", "fill in one reader's words and links"),
        pytest.param("sending", "and Ed25519", marks=POSTFIX),
        ("planning", "recipients, PostgreSQL"),
        ("waiting", "meanwhile"),
        ("ledger", "record the answer"),
        pytest.param("growth", "peak memory of the worker", marks=POSTFIX),
        ("distance", "no pipelining"),
        ("ticks", "emails seen sent"),
        ("forecast", "under way, PostgreSQL"),
        ("worlds", "0 differ"),
        ("crash", "yes"),  # nothing missing, nothing doubled unlisted
        pytest.param("anatomy", "all of it, in one process", marks=POSTFIX),
    ],
)
def test_a_part_runs_at_its_smallest(part: str, says: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench", part, "--tiny"], cwd=ROOT, capture_output=True, text=True, timeout=LONGEST
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert says in done.stdout


def test_a_part_that_is_not_there_is_refused_by_name() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench", "everything"], cwd=ROOT, capture_output=True, text=True, timeout=LONGEST
    )
    assert done.returncode == 2
    assert "there is no part everything" in done.stderr


@pytest.mark.parametrize(
    ("verdict", "ratio", "met"),
    [(at_least, 0.99, False), (at_least, 1.0, True), (at_most, 3.0, True), (at_most, 3.1, False)],
)
def test_a_goal_is_met_at_its_very_edge_and_not_beyond(verdict: object, ratio: float, met: bool) -> None:
    assert callable(verdict)
    assert verdict(ratio, 3.0 if verdict is at_most else 1.0)[2] is met
