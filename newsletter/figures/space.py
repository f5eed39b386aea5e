"""Vectors, frames and the camera: the little three-dimensional geometry a figure needs."""

from __future__ import annotations

from dataclasses import dataclass
from math import acos, cos, degrees, radians, sin, sqrt

Vec = tuple[float, float, float]
Point = tuple[float, float]

RIGHT: Vec = (1.0, 0.0, 0.0)
UP: Vec = (0.0, 1.0, 0.0)
NEAR: Vec = (0.0, 0.0, 1.0)
LEFT: Vec = (-1.0, 0.0, 0.0)
DOWN: Vec = (0.0, -1.0, 0.0)
FAR: Vec = (0.0, 0.0, -1.0)


def add(*vectors: Vec) -> Vec:
    """Sum of vectors."""
    return (sum(v[0] for v in vectors), sum(v[1] for v in vectors), sum(v[2] for v in vectors))


def sub(a: Vec, b: Vec) -> Vec:
    """The vector from b to a."""
    return (a[0] - b[0], a[1] - b[1], a[2] - b[2])


def scale(a: Vec, by: float) -> Vec:
    """A vector made `by` times as long."""
    return (a[0] * by, a[1] * by, a[2] * by)


def dot(a: Vec, b: Vec) -> float:
    """Inner product."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def cross(a: Vec, b: Vec) -> Vec:
    """Outer product, right-handed."""
    return (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])


def length(a: Vec) -> float:
    """Euclidean length."""
    return sqrt(dot(a, a))


def unit(a: Vec) -> Vec:
    """The direction of a vector; a vector without length has none and raises ZeroDivisionError."""
    return scale(a, 1.0 / length(a))


def mix(a: Vec, b: Vec, t: float) -> Vec:
    """The point t of the way from a to b."""
    return (a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t, a[2] + (b[2] - a[2]) * t)


def angle(a: Vec, b: Vec) -> float:
    """Degrees between two directions, 0 to 180."""
    return degrees(acos(max(-1.0, min(1.0, dot(unit(a), unit(b))))))


def about(v: Vec, axis: Vec, turn: float) -> Vec:
    """v turned by degrees about a unit axis (Rodrigues)."""
    c, s = cos(radians(turn)), sin(radians(turn))
    return add(scale(v, c), scale(cross(axis, v), s), scale(axis, dot(axis, v) * (1.0 - c)))


def across(v: Vec, axis: Vec) -> Vec:
    """The part of v at right angles to a unit axis."""
    return sub(v, scale(axis, dot(v, axis)))


def sweep(a: Vec, b: Vec, t: float) -> Vec:
    """The direction t of the way from a to b, at even speed along the arc between them."""
    a, b = unit(a), unit(b)
    rest = across(b, a)
    if length(rest) < 1e-6:
        return a
    return about(a, unit(cross(a, rest)), angle(a, b) * t)


@dataclass(frozen=True)
class Frame:
    """Three right-handed axes: x to the front of the body part, y to its upper end, z to the body's right."""

    x: Vec = RIGHT
    y: Vec = UP
    z: Vec = NEAR

    def out(self, v: Vec) -> Vec:
        """A vector of this frame in world axes."""
        return add(scale(self.x, v[0]), scale(self.y, v[1]), scale(self.z, v[2]))

    def into(self, v: Vec) -> Vec:
        """A world vector in the axes of this frame."""
        return (dot(self.x, v), dot(self.y, v), dot(self.z, v))

    def turned(self, axis: Vec, by: float) -> Frame:
        """This frame turned by degrees about an axis given in its own coordinates."""
        a = self.out(axis)
        return Frame(about(self.x, a, by), about(self.y, a, by), about(self.z, a, by))


@dataclass(frozen=True)
class Camera:
    """A camera without perspective: yaw goes round the mat, pitch rises above it, roll turns the picture (degrees)."""

    yaw: float = 0.0
    pitch: float = 10.0
    roll: float = 0.0

    def view(self) -> Frame:
        """Axes of the picture: x to the right, y up, z towards the onlooker."""
        right = about(RIGHT, UP, self.yaw)
        back = about(NEAR, UP, self.yaw)
        back = about(back, right, -self.pitch)
        up = cross(back, right)
        right, up = about(right, back, self.roll), about(up, back, self.roll)
        return Frame(right, up, back)
