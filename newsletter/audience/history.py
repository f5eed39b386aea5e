"""One line of what happened with a person, as any room may tell it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class HistoryLine:
    """When, what kind of thing, in words; `url` leads to its own page in the back office where there is one."""

    at: datetime
    kind: str
    text: str
    url: str = ""
