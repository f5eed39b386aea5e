"""A stance says a pose as a teacher does (hands here, knees there, look that way); `settle` turns it into joint angles.

Hands and feet that bear weight are given by the place they stand on, so that they stay there while the body moves.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import acos, asin, atan2, cos, degrees, radians, sin
from typing import TypeVar

from newsletter.figures import body
from newsletter.figures.pose import Arm, Leg, Pelvis, Pose, Spine
from newsletter.figures.skeleton import SIDES, Link, build, girdle, spine_links, swung, turn_ball, turn_hip
from newsletter.figures.space import Frame, Vec, across, add, angle, dot, length, mix, scale, sub, sweep, unit

Numbers = TypeVar("Numbers", Pelvis, Spine)


@dataclass(frozen=True)
class Aim:
    """A free limb by the directions of its bones; `pole` is where its elbow or knee points when it is straight."""

    upper: Vec
    lower: Vec
    end: Vec | None = None
    pole: Vec | None = None
    back: Vec | None = None


@dataclass(frozen=True)
class Reach:
    """A limb whose wrist or ankle is at a place in the room, its elbow or knee towards `pole`; `back` is where the back
    of the hand looks."""

    at: Vec
    pole: Vec
    end: Vec | None = None
    back: Vec | None = None


Limb = Aim | Reach


@dataclass(frozen=True)
class Stance:
    """A whole body; `rest` names a joint and the place where it lies, by which the pelvis is put."""

    pelvis: Pelvis
    spine: Spine
    arm_l: Limb
    arm_r: Limb
    leg_l: Limb
    leg_r: Limb
    rest: tuple[str, Vec] | None = None


def settle(stance: Stance) -> Pose:
    """The joint angles of a stance."""
    if stance.rest is None:
        return _angles(stance)
    name, place = stance.rest
    found = build(_angles(stance)).joint(name)
    at = add(stance.pelvis.at, sub(place, found))
    return _angles(replace(stance, pelvis=replace(stance.pelvis, at=at)))


def between(a: Stance, b: Stance, t: float) -> Stance:
    """The stance t of the way from a to b; what stands in both stays where it stands."""
    rest = None
    if a.rest and b.rest and a.rest[0] == b.rest[0]:
        rest = (a.rest[0], mix(a.rest[1], b.rest[1], t))
    return Stance(
        pelvis=replace(_numbers(a.pelvis, b.pelvis, t), at=mix(a.pelvis.at, b.pelvis.at, t)),
        spine=_numbers(a.spine, b.spine, t),
        arm_l=_limb(a.arm_l, b.arm_l, t),
        arm_r=_limb(a.arm_r, b.arm_r, t),
        leg_l=_limb(a.leg_l, b.leg_l, t),
        leg_r=_limb(a.leg_r, b.leg_r, t),
        rest=rest,
    )


def _numbers(a: Numbers, b: Numbers, t: float) -> Numbers:
    pairs = ((k, getattr(a, k), getattr(b, k)) for k in a.__dataclass_fields__)
    return replace(a, **{k: x + (y - x) * t for k, x, y in pairs if isinstance(x, float | int)})


def _ways(a: Vec | None, b: Vec | None, t: float) -> Vec | None:
    if a is None or b is None:
        return a or b
    return sweep(a, b, t)


def _limb(a: Limb, b: Limb, t: float) -> Limb:
    if isinstance(a, Reach) and isinstance(b, Reach):
        return Reach(mix(a.at, b.at, t), sweep(a.pole, b.pole, t), _ways(a.end, b.end, t), _ways(a.back, b.back, t))
    if isinstance(a, Aim) and isinstance(b, Aim):
        upper, lower = sweep(a.upper, b.upper, t), sweep(a.lower, b.lower, t)
        return Aim(upper, lower, _ways(a.end, b.end, t), _ways(a.pole, b.pole, t), _ways(a.back, b.back, t))
    raise TypeError("a limb that bears weight in one pose must do so in the next, or be free in both")


def _angles(stance: Stance) -> Pose:
    links = spine_links(stance.pelvis, stance.spine)

    def arm(limb: Limb, side: str) -> Arm:
        clavicle = girdle(links, stance.spine, side)
        aim = _aimed(limb, clavicle.end, body.UPPER_ARM, body.FOREARM)
        return _arm(aim, clavicle.frame, SIDES[side])

    def leg(limb: Limb, side: str) -> Leg:
        hip = add(links[0].at, scale(links[0].frame.z, SIDES[side] * body.HIP_HALF))
        return _leg(_aimed(limb, hip, body.THIGH, body.SHIN), links[0], SIDES[side])

    return Pose(
        stance.pelvis,
        stance.spine,
        arm(stance.arm_l, "l"),
        arm(stance.arm_r, "r"),
        leg(stance.leg_l, "l"),
        leg(stance.leg_r, "r"),
    )


def _aimed(limb: Limb, root: Vec, upper: float, lower: float) -> Aim:
    """Directions of the two bones of a limb that reaches for a place (the law of cosines)."""
    if isinstance(limb, Aim):
        return limb
    way = sub(limb.at, root)
    far = min(length(way), upper + lower - 0.01)
    way = unit(way)
    opening = acos(max(-1.0, min(1.0, (upper**2 + far**2 - lower**2) / (2 * upper * far))))
    aside = unit(across(limb.pole, way))
    first = add(scale(way, cos(opening)), scale(aside, sin(opening)))
    second = sub(scale(way, far), scale(first, upper))
    return Aim(first, unit(second), limb.end, limb.pole, limb.back)


def _hinge(aim: Aim, pole: Vec, sign: float) -> Vec:
    """Front of the upper bone: where the forearm bends to, or against where the shin bends to (sign -1)."""
    first, second = unit(aim.upper), unit(aim.lower)
    bent = across(second, first)
    if length(bent) > 0.03:
        return scale(unit(bent), sign)
    return scale(unit(across(pole, first)), -sign)


def _twist(base: Frame, front: Vec, sign: float) -> float:
    return -sign * degrees(atan2(-dot(front, base.z), dot(front, base.x)))


def _swung(frame: Frame, way: Vec, sign: float) -> tuple[float, float]:
    """Plane and lift that bring the line of a bone to a direction in the room."""
    v = unit(frame.into(way))
    lift = degrees(acos(max(-1.0, min(1.0, -v[1]))))
    plane = degrees(atan2(v[0], v[2] * sign)) if 0.1 < lift < 179.9 else 90.0
    return plane, lift


def _arm(aim: Aim, chest: Frame, sign: float) -> Arm:
    plane, lift = _swung(chest, aim.upper, sign)
    front = _hinge(aim, aim.pole or scale(chest.x, -1.0), 1.0)
    turn = _twist(turn_ball(chest, plane, lift, 0.0, sign), front, sign)
    upper = turn_ball(chest, plane, lift, turn, sign)
    bend = angle(aim.upper, aim.lower)
    forearm = upper.turned((0.0, 0.0, 1.0), bend)
    wrist_plane, wrist = _swung(forearm, aim.end or aim.lower, sign)
    roll = 0.0
    if aim.back is not None:
        hand = swung(forearm, wrist_plane, wrist, sign)
        roll = _twist(hand, unit(across(aim.back, hand.y)), sign)
    return Arm(plane, lift, turn, bend, wrist, wrist_plane, roll)


def _leg(aim: Aim, pelvis: Link, sign: float) -> Leg:
    v = unit(pelvis.frame.into(aim.upper))
    flex, out = degrees(atan2(v[0], -v[1])), degrees(asin(max(-1.0, min(1.0, v[2] * sign))))
    front = _hinge(aim, aim.pole or pelvis.frame.x, -1.0)
    turn = _twist(turn_hip(pelvis.frame, Leg(flex, out), sign), front, sign)
    bend = angle(aim.upper, aim.lower)
    leg = Leg(flex, out, turn, bend)
    if aim.end is None:
        return leg
    shin = turn_hip(pelvis.frame, leg, sign).turned((0.0, 0.0, 1.0), -bend)
    ankle_plane, ankle = _swung(shin, aim.end, sign)
    return replace(leg, ankle=ankle, ankle_plane=ankle_plane)


def way(rise: float, out: float = 0.0) -> Vec:
    """A direction: degrees above the mat (0 to the right, 90 up, 180 to the left), then towards the viewer."""
    r, o = radians(rise), radians(out)
    return (cos(r) * cos(o), sin(r) * cos(o), sin(o))
