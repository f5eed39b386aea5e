"""Who sends: the studio's name, address and colours, the same for every reader of a message."""

from __future__ import annotations

import colorsys
import re
from dataclasses import dataclass

from newsletter.errors import SettingError

_HEX = re.compile(r"#[0-9A-Fa-f]{6}")
_LIGHT_SURFACE, _DARK_SURFACE = "#FFFFFF", "#27221E"
_READABLE = 4.5  # WCAG 2.2, 1.4.3: contrast of body text


@dataclass(frozen=True)
class Studio:
    """The sender as readers see it; every text may be empty, and an empty one leaves its place out."""

    name: str
    sender_name: str = ""
    url: str = ""
    postal_address: str = ""
    signature: str = ""
    accent: str = "#A84A27"
    logo_url: str = ""
    logo_width: int = 160
    logo_height: int = 48
    video_url: str = ""
    language: str = "en"
    embed_images: bool = False  # pictures travel inside the email (cid) instead of being linked

    def __post_init__(self) -> None:
        if not _HEX.fullmatch(self.accent):
            raise SettingError(
                f"The accent colour is {self.accent!r}.",
                remedy="Give it as # and six hexadecimal digits, like #A84A27.",
            )

    @property
    def on_accent(self) -> str:
        """The text colour that is best to read on a button of the accent colour."""
        return max(("#FFFFFF", "#2B2622"), key=lambda colour: contrast(colour, self.accent))

    @property
    def accent_text(self) -> str:
        """The accent, darkened until it can be read as text on white."""
        return _until_readable(self.accent, -1, _LIGHT_SURFACE, _READABLE)

    @property
    def accent_night(self) -> str:
        """The accent, lightened until it can be read as text on the dark surface."""
        return _until_readable(self.accent, +1, _DARK_SURFACE, 6.5)


def contrast(one: str, other: str) -> float:
    """The WCAG contrast ratio of two `#RRGGBB` colours, 1 to 21 (WCAG 2.2, definition of contrast ratio)."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    channels = [value / 255 for value in _channels(colour)]
    red, green, blue = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _until_readable(colour: str, direction: int, surface: str, wanted: float) -> str:
    """The colour made darker (-1) or lighter (+1), its hue kept, until its contrast to the surface is as wanted."""
    red, green, blue = _channels(colour)
    hue, lightness, saturation = colorsys.rgb_to_hls(red / 255, green / 255, blue / 255)
    for _ in range(50):
        if contrast(colour, surface) >= wanted:
            return colour
        lightness = min(1.0, max(0.0, lightness + direction * 0.02))
        lively = min(1.0, saturation * 1.2) if direction > 0 else saturation  # light tints look pale otherwise
        mixed = colorsys.hls_to_rgb(hue, lightness, lively)
        colour = "#" + "".join(f"{round(channel * 255):02X}" for channel in mixed)
    return colour
