"""Pictures in emails: drawn once per process, named by their content, shown at half their size in pixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Image:
    """A picture as the reader's program needs it: width and height in CSS pixels, `content` the file's bytes."""

    name: str
    url: str
    width: int
    height: int
    alt: str
    content: bytes
    content_type: str
    content_hash: str

    @property
    def content_id(self) -> str:
        """The name by which the HTML finds this picture inside the same message (RFC 2392)."""
        return f"{self.content_hash[:32]}@media"


Resolver = Callable[[str], Image]
