"""From bones to rounded parts: every part is a row of ellipsoids whose hulls overlap."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import pi, sin

from newsletter.figures import body
from newsletter.figures.skeleton import Bone, Link, Skeleton
from newsletter.figures.space import Frame, Vec, add, cross, dot, mix, scale, sub, unit


@dataclass(frozen=True)
class Blob:
    """An ellipsoid: its middle and its three half-axes in the room."""

    at: Vec
    axes: tuple[Vec, ...]


BETWEEN = 3
"""Steps from one slice of the trunk to the next, so that a bent spine is a curve."""

Hull = tuple[Blob, ...]
"""Blobs under one tight skin."""


@dataclass(frozen=True)
class Shape:
    """Overlapping hulls of one colour role; `edge` gives the shape an outline on top of what is under it."""

    role: str
    hulls: tuple[Hull, ...]
    edge: bool = False
    name: str = ""


@dataclass(frozen=True)
class Part:
    """A part of the body drawn in one go: outline of everything, then the fills. `crease` is the piece of it whose
    outline shows where it lies on the trunk, `fold` the piece whose outline shows on the limb's other half."""

    name: str
    shapes: tuple[Shape, ...]
    crease: tuple[Hull, ...] = ()
    fold: tuple[Hull, ...] = ()
    middle: Vec = (0.0, 0.0, 0.0)


def ball(at: Vec, radius: float) -> Blob:
    """A sphere."""
    return Blob(at, ((radius, 0.0, 0.0), (0.0, radius, 0.0), (0.0, 0.0, radius)))


def egg(at: Vec, frame: Frame, half: Vec) -> Blob:
    """An ellipsoid along the axes of a frame."""
    return Blob(at, (scale(frame.x, half[0]), scale(frame.y, half[1]), scale(frame.z, half[2])))


def chain(blobs: list[Blob]) -> tuple[Hull, ...]:
    """Hulls round each blob and the next."""
    return tuple(pairwise(blobs))


def tapered(bone: Bone, radii: body.Radii, upto: float = 1.0, since: float = 0.0) -> list[Blob]:
    """Spheres along a bone between two places on it, by a table of radii."""
    places = [since, *(p for p, _ in radii if since < p < upto), upto]
    return [ball(mix(bone.start, bone.end, p), _radius(radii, p)) for p in places]


def _radius(radii: body.Radii, place: float) -> float:
    for (p, r), (q, s) in pairwise(radii):
        if p <= place <= q:
            return r + (s - r) * (place - p) / (q - p)
    return radii[-1][1]


def calf(bone: Bone, upto: float = 1.0, since: float = 0.0) -> list[Blob]:
    """The shin with its calf behind the bone."""
    blobs = tapered(bone, body.SHIN_RADII, upto, since)
    places = [since, *(p for p, _ in body.SHIN_RADII if since < p < upto), upto]
    back = scale(bone.frame.x, -body.CALF_BACK)
    return [
        Blob(add(b.at, scale(back, sin(pi * min(1.0, p * 1.3)))), b.axes) for b, p in zip(blobs, places, strict=True)
    ]


def slices(links: tuple[Link, ...], table: tuple[body.Slice, ...]) -> list[Blob]:
    """Slices of the trunk put on the joints of a spine, with smooth ones in between."""
    knots = [egg(add(links[i].at, links[i].frame.out(o)), links[i].frame, half) for i, o, half in table]
    found: list[Blob] = []
    for i in range(len(knots) - 1):
        four = (knots[max(0, i - 1)], knots[i], knots[i + 1], knots[min(len(knots) - 1, i + 2)])
        found += [_spline(four, k / BETWEEN) for k in range(BETWEEN)]
    return [*found, knots[-1]]


def _spline(four: tuple[Blob, Blob, Blob, Blob], t: float) -> Blob:
    """Catmull and Rom's curve through the middle two of four blobs."""
    weights = (
        ((2 - t) * t - 1) * t / 2,
        ((3 * t - 5) * t * t + 2) / 2,
        ((4 - 3 * t) * t + 1) * t / 2,
        (t - 1) * t * t / 2,
    )

    def blend(vectors: list[Vec]) -> Vec:
        return add(*(scale(v, w) for v, w in zip(vectors, weights, strict=True)))

    return Blob(blend([b.at for b in four]), tuple(blend([b.axes[k] for b in four]) for k in range(3)))


def trunk(skeleton: Skeleton) -> Part:
    """Trunk and neck: skin at neck and shoulders, a top, and the waist of the leggings."""
    links = skeleton.spine
    torso = slices(links, body.TRUNK)
    waist = 3 * BETWEEN
    shapes = (
        Shape("skin", chain(slices(links, body.THROAT)) + chain([torso[-1], *slices(links, body.YOKE)])),
        Shape("legs", chain(torso[: waist + 1])),
        Shape("top", chain(torso[waist:])),
    )
    return Part("torso", shapes, middle=links[3].at)


def arm(skeleton: Skeleton, side: str) -> tuple[Part, Part]:
    """Upper arm, and forearm with hand."""
    upper, lower = skeleton.bones[f"upper_arm_{side}"], skeleton.bones[f"forearm_{side}"]
    hand = skeleton.bones[f"hand_{side}"]
    first = Part(
        f"arm_{side}.upper",
        (Shape("skin", chain(tapered(upper, body.UPPER_ARM_RADII))),),
        chain(tapered(upper, body.UPPER_ARM_RADII, since=0.2)),
        chain(tapered(upper, body.UPPER_ARM_RADII, since=0.2, upto=0.75)),
        mix(upper.start, upper.end, 0.5),
    )
    paw = (*chain(palm(hand)), tuple(thumb(hand, side)))
    outer = chain(tapered(lower, body.FOREARM_RADII, since=0.25)) + paw
    second = Part(
        f"arm_{side}.lower",
        (Shape("skin", chain(tapered(lower, body.FOREARM_RADII)) + paw),),
        chain(tapered(lower, body.FOREARM_RADII)) + paw,
        outer,
        mix(lower.start, hand.end, 0.5),
    )
    return first, second


def palm(hand: Bone) -> list[Blob]:
    """A flat hand: wrist, palm, knuckles, finger tips."""
    table = ((0.0, 2.3, 2.5), (0.25, 1.9, 3.4), (0.52, 1.7, 3.9), (0.8, 1.4, 3.2), (0.97, 1.1, 1.9))
    return [egg(mix(hand.start, hand.end, p), hand.frame, (thick, 1.3, wide)) for p, thick, wide in table]


def thumb(hand: Bone, side: str) -> list[Blob]:
    """The thumb, on the inner edge of the hand."""
    inner = -1.0 if side == "r" else 1.0
    spots = (((0.4, -2.5, 1.6), 1.6), ((0.5, -8.2, 4.9), 1.05))
    return [ball(add(hand.start, hand.frame.out((x, y, z * inner))), r) for (x, y, z), r in spots]


def leg(skeleton: Skeleton, side: str) -> tuple[Part, Part]:
    """Thigh, and shin with foot; leggings end above the ankle."""
    thigh, shin, foot = (skeleton.bones[f"{b}_{side}"] for b in ("thigh", "shin", "foot"))
    first = Part(
        f"leg_{side}.upper",
        (Shape("legs", chain(tapered(thigh, body.THIGH_RADII))),),
        chain(tapered(thigh, body.THIGH_RADII, since=0.42)),
        chain(tapered(thigh, body.THIGH_RADII, since=0.42, upto=0.75)),
        mix(thigh.start, thigh.end, 0.5),
    )
    sole = shoe(foot, shin)
    outer = chain(calf(shin, since=0.25)) + sole
    second = Part(
        f"leg_{side}.lower",
        (Shape("skin", chain(calf(shin, since=0.7)) + sole), Shape("legs", chain(calf(shin, upto=0.78)))),
        chain(calf(shin)) + sole,
        outer,
        mix(shin.start, shin.end, 0.5),
    )
    return first, second


def shoe(foot: Bone, shin: Bone) -> tuple[Hull, ...]:
    """A bare foot: ankle, heel, ball and toes, which bend when the foot stands on them."""
    toe = unit(sub(foot.end, foot.start))
    up = unit(cross(shin.frame.z, toe))
    side = cross(toe, up)

    def spot(ahead: float, above: float, half: Vec) -> Blob:
        frame = Frame(toe, up, side)
        return egg(add(foot.start, scale(toe, ahead), scale(up, above)), frame, half)

    ankle, heel = spot(0.0, 0.0, (3.1, 3.1, 3.0)), spot(-3.4, -4.0, (2.9, 2.8, 2.7))
    arch = spot(5.5, -2.6, (3.0, 2.6, 3.1))
    bent = max(0.0, min(1.0, (-toe[1] - 0.35) * 2.5))
    pad, tip = spot(12.0, -4.6, (2.6, 2.1, 3.9)), spot(17.0 - 4.2 * bent, -5.4 + 6.0 * bent, (1.7, 1.3, 3.0))
    return ((ankle, heel, arch), (heel, arch, pad), (pad, tip))


def facing(frame: Frame, towards: Vec) -> float:
    """How much the hair (1) or the face (-1) looks at the viewer."""
    return dot(frame.out(body.HAIRLINE[0]), towards)
