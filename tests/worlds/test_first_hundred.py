"""The first hundred invented worlds; in files of their own, so that both cores have one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.worlds.forgetting import Watch
from tests.worlds.proof import prove

WATCH = Watch()


@pytest.mark.parametrize("seed", range(100))
def test_3_21_the_forecast_of_thirty_days_is_what_then_happens(emptied: Callable[[], None], seed: int) -> None:
    emptied()
    shown = prove(seed, look=WATCH.look)
    assert not shown.differences, str(shown)


def test_3_21_a_hundred_worlds_notice_whatever_the_forecast_forgets() -> None:
    """Of the hundred that the test above has just made; if one of these fails, give `scenes` better odds."""
    if WATCH.worlds < 100:
        pytest.skip("Only after all of the hundred worlds.")
    assert not WATCH.unnoticed
