"""The core workout without crunches."""

from __future__ import annotations

from dataclasses import replace

from newsletter.figures.exercise import Arrow, Exercise, exercise
from newsletter.figures.moves.common import TIPTOE, all_fours, both
from newsletter.figures.pose import Pelvis, Spine
from newsletter.figures.space import DOWN, FAR, LEFT, NEAR, RIGHT, UP, Camera
from newsletter.figures.stance import Aim, Limb, Reach, Stance, way

LYING = Spine(lumbar=4, thoracic=4, nod=4)
TABLETOP = Aim(way(88), way(0), way(75))
ARM_UP = Aim(UP, UP, pole=RIGHT)
ARM_DOWN_L, ARM_DOWN_R = both(Aim(way(-11, 14), way(-11, 14), way(0, 8), NEAR, UP))


def _supine(arm_l: Limb, arm_r: Limb, leg_l: Limb, leg_r: Limb) -> Stance:
    return Stance(Pelvis(at=(0, 11, 0), lean=-90), LYING, arm_l, arm_r, leg_l, leg_r)


DEAD_BUG = exercise(
    "dead-bug",
    "Dead bug",
    "Lying on the back with arms up and knees over the hips: one arm and the opposite leg stretch away just above the "
    "floor while the back stays flat.",
    (
        _supine(ARM_UP, ARM_UP, TABLETOP, TABLETOP),
        _supine(Aim(way(165), way(165), pole=UP), ARM_UP, TABLETOP, Aim(way(12), way(10), way(70), UP)),
    ),
    Camera(yaw=10, pitch=12),
    layout="ghost",
    mat=(-100, 92, -32, 32),
    arrows=(
        Arrow(((72, 66, 8), (86, 58, 8), (88, 44, 8))),
        Arrow(((-62, 82, -16), (-84, 76, -16), (-96, 54, -16))),
    ),
    grounded=("torso",),
)

BIRD_DOG = exercise(
    "bird-dog",
    "Bird dog",
    "On hands and knees: one arm reaches forward and the opposite leg back until both are level with the trunk.",
    (
        replace(all_fours(), arm_l=Aim(DOWN, DOWN, way(0), LEFT), rest=("knee_l", (0.0, 5.4, -8.5))),
        replace(
            all_fours(),
            arm_l=Aim(way(8), way(10), pole=DOWN),
            leg_r=Aim(way(176), way(174.5), way(196), DOWN),
            rest=("knee_l", (0.0, 5.4, -8.5)),
        ),
    ),
    Camera(yaw=-12, pitch=9),
    layout="ghost",
    mat=(-66, 76, -32, 32),
    arrows=(
        Arrow(((-66, 14, 8), (-84, 22, 8), (-88, 38, 8))),
        Arrow(((72, 12, -16), (90, 22, -16), (94, 44, -16))),
    ),
    grounded=("arm_r.lower", "leg_l.lower"),
)


def _forearm(spine: Spine, lean: float, ankle: float) -> Stance:
    arm_l, arm_r = both(Aim(way(-92), way(0), way(0), back=UP))
    leg_l, leg_r = both(Reach((ankle, TIPTOE, 8.5), DOWN, way(-72)))
    return Stance(Pelvis(lean=lean), spine, arm_l, arm_r, leg_l, leg_r, rest=("elbow_r", (48, 4.0, 16.5)))


FOREARM_PLANK = exercise(
    "forearm-plank",
    "Forearm plank",
    "Resting on forearms and toes, the body one straight line from head to heels; to start, the knees are on the mat.",
    (
        _forearm(Spine(lumbar=4, thoracic=6, nod=-8), 70, -77),
        _forearm(Spine(lumbar=4, thoracic=6, nod=-10), 79, -81),
    ),
    Camera(yaw=-12, pitch=9),
    layout="ghost",
    mat=(-102, 92, -32, 32),
    arrows=(Arrow(((-44, 40, 8), (-44, 50, 8), (-44, 60, 8))),),
    grounded=("arm_l.lower", "arm_r.lower", "leg_l.lower", "leg_r.lower"),
)


def _side(lean: float, legs: tuple[float, float], spine: Spine, top: Aim) -> Stance:
    leg_l = Aim(way(legs[0]), way(legs[0]), NEAR, NEAR)
    leg_r = Aim(way(legs[1]), way(legs[1]), NEAR, NEAR)
    prop = Aim(DOWN, NEAR, NEAR, LEFT)
    return Stance(Pelvis(lean=lean, spin=-90), spine, prop, top, leg_l, leg_r, rest=("elbow_l", (48, 4, 0)))


SIDE_PLANK = exercise(
    "side-plank",
    "Side plank",
    "On one forearm and the side of the foot: the hips lift off the mat until the body is one straight line; the upper "
    "arm points to the ceiling.",
    (
        _side(67, (182, 188), Spine(side=24, tilt=-10), Aim(way(215), way(190), pole=FAR)),
        _side(75, (196, 202), Spine(), Aim(UP, UP, pole=FAR)),
    ),
    Camera(yaw=0, pitch=9),
    layout="ghost",
    mat=(-104, 82, -26, 32),
    far=frozenset(),
    arrows=(Arrow(((-20, 58, 0), (-20, 68, 0), (-20, 78, 0))),),
    grounded=("arm_l.lower",),
)

TOE_TAPS = exercise(
    "toe-taps",
    "Toe taps",
    "Lying on the back, knees bent over the hips: one foot sinks until the toes tap the floor, the knee stays bent.",
    (
        _supine(ARM_DOWN_L, ARM_DOWN_R, TABLETOP, TABLETOP),
        _supine(ARM_DOWN_L, ARM_DOWN_R, TABLETOP, Aim(way(46), way(-41), way(-24))),
    ),
    Camera(yaw=10, pitch=12),
    layout="ghost",
    mat=(-92, 84, -32, 32),
    arrows=(Arrow(((72, 62, 8), (84, 48, 8), (80, 24, 8))),),
    grounded=("torso", "arm_l.lower", "arm_r.lower"),
)


def _bridge(lean: float, shoulder: float, spine: Spine) -> Stance:
    leg_l, leg_r = both(Reach((44, 6.9, 8.5), UP, way(0)))
    down = way((4 - shoulder) * 1.05, 12)
    arm_l, arm_r = both(Aim(down, down, way(0, 6), NEAR, UP))
    return Stance(Pelvis(lean=lean), spine, arm_l, arm_r, leg_l, leg_r, rest=("shoulder_r", (-48, shoulder, 16.5)))


BRIDGE = exercise(
    "glute-bridge",
    "Glute bridge",
    "Lying on the back, feet flat: the hips lift until knees, hips and shoulders form one slanting line.",
    (
        _bridge(-90, 14, Spine(lumbar=4, thoracic=4, nod=4)),
        _bridge(-118, 10, Spine(lumbar=-6, thoracic=20, nod=32)),
    ),
    Camera(yaw=10, pitch=12),
    layout="ghost",
    mat=(-92, 84, -32, 32),
    arrows=(Arrow(((2, 60, 8), (2, 70, 8), (2, 80, 8))),),
    grounded=("leg_l.lower", "leg_r.lower"),
)

MOVES: tuple[Exercise, ...] = (DEAD_BUG, BIRD_DOG, FOREARM_PLANK, SIDE_PLANK, TOE_TAPS, BRIDGE)
