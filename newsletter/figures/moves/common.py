"""Stances and limbs that several exercises share."""

from __future__ import annotations

from newsletter.figures.pose import Pelvis, Spine
from newsletter.figures.space import LEFT, RIGHT, UP, Vec
from newsletter.figures.stance import Aim, Limb, Reach, Stance, way

ON_KNEE = 5.4
"""Height of the middle of a knee that rests on the mat: its radius."""

FLAT_HAND = 2.6
"""Height of the wrist over a hand that lies flat."""

TIPTOE = 15.2
"""Height of the ankle over a foot that stands on its ball, heel up."""

HANDS_AND_KNEES = ("arm_l.lower", "arm_r.lower", "leg_l.lower", "leg_r.lower")

HAND_FLAT: Vec = way(-3)

KNEEL = Aim(way(-90), way(181.0), way(198), RIGHT)
"""A leg that kneels, the thigh upright, the foot laid down behind."""

TABLE = Spine(lumbar=3, thoracic=6, nod=-6)
TABLE_LEAN = 76.0
"""The back of a body on all fours: arms are longer than thighs, so it rises a little towards the shoulders."""


def hand_at(x: float, z: float, pole: Vec = LEFT, end: Vec = HAND_FLAT) -> Reach:
    """A hand flat on the mat."""
    return Reach((x, FLAT_HAND, z), pole, end, UP)


def mirrored(limb: Limb) -> Limb:
    """The same limb on the other side of the mat's middle line."""

    def flip(v: Vec) -> Vec:
        return (v[0], v[1], -v[2])

    end = flip(limb.end) if limb.end else None
    back = flip(limb.back) if limb.back else None
    if isinstance(limb, Reach):
        return Reach(flip(limb.at), flip(limb.pole), end, back)
    return Aim(flip(limb.upper), flip(limb.lower), end, flip(limb.pole) if limb.pole else None, back)


def both(limb: Limb) -> tuple[Limb, Limb]:
    """The left and the right limb, given the right one."""
    return mirrored(limb), limb


def all_fours(spine: Spine = TABLE, lean: float = TABLE_LEAN, hands: float = 47.0, elbows: Vec = LEFT) -> Stance:
    """Hands and knees on the mat, the head to the right."""
    arm_l, arm_r = both(hand_at(hands, 16.0, elbows))
    leg_l, leg_r = both(KNEEL)
    return Stance(Pelvis(lean=lean), spine, arm_l, arm_r, leg_l, leg_r, rest=("knee_r", (0.0, ON_KNEE, 8.5)))
