"""Flat outlines: hulls of ellipsoids as polygons, without the points that other polygons hide."""

from __future__ import annotations

from math import cos, pi, sin, sqrt

from newsletter.figures.flesh import Hull
from newsletter.figures.space import Frame, Point, dot

Outline = tuple[Point, ...]

INSIDE = 0.02
"""Centimetres a point must lie within another polygon to be left out; keeps rounding from opening seams."""


def support(hull: Hull, view: Frame, count: int) -> Outline:
    """The outermost points of a hull in `count` even directions of the picture (y upwards), in order."""
    flat = [
        (
            (dot(b.at, view.x), dot(b.at, view.y)),
            [(dot(a, view.x), dot(a, view.y)) for a in b.axes],
        )
        for b in hull
    ]
    return tuple(_farthest(flat, 2 * pi * k / count) for k in range(count))


def _farthest(flat: list[tuple[Point, list[Point]]], direction: float) -> Point:
    c, s = cos(direction), sin(direction)
    best, spot = -1e9, (0.0, 0.0)
    for (x, y), axes in flat:
        reach = [ax * c + ay * s for ax, ay in axes]
        h = sqrt(sum(r * r for r in reach)) or 1e-9
        if x * c + y * s + h > best:
            best = x * c + y * s + h
            dx = sum(ax * r for (ax, _), r in zip(axes, reach, strict=True))
            dy = sum(ay * r for (_, ay), r in zip(axes, reach, strict=True))
            spot = (x + dx / h, y + dy / h)
    return spot


def slim(frames: list[tuple[Outline, ...]]) -> list[tuple[Outline, ...]]:
    """The same union of convex polygons with fewer points, dropping the same ones in every frame.

    A run of neighbouring points inside one other polygon adds nothing but its two ends: what lies between the run and
    its chord is inside that polygon, too. Polygons are thinned one after the other, so no two rely on each other.
    """
    count = len(frames[0])
    kept = [list(range(len(frames[0][i]))) for i in range(count)]

    def now(frame: int, i: int) -> list[Point]:
        return [frames[frame][i][k] for k in kept[i]]

    for i in range(count):
        for j in range(count):
            if i == j or len(kept[i]) < 3 or len(kept[j]) < 3:
                continue
            hidden = [all(_within(frames[f][i][k], now(f, j)) for f in range(len(frames))) for k in kept[i]]
            n = len(hidden)
            if all(hidden):
                kept[i] = []
                continue
            kept[i] = [k for p, k in enumerate(kept[i]) if not (hidden[p] and hidden[p - 1] and hidden[(p + 1) % n])]
    return [tuple(tuple(frame[i][k] for k in kept[i]) for i in range(count) if len(kept[i]) > 2) for frame in frames]


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
