"""Drawn exercises as the site serves them: named, packed, and kept for good under an address that changes with them.

They are files beside the page, not markup inside it: a moving one has 250 KB (35 KB packed), which a browser then
fetches once, when it comes into view, in the dark or the light version it needs.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import tempfile
from functools import lru_cache
from pathlib import Path

from newsletter.figures import drawing

MOVING, DARK = "-moving", "-dark"
_SOURCE = Path(drawing.__file__).parent


def drawing_of(name: str) -> str:
    """The SVG of `name`, an exercise's key with `-moving` and `-dark` after it as wanted; raises NotFound."""
    key = name.removesuffix(DARK)
    colours = drawing.DARK if key != name else drawing.LIGHT
    still = key.removesuffix(MOVING)
    return drawing.svg(still, palette=colours) if still == key else drawing.animation(still, palette=colours)


@lru_cache(maxsize=1)
def mark() -> str:
    """What tells the drawings of one version of the program from the next: a hash of the code that draws."""
    code = hashlib.sha256()
    for path in sorted(_SOURCE.rglob("*.py")):
        code.update(path.read_bytes())
    return code.hexdigest()[:12]


def url(key: str, *, moving: bool = False, dark: bool = False) -> str:
    """The address of a drawing."""
    return f"/figures/{key}{MOVING if moving else ''}{DARK if dark else ''}.svg?v={mark()}"


@lru_cache(maxsize=128)
def packed(name: str, folder: Path) -> bytes:
    """The gzipped SVG of `name`, made once and then kept in `folder`; raises NotFound.

    Drawing takes up to a second, which the first visitor after each start would otherwise wait for.
    """
    drawing.find(name.removesuffix(DARK).removesuffix(MOVING))
    kept = folder / f"{name}-{mark()}.svgz"
    try:
        return kept.read_bytes()
    except OSError:
        content = gzip.compress(drawing_of(name).encode(), mtime=0)
        _keep(kept, content)
        return content


def _keep(path: Path, content: bytes) -> None:
    """Write `path` whole or not at all; a full disk only means that it is drawn again next time."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            os.replace(name, path)
        except OSError:
            os.unlink(name)
    except OSError:
        return
