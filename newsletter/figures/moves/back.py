"""The four stretches for the upper back."""

from __future__ import annotations

from dataclasses import replace

from newsletter.figures.exercise import Arrow, Exercise, exercise
from newsletter.figures.moves.common import all_fours, both, hand_at
from newsletter.figures.pose import Pelvis, Spine
from newsletter.figures.space import DOWN, LEFT, NEAR, RIGHT, UP, Camera
from newsletter.figures.stance import Aim, Reach, Stance, way

CAT_COW = exercise(
    "cat-cow",
    "Cat–cow",
    "On hands and knees: first the belly sinks and the chest lifts, then the whole back rounds towards the ceiling "
    "with the head hanging.",
    (
        all_fours(Spine(lumbar=-32, thoracic=-22, nod=-45), lean=104, hands=47),
        all_fours(Spine(lumbar=48, thoracic=48, nod=40, protract=18), lean=31, hands=47),
    ),
    Camera(yaw=-14, pitch=9),
    mat=(-62, 92, -30, 30),
    arrows=(
        Arrow(((14, 78, 8), (18, 68, 8), (22, 62, 8)), panel=0),
        Arrow(((22, 82, 8), (22, 88, 8), (22, 98, 8)), panel=1),
    ),
)

PUPPY = exercise(
    "puppy-pose",
    "Puppy pose",
    "From hands and knees the hands walk forward: the hips stay over the knees while the chest sinks towards the mat "
    "and the arms are long.",
    (
        all_fours(Spine(lumbar=4, thoracic=6, nod=-8), lean=83, hands=48),
        replace(
            all_fours(Spine(lumbar=-32, thoracic=-24, nod=-2, shrug_l=18, shrug_r=18), lean=146, hands=94),
        ),
    ),
    Camera(yaw=-10, pitch=9),
    mat=(-62, 112, -30, 30),
    arrows=(Arrow(((30, 70, 8), (38, 62, 8), (42, 46, 8)), panel=1),),
)

THREAD = exercise(
    "thread-the-needle",
    "Thread the needle",
    "On hands and knees: one arm reaches up to the ceiling, then slides under the chest to the other side until "
    "shoulder and head rest on the mat.",
    (
        replace(
            all_fours(Spine(lumbar=4, thoracic=6, nod=-4, twist=44, look=40), lean=83, hands=48),
            arm_l=Aim((0.05, 1, -0.25), (0.02, 1, -0.1), pole=LEFT),
        ),
        replace(
            all_fours(Spine(lumbar=10, thoracic=12, side=-12, twist=-46, nod=6, look=-20), lean=113, hands=60),
            arm_l=Aim((0.1, -0.12, 1), (0.05, -0.02, 1), pole=LEFT),
        ),
    ),
    Camera(yaw=24, pitch=16),
    mat=(-62, 92, -32, 32),
)


def _book(spine: Spine, arm: Aim) -> Stance:
    lower = Aim(NEAR, NEAR, pole=LEFT)
    thigh, shin = (0.12, 0.0, 1.0), (-1.0, 0.0, 0.12)
    return Stance(Pelvis(at=(0, 16, 0), lean=90, spin=-90), spine, lower, arm, Aim(thigh, shin), Aim(thigh, shin))


BOOK = exercise(
    "open-book",
    "Open book",
    "Lying on one side with bent knees and both arms in front, palms together; then the upper arm opens to the other "
    "side like a book cover and chest and head turn with it.",
    (
        _book(Spine(tilt=-30, protract=20), Aim((0.0, -0.25, 1), (0.0, -0.3, 1), pole=LEFT)),
        _book(Spine(tilt=-24, twist=-58, look=-50), Aim((0.1, 0.12, -1), (0.05, -0.02, -1), pole=LEFT)),
    ),
    Camera(yaw=0, pitch=52),
    mat=(-62, 82, -34, 34),
)

MOVES: tuple[Exercise, ...] = (CAT_COW, PUPPY, THREAD, BOOK)

_ = (DOWN, RIGHT, UP, Reach, way, both, hand_at)
