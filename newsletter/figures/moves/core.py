"""The core workout without crunches."""

from __future__ import annotations

from dataclasses import replace

from newsletter.figures.exercise import Arrow, Exercise, exercise
from newsletter.figures.moves.common import all_fours, both
from newsletter.figures.pose import Pelvis, Spine
from newsletter.figures.space import DOWN, FAR, LEFT, NEAR, RIGHT, UP, Camera
from newsletter.figures.stance import Aim, Limb, Reach, Stance, way


def _supine(
    arm_l: Limb, arm_r: Limb, leg_l: Limb, leg_r: Limb, spine: Spine | None = None, lean: float = -90, at: float = 10.5
) -> Stance:
    return Stance(
        Pelvis(at=(0, at, 0), lean=lean), spine or Spine(lumbar=6, thoracic=2, nod=8), arm_l, arm_r, leg_l, leg_r
    )


TABLE = Aim(way(88), way(0), way(75))
ARM_UP = Aim(UP, UP, pole=RIGHT)
ARM_DOWN_L, ARM_DOWN_R = both(Aim(way(-4, 14), way(1, 8), pole=NEAR))

DEAD_BUG = exercise(
    "dead-bug",
    "Dead bug",
    "Lying on the back with arms up and knees over the hips: one arm and the opposite leg stretch away just above the "
    "floor while the back stays flat.",
    (
        _supine(ARM_UP, ARM_UP, TABLE, TABLE),
        _supine(Aim(way(165), way(165), pole=UP), ARM_UP, TABLE, Aim(way(12), way(10), way(70), UP)),
    ),
    Camera(yaw=10, pitch=12),
    layout="ghost",
    mat=(-100, 100, -32, 32),
)

BIRD_DOG = exercise(
    "bird-dog",
    "Bird dog",
    "On hands and knees: one arm reaches forward and the opposite leg back until both are level with the trunk.",
    (
        replace(
            all_fours(Spine(lumbar=4, thoracic=6, nod=-8), lean=83, hands=48),
            arm_r=Aim(DOWN, DOWN, way(0), LEFT),
            rest=("knee_l", (0.0, 5.4, -8.5)),
        ),
        replace(
            all_fours(Spine(lumbar=4, thoracic=6, nod=-12), lean=83, hands=48),
            arm_r=Aim(way(4), way(6), pole=DOWN),
            leg_r=Aim(way(178), way(176), way(190), DOWN),
            rest=("knee_l", (0.0, 5.4, -8.5)),
        ),
    ),
    Camera(yaw=-12, pitch=9),
    layout="ghost",
    mat=(-70, 92, -32, 32),
)


def _forearm(spine: Spine, lean: float, at: float, leg: Limb) -> Stance:
    arm_l, arm_r = both(Aim(way(-92), way(0), way(0)))
    leg_l, leg_r = both(leg)
    return Stance(
        Pelvis(at=(0, at, 0), lean=lean), spine, arm_l, arm_r, leg_l, leg_r, rest=("elbow_r", (48, 4.0, 16.5))
    )


FOREARM_PLANK = exercise(
    "forearm-plank",
    "Forearm plank",
    "Resting on forearms and toes, the body one straight line from head to heels; to start, the knees are on the mat.",
    (
        _forearm(Spine(lumbar=6, thoracic=6, nod=-8), 82, 30, Aim(way(230), way(181), way(182), DOWN)),
        _forearm(Spine(lumbar=4, thoracic=6, nod=-10), 80, 30, Aim(way(187), way(190), way(-80), DOWN)),
    ),
    Camera(yaw=-12, pitch=9),
    layout="ghost",
    mat=(-98, 92, -32, 32),
)


def _side(lean: float, at: float, spine: Spine, top: Aim) -> Stance:
    leg = Aim(way(180 + 90 - lean), way(180 + 90 - lean), NEAR, NEAR)
    return Stance(
        Pelvis(at=(0, at, 0), lean=lean, spin=-90),
        spine,
        Aim(DOWN, NEAR, NEAR, LEFT),
        top,
        leg,
        leg,
        rest=("elbow_l", (48, 4, 0)),
    )


SIDE_PLANK = exercise(
    "side-plank",
    "Side plank",
    "On one forearm and the side of the foot: the hips lift off the mat until the body is one straight line; the upper "
    "arm points to the ceiling.",
    (
        _side(90, 17, Spine(side=24), Aim(way(180), way(180), pole=FAR)),
        _side(72, 34, Spine(), Aim(UP, UP, pole=FAR)),
    ),
    Camera(yaw=0, pitch=9),
    layout="ghost",
    mat=(-98, 92, -32, 32),
)

TOE_TAPS = exercise(
    "toe-taps",
    "Toe taps",
    "Lying on the back, knees bent over the hips: one foot sinks until the toes tap the floor, the knee stays bent.",
    (
        _supine(ARM_DOWN_L, ARM_DOWN_R, TABLE, TABLE),
        _supine(ARM_DOWN_L, ARM_DOWN_R, TABLE, Aim(way(38), way(-48), way(-30))),
    ),
    Camera(yaw=10, pitch=12),
    layout="ghost",
    mat=(-92, 92, -32, 32),
)


def _bridge(lean: float, at: float, lumbar: float, x: float = 0) -> Stance:
    leg_l, leg_r = both(Reach((43, 7, 8.5), UP, way(0)))
    return Stance(
        Pelvis(at=(x, at, 0), lean=lean), Spine(lumbar=lumbar, thoracic=8, nod=25), ARM_DOWN_L, ARM_DOWN_R, leg_l, leg_r
    )


BRIDGE = exercise(
    "glute-bridge",
    "Glute bridge",
    "Lying on the back, feet flat: the hips lift until knees, hips and shoulders form one slanting line.",
    (_bridge(-90, 10.5, 4), _bridge(-118, 33, -4)),
    Camera(yaw=10, pitch=12),
    layout="ghost",
    mat=(-92, 92, -32, 32),
    arrows=(Arrow(((0, 60, 8), (0, 66, 8), (0, 76, 8))),),
)

MOVES: tuple[Exercise, ...] = (DEAD_BUG, BIRD_DOG, FOREARM_PLANK, SIDE_PLANK, TOE_TAPS, BRIDGE)
