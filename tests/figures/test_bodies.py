"""A body stays a body: the same bones in every frame, joints that bend as joints do, weight on the mat."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.figures import body
from newsletter.figures.exercises import EXERCISES
from newsletter.figures.layout import moments
from newsletter.figures.measure import angles, depths, strained
from newsletter.figures.moves.common import all_fours
from newsletter.figures.pose import Arm, Leg, Pelvis, Pose, Spine
from newsletter.figures.skeleton import Skeleton, build
from newsletter.figures.space import RIGHT, length, sub
from newsletter.figures.stance import Aim, Reach, Stance, between, settle, way

LENGTHS = {
    "clavicle": body.CLAVICLE,
    "upper_arm": body.UPPER_ARM,
    "forearm": body.FOREARM,
    "hand": body.HAND,
    "thigh": body.THIGH,
    "shin": body.SHIN,
    "foot": body.FOOT,
}
SPINE = (body.SACRUM, *body.LUMBAR, *body.THORACIC, *body.NECK)
SQUEEZE = 1.5  # centimetres that flesh and a mat of 1.6 cm give way under weight
KEYS = sorted(EXERCISES)

degrees = st.floats(-170, 170)
shares = st.floats(0, 1)


def check_bones(skeleton: Skeleton) -> None:
    for name, bone in skeleton.bones.items():
        assert length(sub(bone.end, bone.start)) == pytest.approx(LENGTHS[name[:-2]], abs=1e-6), name
    found = [length(sub(b.at, a.at)) for a, b in pairwise(skeleton.spine)]
    assert found == pytest.approx(list(SPINE), abs=1e-6)
    hips = sub(skeleton.joint("hip_r"), skeleton.joint("hip_l"))
    assert length(hips) == pytest.approx(2 * body.HIP_HALF, abs=1e-6)


@given(
    st.builds(
        Pose,
        st.builds(Pelvis, heading=degrees, lean=degrees, spin=degrees),
        st.builds(Spine, *[degrees] * 11),
        st.builds(Arm, *[degrees] * 7),
        st.builds(Arm, *[degrees] * 7),
        st.builds(Leg, *[degrees] * 6),
        st.builds(Leg, *[degrees] * 6),
    )
)
@settings(max_examples=60, deadline=None)
def test_no_joint_angle_changes_the_length_of_a_bone(pose: Pose) -> None:
    check_bones(build(pose))


@given(st.sampled_from(KEYS), shares)
@settings(max_examples=60, deadline=None)
def test_bones_keep_their_length_in_every_frame(key: str, share: float) -> None:
    for a, b in pairwise(EXERCISES[key].stances):
        check_bones(build(settle(between(a, b, share))))


@given(st.sampled_from(KEYS), shares)
@settings(max_examples=60, deadline=None)
def test_joints_stay_in_human_range_in_every_frame(key: str, share: float) -> None:
    for a, b in pairwise(EXERCISES[key].stances):
        assert strained(settle(between(a, b, share))) == []


def test_every_measured_joint_has_a_range() -> None:
    names = {name for name, _ in angles(EXERCISES["cat-cow"].poses[0])} | {"shoulder.turn"}
    assert names == set(body.RANGES)
    assert all(low < high for low, high in body.RANGES.values())


def test_a_knee_that_bends_forwards_is_found() -> None:
    """The range test can fail: this leg bends like a bird's."""
    good = Aim(way(-90), way(-120), pole=RIGHT)
    bad = Aim(way(-90), way(-60), pole=RIGHT)
    arm = Aim(way(-90), way(-90))

    def standing(leg: Aim) -> Pose:
        return settle(Stance(Pelvis(), Spine(), arm, arm, leg, leg))

    assert strained(standing(good)) == []
    assert {name for name, _ in strained(standing(bad))} == {"hip.turn"}


def test_an_elbow_that_bends_backwards_is_found() -> None:
    leg = Aim(way(-90), way(-90))

    def standing(arm: Aim) -> Pose:
        return settle(Stance(Pelvis(), Spine(), arm, arm, leg, leg))

    assert strained(standing(Aim(way(-90), way(-30)))) == []
    assert {name for name, _ in strained(standing(Aim(way(-90), way(-150))))} == {"shoulder.turn"}


def test_angles_rebuild_the_directions_they_were_taken_from() -> None:
    upper, lower = way(20, 15), way(75, 40)
    pose = settle(Stance(Pelvis(heading=20, lean=30, spin=10), Spine(twist=20), *[Aim(upper, lower)] * 4))
    skeleton = build(pose)
    for name, aim in (("upper_arm", upper), ("forearm", lower), ("thigh", upper), ("shin", lower)):
        for side in "lr":
            bone = skeleton.bones[f"{name}_{side}"]
            along = tuple(v / LENGTHS[name] for v in sub(bone.end, bone.start))
            assert along == pytest.approx(aim, abs=1e-6), name


@pytest.mark.parametrize("key", KEYS)
def test_nothing_sinks_into_the_mat(key: str) -> None:
    for skeleton in moments(EXERCISES[key], 7):
        for part, height in depths(skeleton).items():
            assert height > -SQUEEZE, part


@pytest.mark.parametrize("key", KEYS)
def test_what_bears_weight_lies_on_the_mat(key: str) -> None:
    exercise = EXERCISES[key]
    assert exercise.grounded, "something must hold the body up"
    for skeleton in moments(exercise, 7):
        found = depths(skeleton)
        for part in exercise.grounded:
            assert -SQUEEZE < found[part] < 2.5, part


@pytest.mark.parametrize("key", KEYS)
def test_hands_and_feet_reach_the_place_they_stand_on(key: str) -> None:
    """Weight-bearing limbs are solved, not posed: the solution must arrive."""
    stances = EXERCISES[key].stances
    for stance, pose in zip((stances[0], stances[-1]), EXERCISES[key].poses, strict=True):
        skeleton = build(pose)
        for limb, joint in (("arm_l", "wrist_l"), ("arm_r", "wrist_r"), ("leg_l", "ankle_l"), ("leg_r", "ankle_r")):
            aim = getattr(stance, limb)
            if isinstance(aim, Reach):
                assert length(sub(skeleton.joint(joint), aim.at)) < 4.0, (limb, skeleton.joint(joint), aim.at)


def test_hands_and_knees_do_not_slide_in_cat_cow() -> None:
    places = [[s.joint(j) for j in ("wrist_r", "knee_r", "ankle_r")] for s in moments(EXERCISES["cat-cow"], 9)]
    for place in places[1:]:
        for there, here in zip(place, places[0], strict=True):
            assert length(sub(there, here)) < 2.0


def test_cat_rounds_and_cow_arches_the_back() -> None:
    """The middle of the back lies well above the line from hips to neck in the one and below it in the other."""

    def rise(pose: Pose) -> float:
        spine = build(pose).spine
        hips, neck, middle = spine[0].at, spine[7].at, spine[3].at
        share = (middle[0] - hips[0]) / (neck[0] - hips[0])
        return middle[1] - (hips[1] + (neck[1] - hips[1]) * share)

    cow, cat = EXERCISES["cat-cow"].poses
    assert rise(cow) < -4 < 8 < rise(cat)


@pytest.mark.parametrize("key", KEYS)
def test_no_joint_jumps_between_frames(key: str) -> None:
    """A flip of an elbow or a limb that takes the wrong way round shows as a leap."""
    joints = [f"{j}_{s}" for j in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle") for s in "lr"] + ["crown"]
    frames = moments(EXERCISES[key], 41)
    for a, b in pairwise(frames):
        for joint in joints:
            assert length(sub(a.joint(joint), b.joint(joint))) < 14.0, joint


def test_a_limb_cannot_turn_from_free_to_bearing() -> None:
    free = Stance(Pelvis(), Spine(), *[Aim(way(-90), way(-90))] * 4)
    with pytest.raises(TypeError):
        between(free, all_fours(), 0.5)
