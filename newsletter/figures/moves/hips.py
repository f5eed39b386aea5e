"""Three stretches for tight hips."""

from __future__ import annotations

from newsletter.figures.exercise import Arrow, Exercise, exercise
from newsletter.figures.moves.common import both
from newsletter.figures.pose import Pelvis, Spine
from newsletter.figures.space import LEFT, RIGHT, UP, Camera
from newsletter.figures.stance import Aim, Reach, Stance, way


def _lunge(x: float, y: float, lean: float, spine: Spine) -> Stance:
    arm_l, arm_r = Reach((38, 51, -9), (-1, 0, -0.6), way(-10)), Reach((34, 52, -4), (-1, 0, 0.6), way(-10, -20))
    back = Aim(way(-90), way(181), way(182), RIGHT)
    return Stance(
        Pelvis(at=(x, y, 0), lean=lean),
        spine,
        arm_l,
        arm_r,
        Reach((46, 7, -8.5), UP, way(0)),
        back,
        rest=("knee_r", (-22, 5.4, 8.5)),
    )


LUNGE = exercise(
    "low-lunge",
    "Low lunge",
    "One foot in front, the other knee on the mat behind: the hips sink forward while the trunk stays tall and the "
    "hands rest on the front thigh.",
    (
        _lunge(0, 47, 4, Spine(lumbar=0, thoracic=4, nod=0)),
        _lunge(14, 40, 0, Spine(lumbar=-8, thoracic=-4, nod=0)),
    ),
    Camera(yaw=10, pitch=9),
    layout="ghost",
    mat=(-75, 85, -32, 32),
    arrows=(Arrow(((-20, 70, 12), (-8, 66, 12), (4, 58, 12))),),
)


def _four(thigh: float, shin: float, arm: float) -> Stance:
    arm_l, arm_r = Aim(way(arm), way(arm), pole=RIGHT), Aim(way(arm), way(arm), pole=RIGHT)
    return Stance(
        Pelvis(at=(0, 10.5, 0), lean=-90),
        Spine(lumbar=6, nod=8),
        arm_l,
        arm_r,
        Aim(way(thigh), way(shin)),
        Aim((0.3, 0.8, 0.6), (0.2, 0.1, -1)),
    )


FIGURE_FOUR = exercise(
    "figure-four",
    "Figure four",
    "Lying on the back with one ankle across the other knee: both hands draw the lower thigh towards the chest.",
    (_four(60, -45, 20), _four(100, 5, 40)),
    Camera(yaw=30, pitch=14),
    layout="ghost",
    mat=(-92, 80, -32, 32),
)


def _butterfly(lean: float, spine: Spine, rise: float) -> Stance:
    arm_l, arm_r = both(Reach((36, 12, 5), (-0.5, 0, 1), way(0)))
    leg_l, leg_r = both(Aim((0.72, rise, 0.7), (0.45, -rise * 1.05, -0.95)))
    return Stance(Pelvis(at=(0, 12, 0), lean=lean), spine, arm_l, arm_r, leg_l, leg_r)


BUTTERFLY = exercise(
    "seated-butterfly",
    "Seated butterfly",
    "Sitting with the soles of the feet together and the knees out to the sides: with a long back the trunk leans "
    "forward from the hips.",
    (_butterfly(0, Spine(), 0.1), _butterfly(30, Spine(lumbar=8, thoracic=10), 0.1)),
    Camera(yaw=60, pitch=14),
    mat=(-40, 70, -45, 45),
)

MOVES: tuple[Exercise, ...] = (LUNGE, FIGURE_FOUR, BUTTERFLY)
_ = LEFT
