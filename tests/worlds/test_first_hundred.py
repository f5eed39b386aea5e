"""The first hundred invented worlds; in files of their own, so that both cores have one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.worlds.proof import prove


@pytest.mark.parametrize("seed", range(100))
def test_3_21_the_forecast_of_thirty_days_is_what_then_happens(emptied: Callable[[], None], seed: int) -> None:
    emptied()
    shown = prove(seed)
    assert not shown.differences, str(shown)
