"""The studio's own accent colour, kept legible: contrast by WCAG 2.2 (relative luminance), and its shades."""

from __future__ import annotations

import re

COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
DEFAULT = "#A84A27"
LIGHT_PAPER, DARK_PAPER, DARK_SURFACE = "#FBF7F0", "#1D1916", "#27221E"
LEGIBLE = 4.5  # WCAG 2.2, 1.4.3: text of normal size

Rgb = tuple[float, float, float]


def parse(colour: str) -> Rgb:
    """`#RRGGBB` as red, green and blue between 0 and 1; raises ValueError on anything else."""
    if not COLOUR.fullmatch(colour):
        raise ValueError(colour)
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue


def luminance(colour: str) -> float:
    """How light a colour is, 0 to 1."""
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parse(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, 1 to 21."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def mix(colour: str, with_colour: str, share: float) -> str:
    """`colour` with a share (0 to 1) of another one."""
    parts = zip(parse(colour), parse(with_colour), strict=True)
    return "#" + "".join(f"{round((a + (b - a) * share) * 255):02X}" for a, b in parts)


def legible_on(colour: str, paper: str, towards: str) -> str:
    """`colour`, moved towards black or white just as far as text in it needs to be read on `paper`."""
    # In 2 % steps: one step is too small to see, and 50 of them always reach black or white.
    shades = (mix(colour, towards, step / 50) for step in range(51))
    return next((shade for shade in shades if contrast(shade, paper) >= LEGIBLE), towards)


def accent_problem(colour: str) -> str:
    """What is wrong with an accent colour, in words; empty when nothing is."""
    if not COLOUR.fullmatch(colour):
        return "A colour reads like #A84A27: a # and six digits or letters A to F."
    if contrast(colour, LIGHT_PAPER) < LEGIBLE:
        darker = legible_on(colour, LIGHT_PAPER, "#000000")
        return f"This colour is too pale for words on a light page. The nearest one that can be read is {darker}."
    return ""


def stylesheet(accent: str) -> str:
    """The custom properties that replace base.css's accent in light and in dark; raises ValueError on no colour."""
    light = legible_on(accent, LIGHT_PAPER, "#000000")
    dark = legible_on(mix(accent, "#FFFFFF", 0.3), DARK_SURFACE, "#FFFFFF")
    strong, dark_strong = mix(light, "#000000", 0.2), mix(dark, "#FFFFFF", 0.25)
    soft, dark_soft = mix(light, "#FFFFFF", 0.86), mix(dark, DARK_PAPER, 0.8)
    return (
        f":root{{--accent:{light};--accent-strong:{strong};--accent-soft:{soft}}}\n"
        f"@media (prefers-color-scheme:dark){{:root{{--accent:{dark};--accent-strong:{dark_strong};"
        f"--accent-soft:{dark_soft}}}}}\n"
    )
