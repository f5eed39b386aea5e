"""The same layer at every moment of a movement, so that SVG can lead its points from one to the next."""

from __future__ import annotations

from dataclasses import dataclass, replace

from newsletter.figures.outline import slim
from newsletter.figures.scene import Layer

HOLD = 0.1
"""Share of the whole movement for which each end is held."""


@dataclass(frozen=True)
class Track:
    """A layer at each moment, with equally many points; `shown` says at which moments it is seen."""

    name: str
    layers: tuple[Layer, ...]
    shown: tuple[bool, ...]


def tracks(steps: list[list[Layer]]) -> list[Track]:
    """Layers of all moments by name, in the order of painting."""
    names: list[str] = []
    for step in steps:
        at = 0
        for layer in step:
            if layer.name in names:
                at = names.index(layer.name) + 1
            else:
                names.insert(at, layer.name)
                at += 1
    by_name = [{layer.name: layer for layer in step} for step in steps]
    return [_track(name, [step.get(name) for step in by_name]) for name in names]


def _track(name: str, found: list[Layer | None]) -> Track:
    """A moment at which the layer is hidden borrows the nearest one at which it is not."""
    there = [i for i, layer in enumerate(found) if layer]
    filled = [found[min(there, key=lambda k: abs(k - i))] for i in range(len(found))]
    layers = [layer for layer in filled if layer]
    if layers[0].closed:
        outlines = slim([layer.outlines for layer in layers])
        layers = [replace(layer, outlines=o) for layer, o in zip(layers, outlines, strict=True)]
    return Track(name, tuple(layers), tuple(layer is not None for layer in found))


def timetable(count: int) -> tuple[list[int], str]:
    """Moments there and back with a hold at each end, and their key times; slow at both ends."""
    half = 0.5 - HOLD
    there = [HOLD / 2 + half * _late(i / (count - 1)) for i in range(count)]
    back = [1 - t for t in there[::-1]]
    order = [0, *range(count), *range(count)[::-1], 0]
    return order, ";".join(f"{t:.4g}" for t in (0.0, *there, *back, 1.0))


def _late(share: float) -> float:
    """When a movement that starts and ends slowly has come this far (the inverse of smoothstep, by halving)."""
    low, high = 0.0, 1.0
    for _ in range(30):
        mid = (low + high) / 2
        if mid * mid * (3 - 2 * mid) < share:
            low = mid
        else:
            high = mid
    return high
