"""What a picture of an exercise is made of."""

from __future__ import annotations

from dataclasses import dataclass

from newsletter.figures.pose import Pose
from newsletter.figures.space import Camera, Vec
from newsletter.figures.stance import Stance, settle


@dataclass(frozen=True)
class Arrow:
    """A motion arrow along a Bézier curve through the room (three or four control points)."""

    curve: tuple[Vec, ...]
    panel: int = 0


@dataclass(frozen=True)
class Exercise:
    """An exercise: poses from start to end, the camera it is seen with, and how the picture is laid out.

    layout is "pair" (start and end side by side) or "ghost" (the end in full, the start as a pale silhouette).
    """

    key: str
    name: str
    alt: str
    stances: tuple[Stance, ...]
    poses: tuple[Pose, ...]
    camera: Camera
    layout: str = "pair"
    mat: tuple[float, float, float, float] = (-90.0, 90.0, -32.0, 32.0)
    order: tuple[str, ...] = ()
    orders: tuple[tuple[str, ...], ...] = ()
    far: frozenset[str] | None = None
    arrows: tuple[Arrow, ...] = ()
    grounded: tuple[str, ...] = ()
    gap: float = 14.0


def exercise(key: str, name: str, alt: str, stances: tuple[Stance, ...], camera: Camera, **rest: object) -> Exercise:
    """An exercise whose poses are the settled stances."""
    return Exercise(key, name, alt, stances, tuple(settle(s) for s in stances), camera, **rest)  # type: ignore[arg-type]
