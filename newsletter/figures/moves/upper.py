"""Three exercises that strengthen the upper body."""

from __future__ import annotations

from newsletter.figures.exercise import Arrow, Exercise, exercise
from newsletter.figures.moves.common import TIPTOE, both, hand_at
from newsletter.figures.pose import Pelvis, Spine
from newsletter.figures.space import DOWN, LEFT, NEAR, UP, Camera
from newsletter.figures.stance import Aim, Reach, Stance, way


def _prone(spine: Spine, arm: Aim) -> Stance:
    arm_l, arm_r = both(arm)
    leg_l, leg_r = both(Aim(way(182.6, 3), way(181.5, 3), way(197, 3), DOWN))
    return Stance(Pelvis(at=(0, 11, 0), lean=90), spine, arm_l, arm_r, leg_l, leg_r)


CACTUS = exercise(
    "cactus-glides",
    "Cactus glides",
    "Lying face down, seen from above: the arms, bent like a cactus beside the shoulders, glide overhead along the "
    "floor and back.",
    (
        _prone(Spine(lumbar=-2, thoracic=-4, nod=-6), Aim((-0.1, -0.24, 1), (1, -0.07, 0.1), way(0, 6), LEFT, UP)),
        _prone(
            Spine(lumbar=-2, thoracic=-4, nod=-6, shrug_l=20, shrug_r=20),
            Aim((0.8, -0.25, 0.55), (1, -0.09, 0.06), way(0), LEFT, UP),
        ),
    ),
    Camera(yaw=0, pitch=58),
    layout="ghost",
    main=0,
    mat=(-98, 120, -32, 32),
    far=frozenset(),
    arrows=(
        Arrow(((64, 4, 62), (84, 4, 60), (104, 4, 48))),
        Arrow(((64, 4, -62), (84, 4, -60), (104, 4, -48))),
    ),
    grounded=("torso", "arm_l.lower", "arm_r.lower"),
)

DART = exercise(
    "prone-dart",
    "Prone dart",
    "Lying face down with the arms beside the body: chest and arms lift a little off the mat, the gaze stays down.",
    (
        _prone(Spine(lumbar=-2, thoracic=-4, nod=-4), Aim((-1, -0.06, 0.14), (-1, -0.06, 0.14), pole=UP)),
        _prone(Spine(lumbar=-20, thoracic=-18, nod=10), Aim((-1, 0.03, 0.22), (-1, 0.03, 0.22), pole=UP)),
    ),
    Camera(yaw=14, pitch=14),
    layout="ghost",
    mat=(-98, 86, -32, 32),
    arrows=(Arrow(((92, 14, 0), (92, 24, 0), (88, 38, 0))),),
    grounded=("torso",),
)


def _plank(spine: Spine, lean: float, at: float) -> Stance:
    arm_l, arm_r = both(hand_at(44, 16))
    leg_l, leg_r = both(Reach((-84, TIPTOE, 8.5), DOWN, way(-72)))
    return Stance(Pelvis(at=(-3.3, at, 0), lean=lean), spine, arm_l, arm_r, leg_l, leg_r)


SCAPULAR = exercise(
    "scapular-push-up",
    "Scapular push-up",
    "In a straight-arm plank: the chest sinks between the shoulder blades, then the arms push the floor away and the "
    "upper back widens; the elbows stay straight.",
    (
        _plank(Spine(lumbar=0, thoracic=-6, nod=-10, protract_l=-24, protract_r=-24), 76, 39),
        _plank(Spine(lumbar=4, thoracic=12, nod=-6, protract_l=24, protract_r=24), 61, 45.5),
    ),
    Camera(yaw=-12, pitch=9),
    layout="ghost",
    mat=(-104, 74, -32, 32),
    arrows=(Arrow(((30, 78, 8), (30, 88, 8), (30, 98, 8))),),
    grounded=("arm_l.lower", "arm_r.lower", "leg_l.lower", "leg_r.lower"),
)

MOVES: tuple[Exercise, ...] = (CACTUS, DART, SCAPULAR)
_ = NEAR
