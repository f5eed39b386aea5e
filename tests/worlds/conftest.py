"""One application for all worlds of a process: making one takes as long as living through a world."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.worlds.proof import house


@pytest.fixture(scope="module")
def emptied(migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], None]]:
    """What empties the database for the next world."""
    with house(tmp_path_factory.mktemp("worlds"), migrated_sqlite) as empty:
        yield empty
