"""The four stretches for the upper back."""

from __future__ import annotations

from dataclasses import replace

from newsletter.figures.exercise import Arrow, Exercise, exercise
from newsletter.figures.moves.common import HANDS_AND_KNEES, all_fours, hand_at
from newsletter.figures.pose import Pelvis, Spine
from newsletter.figures.space import DOWN, FAR, LEFT, RIGHT, UP, Camera
from newsletter.figures.stance import Aim, Reach, Stance, way

CAT_COW = exercise(
    "cat-cow",
    "Cat–cow",
    "On hands and knees: first the belly sinks and the chest lifts, then the whole back rounds towards the ceiling "
    "with the head hanging.",
    (
        all_fours(Spine(lumbar=-34, thoracic=-22, nod=-42), lean=109, hands=45),
        all_fours(Spine(lumbar=48, thoracic=48, nod=42, protract_l=16, protract_r=16), lean=23, hands=45),
    ),
    Camera(yaw=-14, pitch=9),
    mat=(-60, 68, -30, 30),
    arrows=(
        Arrow(((20, 90, 8), (20, 80, 8), (20, 70, 8)), panel=0),
        Arrow(((20, 82, 8), (20, 92, 8), (20, 102, 8)), panel=1),
    ),
    grounded=HANDS_AND_KNEES,
)

PUPPY = exercise(
    "puppy-pose",
    "Puppy pose",
    "From hands and knees the hands walk forward: the hips stay over the knees while the chest sinks towards the mat "
    "and the arms are long.",
    (
        all_fours(hands=48),
        all_fours(
            Spine(lumbar=-8, thoracic=-24, nod=4, shrug_l=18, shrug_r=18), lean=139, hands=95.5, elbows=(-0.4, 0.3, 0.8)
        ),
    ),
    Camera(yaw=-10, pitch=9),
    mat=(-60, 110, -30, 30),
    arrows=(Arrow(((30, 70, 8), (38, 62, 8), (42, 46, 8)), panel=1),),
    grounded=HANDS_AND_KNEES,
)

NEEDLE = (
    *("leg_l.upper", "leg_l.lower", "arm_l.upper", "arm_l.lower", "torso", "arm_r.upper", "arm_r.lower", "head"),
    *("leg_r.lower", "leg_r.upper"),
)

THREAD = exercise(
    "thread-the-needle",
    "Thread the needle",
    "On hands and knees: one arm reaches up to the ceiling, then slides under the chest to the other side until "
    "shoulder and head rest on the mat.",
    (
        replace(
            all_fours(Spine(lumbar=3, thoracic=6, nod=-4, twist=32, look=-30, protract_r=18, protract_l=-18), lean=69),
            arm_l=Reach((45, 127, -21.5), RIGHT),
        ),
        replace(
            all_fours(Spine(lumbar=3, thoracic=6, nod=-5, twist=20, look=-20, protract_l=-8), lean=73),
            arm_l=Reach((52, 88, -84), (1, 0.3, -0.2)),
        ),
        replace(
            all_fours(Spine(lumbar=4, thoracic=7, twist=6, nod=-6), lean=78),
            arm_l=Reach((56, 22, -66), (0.3, 0.8, -1)),
        ),
        replace(
            all_fours(Spine(lumbar=8, thoracic=10, side=-6, twist=-20, nod=-8, look=-10, tilt=20), lean=98),
            arm_l=Reach((40, 9, -4), (-0.6, 0.2, -1)),
            arm_r=hand_at(62, 13),
        ),
        replace(
            all_fours(Spine(lumbar=12, thoracic=14, side=-12, twist=-46, nod=-14, look=-20, tilt=45), lean=118),
            arm_l=Reach((8.7, 7, 37), (-1, 1, 0)),
            arm_r=Reach((95, 4.2, 4), (-1.0, 0.3, -0.2), way(-4), UP),
        ),
    ),
    Camera(yaw=28, pitch=16),
    mat=(-60, 96, -32, 32),
    far=frozenset({"leg_l"}),
    order=NEEDLE,
    arrows=(Arrow(((50, 0, 50), (34, 0, 62), (10, 0, 66)), panel=1),),
    grounded=("arm_r.lower", "leg_l.lower", "leg_r.lower"),
)


def _book(spine: Spine, arm: Aim) -> Stance:
    lower = Aim((0.0, -0.06, 1), (0.0, -0.06, 1), pole=LEFT)
    thigh, shin = (0.12, -0.06, 1.0), (-1.0, 0.0, 0.12)
    return Stance(Pelvis(at=(0, 17.4, 0), lean=90, spin=-90), spine, lower, arm, Aim(thigh, shin), Aim(thigh, shin))


BOOK = exercise(
    "open-book",
    "Open book",
    "Lying on one side with bent knees and both arms in front, palms together; then the upper arm opens to the other "
    "side like a book cover and chest and head turn with it.",
    (
        _book(
            Spine(side=8, tilt=-38, protract_l=28, protract_r=10, shrug_l=25),
            Aim((0.0, -0.4, 0.92), (0.0, -0.4, 0.92), (0.0, -0.2, 1), (-1, -1, 0), UP),
        ),
        _book(
            Spine(side=8, tilt=-30, twist=-22, look=-22, protract_l=28, protract_r=-5, shrug_l=25),
            Aim((0.05, 1, 0.1), (0.05, 1, 0.1), (0.05, 1, 0.1), (-1, -1, 0), FAR),
        ),
        _book(
            Spine(side=8, tilt=-20, twist=-55, look=-45, protract_l=28, protract_r=-20, shrug_l=25),
            Aim((0.08, -0.12, -1), (0.08, -0.12, -1), (0.05, 0.1, -1), (0, -1, -1), DOWN),
        ),
    ),
    Camera(yaw=0, pitch=52),
    mat=(-52, 84, -34, 34),
    order=(
        *("leg_l.upper", "leg_l.lower", "arm_l.upper", "arm_l.lower", "torso", "head"),
        *("leg_r.upper", "leg_r.lower", "arm_r.upper", "arm_r.lower"),
    ),
    far=frozenset({"leg_l", "arm_l"}),
    arrows=(Arrow(((70, 4, 58), (112, 16, 30), (112, 16, -30), (72, 4, -62)), panel=1),),
    grounded=("torso", "leg_l.upper"),
)

MOVES: tuple[Exercise, ...] = (CAT_COW, PUPPY, THREAD, BOOK)
