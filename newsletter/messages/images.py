"""Pictures in emails: drawn once per process, named by their content, sent with twice the pixels they are shown at."""

from __future__ import annotations

import functools
import hashlib
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from newsletter.errors import SourceError
from newsletter.figures import raster
from newsletter.figures.exercises import EXERCISES

FIGURE = "figure:"
WIDEST, NARROWEST, TALLEST = 520, 260, 360  # CSS pixels; 520 fills the column, 360 leaves room for words on a phone
_DENSITY = 2  # device pixels for one CSS pixel, so that a picture is crisp on a phone


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
        return f"{self.content_hash}@media"


_shown: dict[str, Image] = {}

Resolver = Callable[[str], Image]


def resolver(base_url: str) -> Resolver:
    """Finds what operators write: `figure:cactus-glides`, or `figure:cactus-glides.gif` for the moving one."""

    def resolve(source: str) -> Image:
        if not source.startswith(FIGURE):
            raise SourceError(f"{source!r} is not a picture of this installation.")
        return figure(source.removeprefix(FIGURE), base_url)

    return resolve


def figure(name: str, base_url: str) -> Image:
    """The picture of an exercise (`cactus-glides`, `cactus-glides.gif`). Raises SourceError for an unknown one."""
    key, _, kind = name.partition(".")
    if key not in EXERCISES or kind not in {"", "png", "gif"}:
        raise SourceError(
            f"There is no exercise {name!r}.", remedy="These exist: " + ", ".join(sorted(EXERCISES)) + "."
        )
    content, wide, high = _drawn(key, kind or "png")
    suffix = kind or "png"
    name_of_content = hashlib.sha256(content).hexdigest()[:32]
    wide_shown = max(NARROWEST, min(WIDEST, round(TALLEST * wide / high)))
    image = Image(
        name=name,
        url=f"{base_url.rstrip('/')}/media/{name_of_content}.{suffix}",
        width=wide_shown,
        height=round(wide_shown * high / wide),
        alt=EXERCISES[key].alt,
        content=content,
        content_type=f"image/{suffix}",
        content_hash=name_of_content,
    )
    _shown[image.content_hash] = image
    return image


def every_figure(base_url: str) -> Iterator[Image]:
    """The still picture of every exercise, drawn as they are asked for."""
    return (figure(key, base_url) for key in EXERCISES)


def drawn_as(content_hash: str) -> Image | None:
    """The picture with this hash if this process has drawn it already: what a preview just showed."""
    return _shown.get(content_hash)


@functools.cache
def _drawn(key: str, kind: str) -> tuple[bytes, int, int]:
    """A picture's bytes and its width and height in pixels."""
    content = raster.gif(key, WIDEST) if kind == "gif" else raster.png(key, WIDEST * _DENSITY)
    wide, high = struct.unpack("<HH", content[6:10]) if kind == "gif" else struct.unpack(">II", content[16:24])
    return content, wide, high
