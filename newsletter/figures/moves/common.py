"""Stances that several exercises share."""

from __future__ import annotations

from dataclasses import replace

from newsletter.figures.pose import Pelvis, Spine
from newsletter.figures.space import DOWN, LEFT, RIGHT, Vec
from newsletter.figures.stance import Aim, Limb, Reach, Stance, way

ON_KNEE = 5.4
"""Height of the middle of a knee that rests on the mat: its radius."""

FLAT_HAND = 3.0
"""Height of the wrist over a hand that lies flat."""

HAND_FLAT: Vec = way(-5)


def hand_at(x: float, z: float, pole: Vec = LEFT, end: Vec = HAND_FLAT) -> Reach:
    """A hand flat on the mat."""
    return Reach((x, FLAT_HAND, z), pole, end)


def kneeling(lean: float = -90.0, toes: Vec | None = None) -> Aim:
    """A leg that kneels with the foot laid down behind."""
    return Aim(way(lean), way(181.2), toes or way(182), RIGHT)


def both(limb: Limb) -> tuple[Limb, Limb]:
    """A limb of the near (right) side and its mirror image."""
    return mirrored(limb), limb


def mirrored(limb: Limb) -> Limb:
    """The same limb on the other side of the mat's middle line."""

    def flip(v: Vec | None) -> Vec | None:
        return None if v is None else (v[0], v[1], -v[2])

    if isinstance(limb, Reach):
        at, pole = limb.at, limb.pole
        return Reach((at[0], at[1], -at[2]), (pole[0], pole[1], -pole[2]), flip(limb.end))
    up, low = limb.upper, limb.lower
    return Aim((up[0], up[1], -up[2]), (low[0], low[1], -low[2]), flip(limb.end), flip(limb.pole))


def all_fours(spine: Spine, lean: float, hands: float = 48.0, thigh: float = -90.0) -> Stance:
    """Hands and knees on the mat, the head to the right."""
    arm_l, arm_r = both(hand_at(hands, 16.0))
    leg_l, leg_r = both(kneeling(thigh))
    return Stance(Pelvis(lean=lean), spine, arm_l, arm_r, leg_l, leg_r, rest=("knee_r", (0.0, ON_KNEE, 8.5)))


_ = (DOWN, replace)
