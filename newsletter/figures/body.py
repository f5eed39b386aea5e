"""The one body every figure has: bone lengths, how thick it is where, how far its joints go. In centimetres.

The proportions are those of an adult 170 cm tall whose head is 1/7.5 of the height; hip joints lie at 53 % of it.
"""

from __future__ import annotations

from newsletter.figures.space import Vec

# Bones. Nothing else in the package holds a length, so a limb cannot grow between two poses.
SACRUM = 9.0
LUMBAR = (7.5, 7.5)
THORACIC = (7.0, 7.0, 7.0, 7.0)
NECK = (4.0, 4.0)
HIP_HALF = 8.5
CLAVICLE = 16.5
UPPER_ARM = 29.0
FOREARM = 25.0
HAND = 15.0
THIGH = 42.0
SHIN = 41.0
FOOT = 15.0

# The clavicle leaves the spine this far up the chain of thoracic joints (joint 3 of 4) and a little above it.
GIRDLE_JOINT = 3
GIRDLE_RISE = 3.0

Radii = tuple[tuple[float, float], ...]
"""Pairs of (place along the bone from 0 to 1, radius)."""

UPPER_ARM_RADII: Radii = ((0.0, 5.4), (0.12, 5.5), (0.45, 4.5), (0.8, 3.9), (1.0, 3.7))
FOREARM_RADII: Radii = ((0.0, 3.7), (0.22, 4.0), (0.6, 3.2), (1.0, 2.4))
THIGH_RADII: Radii = ((0.0, 9.3), (0.25, 8.9), (0.6, 7.1), (0.88, 5.6), (1.0, 5.4))
SHIN_RADII: Radii = ((0.0, 5.3), (0.12, 5.2), (0.32, 5.5), (0.65, 4.2), (0.9, 3.2), (1.0, 3.1))
CALF_BACK = 1.2
"""How far behind the shin bone the calf lies at its thickest."""

# Slices of the trunk: (joint of the spine, offset in its frame, half-axes to the front, up and to the side).
Slice = tuple[int, Vec, Vec]
TRUNK: tuple[Slice, ...] = (
    (0, (-0.8, -4.5, 0.0), (8.6, 3.5, 12.5)),
    (0, (-0.8, 1.0, 0.0), (10.6, 4.0, 16.3)),
    (0, (-0.2, 6.0, 0.0), (9.8, 4.0, 15.2)),
    (1, (0.3, 2.5, 0.0), (8.4, 3.5, 12.6)),
    (2, (0.6, 1.0, 0.0), (7.9, 3.5, 11.4)),
    (3, (0.9, 0.5, 0.0), (8.6, 3.5, 12.2)),
    (4, (1.4, 1.0, 0.0), (9.8, 3.5, 13.4)),
    (5, (1.6, 1.5, 0.0), (10.3, 3.5, 14.4)),
    (6, (0.6, 0.5, 0.0), (8.9, 3.2, 14.6)),
    (6, (-0.4, 4.6, 0.0), (6.2, 2.6, 11.5)),
)
YOKE: tuple[Slice, ...] = (
    (6, (-0.4, 5.2, 0.0), (5.8, 2.2, 12.5)),
    (7, (-0.4, 0.2, 0.0), (5.3, 2.2, 8.6)),
    (7, (-0.3, 2.6, 0.0), (4.9, 2.0, 5.6)),
)
THROAT: tuple[Slice, ...] = (
    (7, (-0.2, -0.5, 0.0), (4.9, 1.5, 5.2)),
    (8, (0.0, 0.0, 0.0), (4.6, 1.5, 4.7)),
    (9, (0.6, 1.0, 0.0), (4.5, 1.5, 4.5)),
    (9, (0.9, 7.0, 0.0), (4.3, 1.5, 4.3)),
)

# The head hangs on the last joint of the neck.
SKULL: tuple[tuple[Vec, Vec], ...] = (
    ((0.8, 10.6, 0.0), (9.2, 8.6, 7.5)),
    ((3.6, 4.4, 0.0), (5.4, 4.8, 5.4)),
    ((6.6, 1.2, 0.0), (2.7, 2.5, 2.9)),
)
NOSE: tuple[tuple[Vec, Vec], ...] = (((9.0, 9.4, 0.0), (0.8, 1.2, 0.8)), ((10.6, 6.9, 0.0), (1.0, 1.0, 1.1)))
HAIR: tuple[Vec, Vec] = ((0.2, 11.2, 0.0), (10.0, 9.2, 8.2))
HAIRLINE: tuple[Vec, float] = ((-0.72, 0.69, 0.0), 0.04)
"""Normal of the plane that cuts the hair from the face, and its distance from the middle of the hair."""
BUN: tuple[Vec, float] = ((-9.6, 15.6, 0.0), 4.6)
EAR: tuple[Vec, Vec] = ((-1.0, 7.6, 7.4), (1.7, 2.5, 0.9))
EYE: tuple[Vec, ...] = ((8.9, 9.2, 2.2), (8.6, 8.5, 3.3), (7.6, 8.9, 4.6))
MOUTH: tuple[Vec, ...] = ((8.8, 3.5, -1.6), (9.2, 3.0, 0.0), (8.8, 3.5, 1.6))

CROWN = 19.2
"""From the last joint of the neck to the top of the head."""

# How far a supple but ordinary body goes, in degrees (rounded up from the clinical tables of the AAOS for joints
# and of White and Panjabi for the spine). Sums over the joints of a region.
RANGES: dict[str, tuple[float, float]] = {
    "lumbar.flex": (-40.0, 60.0),
    "thoracic.flex": (-30.0, 50.0),
    "neck.flex": (-75.0, 60.0),
    "spine.side": (-40.0, 40.0),
    "spine.twist": (-60.0, 60.0),
    "neck.side": (-45.0, 45.0),
    "neck.twist": (-80.0, 80.0),
    "girdle.protract": (-30.0, 30.0),
    "girdle.shrug": (-12.0, 40.0),
    "shoulder.lift": (0.0, 180.0),
    "shoulder.turn": (-100.0, 110.0),
    "elbow.bend": (0.0, 150.0),
    "wrist.lift": (0.0, 95.0),
    "hip.flex": (-30.0, 140.0),
    "hip.out": (-35.0, 60.0),
    "hip.turn": (-45.0, 90.0),
    "knee.bend": (0.0, 158.0),
    "ankle.lift": (15.0, 125.0),
}
