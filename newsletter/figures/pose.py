"""A pose is joint angles: what turns where, in degrees, and where in the room the pelvis is."""

from __future__ import annotations

from dataclasses import dataclass

from newsletter.figures.space import Vec


@dataclass(frozen=True)
class Pelvis:
    """Where the middle of the hip joints is and how the pelvis stands: heading about the vertical, lean to the front
    (90 is face down with the head to the right), spin about the body's own long axis."""

    at: Vec = (0.0, 0.0, 0.0)
    heading: float = 0.0
    lean: float = 0.0
    spin: float = 0.0


@dataclass(frozen=True)
class Spine:
    """Sums over each region: flex rounds to the front, side bends to the body's right, twist turns to its left."""

    lumbar: float = 0.0
    thoracic: float = 0.0
    side: float = 0.0
    twist: float = 0.0
    nod: float = 0.0
    tilt: float = 0.0
    look: float = 0.0
    protract_l: float = 0.0
    protract_r: float = 0.0
    shrug_l: float = 0.0
    shrug_r: float = 0.0


@dataclass(frozen=True)
class Arm:
    """Shoulder: raised by lift in a plane (0 to the side, 90 to the front), turned outwards by turn; elbow bent by
    bend; the hand swung from the line of the forearm by wrist in wrist_plane and rolled about
    its own length, palm forwards, by roll."""

    plane: float = 0.0
    lift: float = 0.0
    turn: float = 0.0
    bend: float = 0.0
    wrist: float = 0.0
    wrist_plane: float = 0.0
    roll: float = 0.0


@dataclass(frozen=True)
class Leg:
    """Hip: flexed to the front, then taken out to the side, then turned outwards; knee bent by bend; the foot swung
    from the line of the shin by ankle (90 stands flat) in ankle_plane (90 is straight to the front)."""

    flex: float = 0.0
    out: float = 0.0
    turn: float = 0.0
    bend: float = 0.0
    ankle: float = 90.0
    ankle_plane: float = 90.0


@dataclass(frozen=True)
class Pose:
    """Joint angles of a whole body."""

    pelvis: Pelvis
    spine: Spine
    arm_l: Arm
    arm_r: Arm
    leg_l: Leg
    leg_r: Leg
