"""The first hundred invented worlds; in files of their own, so that both cores have one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.worlds.forgetting import Watch
from tests.worlds.inventing import invent
from tests.worlds.living import only_concerned
from tests.worlds.proof import prove

WATCH = Watch()


@pytest.mark.parametrize("seed", range(100))
def test_3_21_the_forecast_of_thirty_days_is_what_then_happens(emptied: Callable[[], None], seed: int) -> None:
    emptied()
    shown = prove(seed, look=WATCH.look)
    assert not shown.differences, str(shown)


def test_3_21_the_worlds_notice_whatever_the_forecast_forgets(emptied: Callable[[], None]) -> None:
    """The hundred of the test above, as a rule; where chance left something out, some more are made (and not lived)."""
    for seed in range(WATCH.worlds, 300):
        if not WATCH.unnoticed:
            break
        emptied()
        with only_concerned():
            WATCH.look(invent(seed))
    assert not WATCH.unnoticed
