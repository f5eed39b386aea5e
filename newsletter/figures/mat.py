"""What is not the body: the exercise mat and the motion arrow."""

from __future__ import annotations

from itertools import pairwise
from math import atan2, cos, hypot, pi, sin

from newsletter.figures.outline import Outline, hull
from newsletter.figures.scene import Layer
from newsletter.figures.space import Camera, Frame, Point, Vec, dot

Bounds = tuple[float, float, float, float]
"""The mat's edges in the room: x from and to, z from and to."""

CORNER = 5.0
THICK = 1.6
HEAD_LONG = 9.5
HEAD_WIDE = 5.6


def project(v: Vec, view: Frame) -> Point:
    """Where a point of the room is in the picture."""
    return (dot(v, view.x), dot(v, view.y))


def mat(bounds: Bounds, camera: Camera) -> list[Layer]:
    """The exercise mat with rounded corners and a little thickness."""
    view = camera.view()
    x0, x1, z0, z1 = bounds
    corners = ((x1, z1, -1, -1), (x0, z1, 1, -1), (x0, z0, 1, 1), (x1, z0, -1, 1))
    rim: list[Vec] = []
    for quarter, (x, z, inx, inz) in enumerate(corners):
        for k in range(7):
            turn = (quarter + k / 6) * pi / 2
            rim.append((x + inx * CORNER + CORNER * cos(turn), 0.0, z + inz * CORNER + CORNER * sin(turn)))
    top = tuple(project(p, view) for p in rim)
    low = tuple(project((x, -THICK, z), view) for x, _, z in rim)
    return [
        Layer("mat.edge", (hull(top + low),), fill="mat_edge", line="mat_line", width=1.7),
        Layer("mat", (top,), fill="mat"),
    ]


def bezier(curve: Outline, t: float) -> Point:
    """A point of a Bézier curve (de Casteljau)."""
    points = list(curve)
    while len(points) > 1:
        pairs = pairwise(points)
        points = [(a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t) for a, b in pairs]
    return points[0]


def arrow(curve: Outline) -> list[Layer]:
    """A curved arrow with a halo that keeps it clear of what it crosses; the curve is in centimetres."""
    spots = [bezier(curve, k / 40) for k in range(41)]
    end = spots[-1]
    shaft = [p for p in spots if hypot(p[0] - end[0], p[1] - end[1]) > HEAD_LONG * 0.75]
    neck = shaft[-1]
    way = atan2(end[1] - neck[1], end[0] - neck[0])
    base = (end[0] - HEAD_LONG * cos(way), end[1] - HEAD_LONG * sin(way))
    left = (base[0] - HEAD_WIDE * sin(way), base[1] + HEAD_WIDE * cos(way))
    right = (base[0] + HEAD_WIDE * sin(way), base[1] - HEAD_WIDE * cos(way))
    line, tip = ((*shaft[::3], neck),), ((end, left, right),)
    return [
        Layer("arrow.halo", line, line="halo", width=8.4, closed=False),
        Layer("arrow.tiphalo", tip, fill="halo", line="halo", width=4.2),
        Layer("arrow.shaft", line, line="arrow", width=3.9, closed=False),
        Layer("arrow.tip", tip, fill="arrow", line="arrow", width=1.7),
    ]
