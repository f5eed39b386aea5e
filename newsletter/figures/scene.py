"""A posed body before a camera: flat layers in the order in which they are painted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from newsletter.figures import flesh
from newsletter.figures.flesh import Hull, Part
from newsletter.figures.head import head, lines
from newsletter.figures.outline import Outline, support
from newsletter.figures.skeleton import Skeleton
from newsletter.figures.space import Camera, Frame, dot, sub

CORNERS = 28
"""Directions in which a hull is sampled; at 24 the roundest part is still within a quarter of a pixel at 480 px."""

BEHIND = {"arm": 9.0, "leg": 5.0}
"""A limb whose root lies this far (cm) behind the spine, about half of what it can, is on the far side."""

LINE = 2.1
FINE = 1.4
HAIR = 1.2

LIMBS = ("arm_l", "arm_r", "leg_l", "leg_r")


@dataclass(frozen=True)
class Layer:
    """Closed outlines (centimetres in the picture's plane, y upwards) or open lines, with colour roles; the width of
    the line is in pixels."""

    name: str
    outlines: tuple[Outline, ...]
    fill: str | None = None
    line: str | None = None
    width: float = 0.0
    closed: bool = True


@dataclass(frozen=True)
class Brush:
    """Turns hulls into layers for one view."""

    view: Frame
    corners: int

    def trace(self, hulls: Iterable[Hull]) -> tuple[Outline, ...]:
        """The outlines of some hulls."""
        return tuple(support(h, self.view, self.corners) for h in hulls)

    def edge(self, name: str, hulls: Iterable[Hull], ink: str, width: float = LINE) -> Layer:
        """An outline round the union of some hulls; the fills that follow cover its inside."""
        return Layer(name, self.trace(hulls), fill=ink, line=ink, width=width)


def parts_of(skeleton: Skeleton, view: Frame) -> dict[str, Part]:
    """All parts of a body by name."""
    found = [flesh.trunk(skeleton), head(skeleton, view.z)]
    for side in "lr":
        found += [*flesh.arm(skeleton, side), *flesh.leg(skeleton, side)]
    return {part.name: part for part in found}


def root_depth(skeleton: Skeleton, view: Frame, limb: str) -> float:
    """How far the joint from which a limb hangs lies before (or, negative, behind) the spine."""
    kind, side = limb.split("_")
    leg = kind == "leg"
    root = skeleton.joint(f"hip_{side}" if leg else f"shoulder_{side}")
    return dot(sub(root, skeleton.spine[0 if leg else 6].at), view.z)


def order_of(skeleton: Skeleton, view: Frame) -> tuple[str, ...]:
    """Names of the parts from the farthest to the nearest; the two halves of a limb stay together."""
    parts = parts_of(skeleton, view)

    def depth(name: str) -> float:
        return dot(parts[name].middle, view.z)

    groups: list[tuple[int, float, tuple[str, ...]]] = [(1, 0.0, ("torso", "head"))]
    for limb in LIMBS:
        halves = sorted((f"{limb}.upper", f"{limb}.lower"), key=depth)
        behind = root_depth(skeleton, view, limb) < -BEHIND[limb[:3]]
        groups.append((0 if behind else 2, depth(halves[0]) + depth(halves[1]), tuple(halves)))
    return tuple(name for _, _, group in sorted(groups) for name in group)


def far_limbs(skeleton: Skeleton, view: Frame) -> frozenset[str]:
    """The limbs on the far side of a body seen from its side."""
    return frozenset(limb for limb in LIMBS if root_depth(skeleton, view, limb) < -BEHIND[limb[:3]])


def paint(
    skeleton: Skeleton,
    camera: Camera,
    order: tuple[str, ...] = (),
    far: frozenset[str] | None = None,
    corners: int = CORNERS,
) -> list[Layer]:
    """The layers of a body.

    `order` (parts, the farthest first) and `far` (limbs in the lighter tone) override what depth alone says; `corners`
    is the fineness of the outlines.
    """
    brush = Brush(camera.view(), corners)
    parts = parts_of(skeleton, brush.view)
    order = order or order_of(skeleton, brush.view)
    behind = far_limbs(skeleton, brush.view) if far is None else far
    layers: list[Layer] = []
    for limb, names in groupby(order, key=lambda name: name.split(".")[0]):
        group = [parts[name] for name in names]
        ink = "far_ink" if limb in behind else "ink"
        layers.append(brush.edge(f"{group[0].name}.line", _edges(group, order, parts), ink))
        layers += _fills(group, brush, limb in behind)
        if limb == "head":
            layers += [
                Layer(
                    name, (tuple((dot(p, brush.view.x), dot(p, brush.view.y)) for p in line),), None, "ink", HAIR, False
                )
                for name, line in lines(skeleton, brush.view.z)
            ]
    return layers


def _edges(group: list[Part], order: tuple[str, ...], parts: dict[str, Part]) -> list[Hull]:
    """What gets an outline under a group's fills.

    The trunk's outline takes in the limbs that lie in front of it, and these are outlined again only where they have
    left the trunk: so a thigh or a shoulder grows out of the trunk without a seam.
    """
    first = group[0].name
    if first == "torso":
        front = [parts[n] for n in order[order.index("torso") :] if n.endswith("upper")]
        return [h for part in [*group, *front] for shape in part.shapes for h in shape.hulls]
    if first == "head":
        return list(group[0].crease)
    if "." in first and order.index("torso") < order.index(first):
        return [h for part in group for h in part.crease]
    return [h for part in group for shape in part.shapes for h in shape.hulls]


def _fills(group: list[Part], brush: Brush, far: bool) -> Iterator[Layer]:
    ink = "far_ink" if far else "ink"
    for i, part in enumerate(group):
        if i and part.fold:
            yield brush.edge(f"{part.name}.fold", part.fold, ink)
        for k, shape in enumerate(part.shapes):
            name = f"{part.name}.{shape.name or k}"
            role = f"far_{shape.role}" if far and shape.role in ("skin", "legs") else shape.role
            outlines = brush.trace(shape.hulls)
            if shape.edge:
                yield Layer(f"{name}.edge", outlines, line=ink, width=FINE)
            yield Layer(name, outlines, fill=role)


def shadow(skeleton: Skeleton, camera: Camera, mat: tuple[float, float, float, float]) -> Layer:
    """What a light straight above leaves on the mat (x from and to, z from and to)."""
    view = camera.view()
    above = Frame((1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, -1.0, 0.0))
    outlines = []
    for part in parts_of(skeleton, view).values():
        for shape in part.shapes:
            for hull in shape.hulls:
                flat = [
                    (min(max(x, mat[0] + 1), mat[1] - 1), 0.0, min(max(z, mat[2] + 1), mat[3] - 1))
                    for x, z in support(hull, above, 16)
                ]
                outlines.append(tuple((dot(p, view.x), dot(p, view.y)) for p in reversed(flat)))
    return Layer("shadow", tuple(outlines), fill="shadow")


def ghost(skeleton: Skeleton, camera: Camera) -> list[Layer]:
    """A body as a pale silhouette, for where it comes from."""
    brush = Brush(camera.view(), CORNERS)
    hulls = [h for part in parts_of(skeleton, brush.view).values() for shape in part.shapes for h in shape.hulls]
    return [brush.edge("ghost.line", hulls, "ghost_line"), Layer("ghost", brush.trace(hulls), fill="ghost")]
