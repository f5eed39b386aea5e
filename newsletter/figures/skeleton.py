"""Forward kinematics: from the joint angles of a pose to points in space, with bones of fixed length."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import cos, radians, sin

from newsletter.figures import body
from newsletter.figures.pose import Arm, Leg, Pelvis, Pose, Spine
from newsletter.figures.space import DOWN, Frame, Vec, add, cross, scale

SIDES: dict[str, float] = {"l": -1.0, "r": 1.0}

AXIS_X: Vec = (1.0, 0.0, 0.0)
AXIS_Y: Vec = (0.0, 1.0, 0.0)
AXIS_Z: Vec = (0.0, 0.0, 1.0)


@dataclass(frozen=True)
class Bone:
    """A bone from its upper end to its lower one; its frame has y up the bone and z along the hinge below it."""

    start: Vec
    end: Vec
    frame: Frame


@dataclass(frozen=True)
class Link:
    """A joint of the spine and the axes of what lies above it."""

    at: Vec
    frame: Frame


@dataclass(frozen=True)
class Skeleton:
    """Every joint of a posed body: ten links from the pelvis to the skull and the bones of the limbs by name
    (upper_arm_l, forearm_l, hand_l, thigh_l, shin_l, foot_l, clavicle_l and the same with _r)."""

    spine: tuple[Link, ...]
    bones: dict[str, Bone]

    def joint(self, name: str) -> Vec:
        """The place of a joint: hip, knee, ankle, toes, shoulder, elbow, wrist or fingers with _l or _r; or crown."""
        if name == "crown":
            return add(self.spine[-1].at, scale(self.spine[-1].frame.y, body.CROWN))
        kind, side = name.split("_")
        bone, end = _JOINTS[kind]
        return self.bones[f"{bone}_{side}"].end if end else self.bones[f"{bone}_{side}"].start


_JOINTS = {
    "hip": ("thigh", False),
    "knee": ("shin", False),
    "ankle": ("foot", False),
    "toes": ("foot", True),
    "shoulder": ("upper_arm", False),
    "elbow": ("forearm", False),
    "wrist": ("hand", False),
    "fingers": ("hand", True),
}


def pelvis_frame(pelvis: Pelvis) -> Frame:
    """Axes of the pelvis in the room."""
    frame = Frame().turned(AXIS_Y, pelvis.heading)
    return frame.turned(AXIS_Z, -pelvis.lean).turned(AXIS_Y, pelvis.spin)


def spine_links(pelvis: Pelvis, spine: Spine) -> tuple[Link, ...]:
    """The links from the pelvis (0) by lumbar (1, 2), thoracic (3 to 6) and neck (7, 8) joints to the skull (9)."""
    frame, at = pelvis_frame(pelvis), pelvis.at
    links = [Link(at, frame)]
    parts = (
        (body.LUMBAR, spine.lumbar, 0.0, spine.side * 0.4),
        (body.THORACIC, spine.thoracic, spine.twist, spine.side * 0.6),
        (body.NECK, spine.nod, spine.look, spine.tilt),
    )
    step = body.SACRUM
    for lengths, flex, twist, side in parts:
        share = 1.0 / len(lengths)
        for bone in lengths:
            at = add(at, scale(frame.y, step))
            frame = frame.turned(AXIS_Z, -flex * share).turned(AXIS_X, side * share).turned(AXIS_Y, twist * share)
            links.append(Link(at, frame))
            step = bone
    links.append(Link(add(at, scale(frame.y, step)), frame))
    return tuple(links)


def girdle(links: tuple[Link, ...], spine: Spine, side: str) -> Bone:
    """The clavicle, which carries the shoulder to the front and up."""
    sign = SIDES[side]
    chest = links[body.GIRDLE_JOINT + 3]
    shrug, protract = (spine.shrug_l, spine.protract_l) if side == "l" else (spine.shrug_r, spine.protract_r)
    start = add(chest.at, scale(chest.frame.y, body.GIRDLE_RISE))
    frame = chest.frame.turned(AXIS_Y, sign * protract).turned(AXIS_X, -sign * shrug)
    return Bone(start, add(start, scale(frame.z, sign * body.CLAVICLE)), chest.frame)


def swing(plane: float, lift: float, sign: float) -> tuple[Vec, Vec]:
    """Direction reached from straight down by lift degrees in a plane, and the axis of that turn."""
    p, rise = radians(plane), radians(lift)
    direction = (sin(rise) * sin(p), -cos(rise), sin(rise) * cos(p) * sign)
    return direction, cross(DOWN, (sin(p), 0.0, cos(p) * sign))


def turn_ball(parent: Frame, plane: float, lift: float, turn: float, sign: float) -> Frame:
    """Axes of a bone hung on a shoulder."""
    _, axis = swing(plane, lift, sign)
    return parent.turned(axis, lift).turned(AXIS_Y, -sign * turn)


def turn_hip(parent: Frame, leg: Leg, sign: float) -> Frame:
    """Axes of a thigh (Grood and Suntay's order: flexion, abduction, rotation)."""
    return parent.turned(AXIS_Z, leg.flex).turned(AXIS_X, -sign * leg.out).turned(AXIS_Y, -sign * leg.turn)


def _bone(start: Vec, frame: Frame, long: float) -> Bone:
    return Bone(start, add(start, scale(frame.y, -long)), frame)


def swung(frame: Frame, plane: float, lift: float, sign: float) -> Frame:
    """Axes of a hand or foot swung from the line of the bone before it."""
    _, axis = swing(plane, lift, sign)
    return frame.turned(axis, lift)


def _arm(arm: Arm, chest: Frame, shoulder: Vec, side: str) -> dict[str, Bone]:
    sign = SIDES[side]
    upper = _bone(shoulder, turn_ball(chest, arm.plane, arm.lift, arm.turn, sign), body.UPPER_ARM)
    lower = _bone(upper.end, upper.frame.turned(AXIS_Z, arm.bend), body.FOREARM)
    hand_frame = swung(lower.frame, arm.wrist_plane, arm.wrist, sign).turned(AXIS_Y, -sign * arm.roll)
    hand = _bone(lower.end, hand_frame, body.HAND)
    return {f"upper_arm_{side}": upper, f"forearm_{side}": lower, f"hand_{side}": hand}


def _leg(leg: Leg, pelvis: Link, side: str) -> dict[str, Bone]:
    sign = SIDES[side]
    hip = add(pelvis.at, scale(pelvis.frame.z, sign * body.HIP_HALF))
    thigh = _bone(hip, turn_hip(pelvis.frame, leg, sign), body.THIGH)
    shin = _bone(thigh.end, thigh.frame.turned(AXIS_Z, -leg.bend), body.SHIN)
    foot = _bone(shin.end, swung(shin.frame, leg.ankle_plane, leg.ankle, sign), body.FOOT)
    return {f"thigh_{side}": thigh, f"shin_{side}": shin, f"foot_{side}": foot}


@lru_cache(maxsize=512)
def build(pose: Pose) -> Skeleton:
    """The skeleton of a pose."""
    links = spine_links(pose.pelvis, pose.spine)
    bones: dict[str, Bone] = {}
    for side, arm, leg in (("l", pose.arm_l, pose.leg_l), ("r", pose.arm_r, pose.leg_r)):
        clavicle = girdle(links, pose.spine, side)
        bones[f"clavicle_{side}"] = clavicle
        bones |= _arm(arm, clavicle.frame, clavicle.end, side) | _leg(leg, links[0], side)
    return Skeleton(links, bones)
