"""Three stretches for tight hips."""

from __future__ import annotations

from newsletter.figures.exercise import Arrow, Exercise, exercise
from newsletter.figures.moves.common import both
from newsletter.figures.pose import Pelvis, Spine
from newsletter.figures.space import RIGHT, UP, Camera, Vec
from newsletter.figures.stance import Aim, Reach, Stance, way


def _lunge(back: float, lean: float, spine: Spine, hands: Vec) -> Stance:
    x, y, z = hands
    arm_l = Reach((x + 2, y, z - 3), (-1, 0, -0.7), way(-10))
    arm_r = Reach((x - 2, y, z + 4), (-1, 0, 0.7), way(-12, -25))
    front = Reach((43, 6.9, -8.5), UP, way(0))
    kneel = Aim(way(back), way(181), way(198), RIGHT)
    return Stance(Pelvis(lean=lean), spine, arm_l, arm_r, front, kneel, rest=("knee_r", (-22, 5.4, 8.5)))


LUNGE = exercise(
    "low-lunge",
    "Low lunge",
    "One foot in front, the other knee on the mat behind: the hips sink forward while the trunk stays tall and the "
    "hands rest on the front thigh.",
    (
        _lunge(-90, 2, Spine(thoracic=2), (6, 55, -8)),
        _lunge(-118, -1, Spine(lumbar=-6, thoracic=-2), (32, 55, -8)),
    ),
    Camera(yaw=10, pitch=9),
    layout="ghost",
    mat=(-82, 78, -32, 32),
    arrows=(Arrow(((-38, 62, 12), (-26, 58, 12), (-14, 48, 12))),),
    grounded=("leg_l.lower", "leg_r.lower"),
)


def _four(low: Aim, ankle: Vec, arm_l: Reach, arm_r: Reach) -> Stance:
    across = Reach(ankle, (0.0, 0.35, 1), (0.55, 0.7, -0.6))
    return Stance(Pelvis(at=(0, 11, 0), lean=-90), Spine(lumbar=4, thoracic=4, nod=4), arm_l, arm_r, low, across)


FIGURE_FOUR = exercise(
    "figure-four",
    "Figure four",
    "Lying on the back with one ankle across the other knee: both hands draw the lower thigh towards the chest.",
    (
        _four(
            Aim(way(56), way(-50)),
            (20, 49, -9),
            Reach((2, 5.5, -26), (-0.3, 0.2, -1), way(-2, -8)),
            Reach((2, 5.5, 26), (-0.3, 0.2, 1), way(-2, 8)),
        ),
        _four(
            Aim(way(104), way(5)),
            (0, 50, -9),
            Reach((2, 32, -18), (-0.5, -0.2, -1), (0.7, 0.2, 0.7)),
            Reach((2, 32, 0), (-0.3, -0.5, 1), (0.5, 0.2, -0.8)),
        ),
    ),
    Camera(yaw=52, pitch=26),
    mat=(-90, 56, -30, 30),
    far=frozenset({"leg_l"}),
    order=(
        *("torso", "head", "arm_l.upper", "arm_l.lower", "leg_l.upper", "leg_l.lower"),
        *("arm_r.upper", "arm_r.lower", "leg_r.lower", "leg_r.upper"),
    ),
    arrows=(Arrow(((4, 68, -8), (-12, 78, -8), (-34, 70, -8)), panel=1),),
    grounded=("torso",),
)


def _butterfly(lean: float, spine: Spine) -> Stance:
    arm_l, arm_r = both(Reach((34, 13, 9), (-0.5, 0.2, 1), (0.7, -0.5, -0.5)))
    leg_l, leg_r = both(Reach((38, 6, 5), (0.3, 0.05, 1), (1, 0.15, -0.1)))
    return Stance(Pelvis(at=(0, 10, 0), lean=lean), spine, arm_l, arm_r, leg_l, leg_r)


BUTTERFLY = exercise(
    "seated-butterfly",
    "Seated butterfly",
    "Sitting with the soles of the feet together and the knees out to the sides: with a long back the trunk leans "
    "forward from the hips.",
    (_butterfly(5, Spine()), _butterfly(36, Spine(lumbar=5, thoracic=4, nod=-8))),
    Camera(yaw=66, pitch=16),
    mat=(-36, 64, -46, 46),
    far=frozenset(),
    order=(
        *("torso", "head", "leg_l.upper", "leg_l.lower", "leg_r.upper", "leg_r.lower"),
        *("arm_l.upper", "arm_l.lower", "arm_r.upper", "arm_r.lower"),
    ),
    arrows=(Arrow(((-2, 92, 30), (14, 94, 30), (34, 80, 30)), panel=1),),
    grounded=("leg_l.upper", "leg_r.upper"),
)

MOVES: tuple[Exercise, ...] = (LUNGE, FIGURE_FOUR, BUTTERFLY)
