"""What a pose asks of a body: every joint's angle by the names in body.RANGES, and where the body touches the mat."""

from __future__ import annotations

from newsletter.figures import body
from newsletter.figures.outline import lowest
from newsletter.figures.pose import Pose
from newsletter.figures.scene import parts_of
from newsletter.figures.skeleton import Skeleton
from newsletter.figures.space import Frame

OVERHEAD = 150.0
"""Above this, an arm's plane and its turn are nearly the same rotation, and neither alone says anything."""


def angles(pose: Pose) -> list[tuple[str, float]]:
    """Degrees of every joint by its name in body.RANGES; joints that come in pairs appear twice."""
    spine = pose.spine
    found = [
        ("lumbar.flex", spine.lumbar),
        ("thoracic.flex", spine.thoracic),
        ("neck.flex", spine.nod),
        ("spine.side", spine.side),
        ("spine.twist", spine.twist),
        ("neck.side", spine.tilt),
        ("neck.twist", spine.look),
        ("girdle.protract", spine.protract_l),
        ("girdle.protract", spine.protract_r),
        ("girdle.shrug", spine.shrug_l),
        ("girdle.shrug", spine.shrug_r),
    ]
    for arm in (pose.arm_l, pose.arm_r):
        found += [("shoulder.lift", arm.lift), ("elbow.bend", arm.bend), ("wrist.lift", arm.wrist)]
        if arm.lift < OVERHEAD:
            found.append(("shoulder.turn", arm.turn))
    for leg in (pose.leg_l, pose.leg_r):
        found += [("hip.flex", leg.flex), ("hip.out", leg.out), ("hip.turn", leg.turn)]
        found += [("knee.bend", leg.bend), ("ankle.lift", leg.ankle)]
    return found


def strained(pose: Pose) -> list[tuple[str, float]]:
    """The joints that a pose takes beyond their range."""
    return [
        (name, value)
        for name, value in angles(pose)
        if not body.RANGES[name][0] - 0.01 <= value <= body.RANGES[name][1] + 0.01
    ]


def depths(skeleton: Skeleton) -> dict[str, float]:
    """Height of the lowest point of every part of the body over the mat, in centimetres."""
    parts = parts_of(skeleton, Frame())
    return {name: min(lowest(hull) for shape in part.shapes for hull in shape.hulls) for name, part in parts.items()}
