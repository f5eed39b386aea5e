"""How the poses of an exercise share one picture, still or moving."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from newsletter.figures.exercise import Exercise
from newsletter.figures.mat import arrow, mat, project
from newsletter.figures.outline import Outline, slim
from newsletter.figures.scene import Layer, ghost, order_of, paint, shadow
from newsletter.figures.skeleton import Skeleton, build
from newsletter.figures.stance import between, settle

WIDTH, HEIGHT = 480, 240
MARGIN = 5.0
LARGEST = 2.1
"""Pixels per centimetre at most, so that a sitting figure is not drawn larger than a lying one."""

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Fit:
    """Scale and shift that put centimetres into the picture."""

    by: float
    dx: float
    dy: float

    def spot(self, x: float, y: float) -> tuple[float, float]:
        """Pixels from the top left corner."""
        return self.dx + x * self.by, self.dy - y * self.by


def extent(layers: list[Layer]) -> Box:
    """The smallest box round some layers."""
    xs = [x for layer in layers for outline in layer.outlines for x, _ in outline]
    ys = [y for layer in layers for outline in layer.outlines for _, y in outline]
    return min(xs), min(ys), max(xs), max(ys)


def fit(layers: list[Layer]) -> Fit:
    """The largest scale at which the layers fit, in the middle of the picture."""
    x0, y0, x1, y1 = extent(layers)
    by = min((WIDTH - 2 * MARGIN) / (x1 - x0), (HEIGHT - 2 * MARGIN) / (y1 - y0), LARGEST)
    return Fit(by, WIDTH / 2 - by * (x0 + x1) / 2, HEIGHT / 2 + by * (y0 + y1) / 2)


def still(ex: Exercise) -> list[Layer]:
    """All layers of the still picture, in centimetres."""
    bodies = [build(pose) for pose in ex.poses]
    if ex.layout == "ghost":
        body, other = (bodies[-1], bodies[0]) if ex.main else (bodies[0], bodies[-1])
        figure = paint(body, ex.camera, ex.order, ex.far)
        under = [*mat(ex.mat, ex.camera), shadow(body, ex.camera, ex.mat), *ghost(other, ex.camera)]
        return [_thin(layer) for layer in [*under, *figure, *_arrows(ex, 0)]]
    found: list[Layer] = []
    x = 0.0
    for i, skeleton in enumerate(bodies):
        panel = _panel(ex, skeleton, i)
        x0, _, x1, _ = extent(panel)
        found += _moved(panel, x - x0)
        x += x1 - x0 + ex.gap
    return found


def _panel(ex: Exercise, skeleton: Skeleton, i: int) -> list[Layer]:
    figure = paint(skeleton, ex.camera, ex.order, ex.far)
    ground = [*mat(ex.mat, ex.camera), shadow(skeleton, ex.camera, ex.mat)]
    return [_thin(layer) for layer in [*ground, *figure, *_arrows(ex, i)]]


def _arrows(ex: Exercise, panel: int) -> list[Layer]:
    view = ex.camera.view()
    return [layer for a in ex.arrows if a.panel == panel for layer in arrow(tuple(project(p, view) for p in a.curve))]


def _thin(layer: Layer) -> Layer:
    if not layer.closed or len(layer.outlines) < 2:
        return layer
    return replace(layer, outlines=slim([layer.outlines])[0])


def _moved(layers: list[Layer], dx: float) -> list[Layer]:
    def shift(outline: Outline) -> Outline:
        return tuple((x + dx, y) for x, y in outline)

    return [replace(layer, outlines=tuple(shift(o) for o in layer.outlines)) for layer in layers]


def ease(t: float) -> float:
    """Slow at both ends (smoothstep)."""
    return t * t * (3 - 2 * t)


def moments(ex: Exercise, count: int, pace: Callable[[float], float] = float) -> list[Skeleton]:
    """Skeletons from the first stance to the last, at even steps or as `pace` spreads them; weight-bearing hands and
    feet do not slide."""
    legs = len(ex.stances) - 1
    found = []
    for i in range(count):
        t = pace(i / (count - 1)) * legs
        leg = min(int(t), legs - 1)
        found.append(build(settle(between(ex.stances[leg], ex.stances[leg + 1], t - leg))))
    return found


def moving(ex: Exercise, count: int, corners: int, pace: Callable[[float], float] = float) -> list[list[Layer]]:
    """The layers of each moment, without the mat; one order of painting for all."""
    order = ex.order or order_of(build(ex.poses[-1]), ex.camera.view())
    return [paint(body, ex.camera, order, ex.far, corners) for body in moments(ex, count, pace)]
