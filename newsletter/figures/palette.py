"""Fixed colours of the figures. Lightness alone tells the parts apart, so a black and white print loses nothing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Palette:
    """Colours by role; far_* are the lighter tones of the limbs on the far side."""

    ink: str
    far_ink: str
    skin: str
    far_skin: str
    top: str
    legs: str
    far_legs: str
    hair: str
    mat: str
    mat_edge: str
    mat_line: str
    shadow: str
    ghost: str
    ghost_line: str
    arrow: str
    halo: str
    page: str
    """Background of pictures that cannot be transparent."""
    frame: str


LIGHT = Palette(
    ink="#3A2E27",
    far_ink="#8C7D70",
    skin="#EEC4A2",
    far_skin="#F3D9C4",
    top="#C8704C",
    legs="#55705A",
    far_legs="#A3B5A2",
    hair="#4A362C",
    mat="#EADCC5",
    mat_edge="#CDB998",
    mat_line="#B7A180",
    shadow="#D6C4A6",
    ghost="#F4EBDD",
    ghost_line="#B3A48F",
    arrow="#A84A27",
    halo="#FFFDF9",
    page="#FFFFFF",
    frame="#E2D7C6",
)

DARK = Palette(
    ink="#140F0C",
    far_ink="#4A4037",
    skin="#E8BC99",
    far_skin="#A98B74",
    top="#D07F5C",
    legs="#5F8067",
    far_legs="#43554A",
    hair="#6E5343",
    mat="#4A4036",
    mat_edge="#352D26",
    mat_line="#6B5E50",
    shadow="#3A322B",
    ghost="#2F2923",
    ghost_line="#857767",
    arrow="#EC9A72",
    halo="#1D1916",
    page="#27221E",
    frame="#443B33",
)
