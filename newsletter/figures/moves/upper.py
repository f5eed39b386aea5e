"""Three exercises that strengthen the upper body."""

from __future__ import annotations

from newsletter.figures.exercise import Arrow, Exercise, exercise
from newsletter.figures.moves.common import both, hand_at
from newsletter.figures.pose import Pelvis, Spine
from newsletter.figures.space import DOWN, LEFT, Camera
from newsletter.figures.stance import Aim, Reach, Stance, way


def _prone(spine: Spine, arm: Aim, at: float = 11.0) -> Stance:
    arm_l, arm_r = both(arm)
    leg_l, leg_r = both(Aim(way(183, 3), way(182, 3), way(186, 3), DOWN))
    return Stance(Pelvis(at=(0, at, 0), lean=90), spine, arm_l, arm_r, leg_l, leg_r)


CACTUS = exercise(
    "cactus-glides",
    "Cactus glides",
    "Lying face down, seen from above: the arms, bent like a cactus beside the shoulders, glide overhead along the "
    "floor and back.",
    (
        _prone(Spine(lumbar=-6, thoracic=-10, nod=0), Aim((-0.1, 0.0, 1), (1, -0.02, 0.1), pole=LEFT)),
        _prone(
            Spine(lumbar=-6, thoracic=-10, nod=0, shrug_l=20, shrug_r=20),
            Aim((0.8, 0.0, 0.55), (1, 0.0, 0.12), pole=LEFT),
        ),
    ),
    Camera(yaw=0, pitch=52),
    layout="stack",
    mat=(-98, 118, -32, 32),
)

DART = exercise(
    "prone-dart",
    "Prone dart",
    "Lying face down with the arms beside the body: chest and arms lift a little off the mat, the gaze stays down.",
    (
        _prone(Spine(lumbar=2, thoracic=2, nod=4), Aim((-1, -0.05, 0.2), (-1, 0.0, 0.1), pole=(0, 0, 1))),
        _prone(Spine(lumbar=-26, thoracic=-20, nod=10), Aim((-1, 0.1, 0.25), (-1, 0.1, 0.2), pole=(0, 0, 1))),
    ),
    Camera(yaw=14, pitch=14),
    layout="ghost",
    mat=(-98, 82, -32, 32),
)


def _plank(spine: Spine, lean: float, at: float) -> Stance:
    arm_l, arm_r = both(hand_at(50, 16))
    leg_l, leg_r = both(Reach((-82, 10, 8.5), DOWN, way(-80)))
    return Stance(Pelvis(at=(0, at, 0), lean=lean), spine, arm_l, arm_r, leg_l, leg_r)


SCAPULAR = exercise(
    "scapular-push-up",
    "Scapular push-up",
    "In a straight-arm plank: the chest sinks between the shoulder blades, then the arms push the floor away and the "
    "upper back widens; the elbows stay straight.",
    (
        _plank(Spine(lumbar=2, thoracic=-6, nod=-6, protract=-24), 76, 39),
        _plank(Spine(lumbar=2, thoracic=14, nod=-2, protract=24), 72, 40),
    ),
    Camera(yaw=-12, pitch=9),
    layout="ghost",
    mat=(-98, 90, -32, 32),
    arrows=(Arrow(((38, 76, 8), (38, 84, 8), (38, 92, 8))),),
)

MOVES: tuple[Exercise, ...] = (CACTUS, DART, SCAPULAR)
