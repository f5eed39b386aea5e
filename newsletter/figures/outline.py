"""Flat outlines: hulls of ellipsoids as polygons, without the points that other polygons hide."""

from __future__ import annotations

from functools import lru_cache
from math import cos, pi, sin, sqrt

from newsletter.figures.flesh import Blob, Hull
from newsletter.figures.space import Frame, Point, dot

Outline = tuple[Point, ...]

INSIDE = 0.02
"""Centimetres a point must lie within another polygon to be left out; keeps rounding from opening seams."""


Spread = tuple[float, float, float, float, float]
"""A blob's shadow in the picture: its middle (x, y) and the second moments (xx, xy, yy) of its half-axes."""


@lru_cache(maxsize=8)
def _directions(count: int) -> tuple[Point, ...]:
    return tuple((cos(2 * pi * k / count), sin(2 * pi * k / count)) for k in range(count))


def support(hull: Hull, view: Frame, count: int) -> Outline:
    """The outermost points of a hull in `count` even directions of the picture (y upwards), in order."""
    flat = [_spread(blob, view) for blob in hull]
    return tuple(_farthest(flat, c, s) for c, s in _directions(count))


def _spread(blob: Blob, view: Frame) -> Spread:
    xx = xy = yy = 0.0
    for axis in blob.axes:
        x, y = dot(axis, view.x), dot(axis, view.y)
        xx, xy, yy = xx + x * x, xy + x * y, yy + y * y
    return dot(blob.at, view.x), dot(blob.at, view.y), xx, xy, yy


def _farthest(flat: list[Spread], c: float, s: float) -> Point:
    """The point of some ellipses that lies farthest in direction (c, s)."""
    best, spot = -1e9, (0.0, 0.0)
    for x, y, xx, xy, yy in flat:
        h = sqrt(max(xx * c * c + 2 * xy * c * s + yy * s * s, 1e-18))
        far = x * c + y * s + h
        if far > best:
            best, spot = far, (x + (xx * c + xy * s) / h, y + (xy * c + yy * s) / h)
    return spot


def slim(frames: list[tuple[Outline, ...]]) -> list[tuple[Outline, ...]]:
    """The same union of convex polygons with fewer points, dropping the same ones in every frame.

    A run of neighbouring points inside one other polygon adds nothing but its two ends: what lies between the run and
    its chord is inside that polygon, too. Polygons are thinned one after the other, so no two rely on each other.
    """
    count = len(frames[0])
    kept = [list(range(len(frames[0][i]))) for i in range(count)]
    boxes = [[_box(outline) for outline in frame] for frame in frames]
    for i in range(count):
        for j in range(count):
            if i == j or len(kept[j]) < 3 or not all(_touch(row[i], row[j]) for row in boxes):
                continue
            covers = [[frame[j][k] for k in kept[j]] for frame in frames]
            hidden = [all(_within(f[i][k], c) for f, c in zip(frames, covers, strict=True)) for k in kept[i]]
            n = len(hidden)
            if all(hidden):
                kept[i] = []
                break
            kept[i] = [k for p, k in enumerate(kept[i]) if not (hidden[p] and hidden[p - 1] and hidden[(p + 1) % n])]
    return [tuple(tuple(frame[i][k] for k in kept[i]) for i in range(count) if len(kept[i]) > 2) for frame in frames]


def _box(outline: Outline) -> tuple[float, float, float, float]:
    xs, ys = [x for x, _ in outline], [y for _, y in outline]
    return min(xs), min(ys), max(xs), max(ys)


def _touch(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _within(point: Point, polygon: list[Point]) -> bool:
    """Whether a point is clearly inside a convex polygon that runs anticlockwise."""
    x, y = point
    ax, ay = polygon[-1]
    for bx, by in polygon:
        dx, dy = bx - ax, by - ay
        turn = dx * (y - ay) - dy * (x - ax)
        if (dx or dy) and turn < INSIDE * sqrt(dx * dx + dy * dy):
            return False
        ax, ay = bx, by
    return True


def hull(points: Outline) -> Outline:
    """The convex outline round some points, anticlockwise (Andrew's monotone chain)."""

    def half(row: list[Point]) -> list[Point]:
        chain: list[Point] = []
        for p in row:
            while len(chain) > 1 and _turn(chain[-2], chain[-1], p) <= 0:
                chain.pop()
            chain.append(p)
        return chain[:-1]

    row = sorted(set(points))
    return (*half(row), *half(row[::-1]))


def _turn(a: Point, b: Point, c: Point) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def lowest(hull: Hull) -> float:
    """Height of the lowest point of a hull in the room."""
    return min(b.at[1] - sqrt(sum(a[1] ** 2 for a in b.axes)) for b in hull)
