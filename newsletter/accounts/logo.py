"""A logo as it may be shown: whatever was uploaded is drawn anew, so nothing hidden in the file survives."""

from __future__ import annotations

import io
import warnings

from PIL import Image, ImageOps

from newsletter.errors import InputError

LARGEST_UPLOAD = 2 * 1024 * 1024  # bytes
LARGEST_SIDE = 6000  # pixels: 6000 × 6000 unpacks to 144 MB, more would take a small server down
SHOWN = (640, 240)  # pixels: twice the largest place it is shown at


def remake(content: bytes) -> bytes:
    """A PNG of at most SHOWN made from an uploaded PNG or JPEG; raises InputError when it is neither, or too big."""
    if len(content) > LARGEST_UPLOAD:
        raise InputError("This picture has more than 2 MB.", remedy="Save it smaller; 640 pixels wide is plenty.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as picture:
                return _drawn(picture)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning) as problem:
        raise InputError(
            "This file is not a PNG or JPEG picture, or it is damaged.", remedy="Save your logo as PNG and try again."
        ) from problem


def _drawn(picture: Image.Image) -> bytes:
    if max(picture.size) > LARGEST_SIDE:
        raise InputError(f"This picture is wider or higher than {LARGEST_SIDE} pixels.", remedy="Save it smaller.")
    upright = ImageOps.exif_transpose(picture).convert("RGBA")
    upright.thumbnail(SHOWN)
    upright.info.clear()
    made = io.BytesIO()
    upright.save(made, "PNG", optimize=True)
    return made.getvalue()
