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
    """An exercise: start and end pose, the stances the movement goes through, the camera and the layout of the picture.

    layout is "pair" (start and end side by side) or "ghost" (the pose `main` in full, the other end of the movement as
    a pale silhouette). `order` and `far` override what the scene finds by depth; `grounded` names the parts of the body
    that lie on the mat throughout.
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
    far: frozenset[str] | None = None
    arrows: tuple[Arrow, ...] = ()
    grounded: tuple[str, ...] = ()
    main: int = -1
    gap: float = 12.0


def exercise(key: str, name: str, alt: str, stances: tuple[Stance, ...], camera: Camera, **rest: object) -> Exercise:
    """An exercise whose poses are its first and last stance, settled; stances between them lead the movement."""
    return Exercise(key, name, alt, stances, (settle(stances[0]), settle(stances[-1])), camera, **rest)  # type: ignore[arg-type]
