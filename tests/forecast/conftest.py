"""The forecast stands on the series of the sequences' own tests."""

from __future__ import annotations

import pytest

from newsletter.forecast import looking
from tests.sequences.conftest import series

__all__ = ["series"]


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request may work as long as it takes here: the machine of a test may be busy."""
    for patient in (looking.look, looking.look_back):
        monkeypatch.setattr(patient, "__defaults__", (60.0,))
