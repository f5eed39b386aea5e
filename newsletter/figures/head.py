"""The head: a face in profile or from the front, hair with a bun, an ear, a closed eye."""

from __future__ import annotations

from math import cos, pi, sin, sqrt

from newsletter.figures import body
from newsletter.figures.flesh import Blob, Hull, Part, Shape, ball, egg, facing
from newsletter.figures.skeleton import Skeleton
from newsletter.figures.space import Frame, Vec, add, cross, dot, scale, unit

SPOTS = 26
EAR_SEEN = 0.25


def cap(at: Vec, frame: Frame, half: Vec, keep: float) -> Hull:
    """The piece of the hair's ellipsoid on the hair's side (keep 1) or the face's side (-1) of the hairline."""
    normal, level = body.HAIRLINE
    normal = unit(normal)
    spots: list[Vec] = [p for p in _globe() if keep * (dot(p, normal) - level) >= 0] + _rim(normal, level)
    points = [add(at, frame.out((p[0] * half[0], p[1] * half[1], p[2] * half[2]))) for p in spots]
    return tuple(Blob(p, ()) for p in points)


def _globe() -> list[Vec]:
    rings = 11
    spots: list[Vec] = []
    for i in range(rings + 1):
        polar = pi * i / rings
        for k in range(SPOTS):
            turn = 2 * pi * k / SPOTS
            spots.append((sin(polar) * cos(turn), cos(polar), sin(polar) * sin(turn)))
    return spots


def _rim(normal: Vec, level: float) -> list[Vec]:
    one = unit(cross(normal, (0.0, 0.0, 1.0)))
    two = cross(normal, one)
    r = sqrt(1 - level * level)
    turns = [2 * pi * k / SPOTS for k in range(SPOTS)]
    return [add(scale(normal, level), scale(one, r * cos(t)), scale(two, r * sin(t))) for t in turns]


def head(skeleton: Skeleton, towards: Vec) -> Part:
    """Head as seen from a direction: the hair lies over the face, or the face over the hair."""
    at, frame = skeleton.spine[-1].at, skeleton.spine[-1].frame

    def place(v: Vec) -> Vec:
        return add(at, frame.out(v))

    skull = tuple(egg(place(o), frame, half) for o, half in body.SKULL)
    nose = tuple(egg(place(o), frame, half) for o, half in body.NOSE)
    middle, half = place(body.HAIR[0]), body.HAIR[1]
    bun = (ball(place(body.BUN[0]), body.BUN[1]),)
    whole = (egg(middle, frame, half),)
    ears = tuple(
        Shape("skin", ((egg(place((x, y, z * sign)), frame, body.EAR[1]),),), edge=True, name=f"ear{sign:+.0f}")
        for x, y, z in (body.EAR[0],)
        for sign in (-1.0, 1.0)
        if dot(scale(frame.z, sign), towards) > EAR_SEEN
    )
    outer: tuple[Hull, ...] = (skull, nose, whole, bun)
    if facing(frame, towards) >= 0:
        over = Shape("hair", (cap(middle, frame, half, 1.0),), name="hair.over")
        knot = Shape("hair", (bun,), name="bun.over")
        return Part("head", (Shape("skin", (skull, nose), name="skin"), over, *ears, knot), outer)
    inner = (half[0] * 0.96, half[1] * 0.96, half[2] * 0.96)
    face = Shape("skin", ((*skull[1:], *cap(middle, frame, inner, -1.0)), nose), name="face")
    under = Shape("hair", (bun, whole), name="hair.under")
    return Part("head", (under, face, *ears), outer)


def lines(skeleton: Skeleton, towards: Vec) -> list[tuple[str, tuple[Vec, ...]]]:
    """Closed eyes and mouth by name, as far as the viewer can see them."""
    at, frame = skeleton.spine[-1].at, skeleton.spine[-1].frame
    found: list[tuple[str, tuple[Vec, ...]]] = []
    for sign in (-1.0, 1.0):
        look = unit(frame.out((0.75, 0.0, 0.65 * sign)))
        if dot(look, towards) > 0.3:
            found.append((f"eye{sign:+.0f}", tuple(add(at, frame.out((x, y, z * sign))) for x, y, z in body.EYE)))
    if dot(frame.x, towards) > 0.35:
        found.append(("mouth", tuple(add(at, frame.out(v)) for v in body.MOUTH)))
    return found
