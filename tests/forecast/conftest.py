"""The forecast stands on the series of the sequences' own tests."""

from __future__ import annotations

from tests.sequences.conftest import series

__all__ = ["series"]
