"""The picture of an exercise as SVG, still and moving.

Only presentation attributes are used: no style sheet, script, id or reference, so that several pictures can be put into
one page under a strict content security policy.
"""

from __future__ import annotations

from functools import lru_cache
from html import escape
from itertools import pairwise

from newsletter.errors import NotFound
from newsletter.figures.exercise import Exercise
from newsletter.figures.exercises import EXERCISES
from newsletter.figures.layout import HEIGHT, WIDTH, Fit, fit, moving, still
from newsletter.figures.mat import mat
from newsletter.figures.palette import DARK, LIGHT, Palette
from newsletter.figures.scene import Layer
from newsletter.figures.tracks import Track, timetable, tracks

__all__ = ["DARK", "LIGHT", "Palette", "animation", "find", "frame", "size", "svg"]

SECONDS = 6
"""Length of one movement there and back: about the pace of a calm breath."""

CORNERS_MOVING = 18
"""Fewer corners than a still picture has: a moving outline is not looked at so closely, and it is sent many times."""


def find(key: str) -> Exercise:
    """The exercise of a key; raises NotFound."""
    if key not in EXERCISES:
        known = ", ".join(sorted(EXERCISES))
        raise NotFound(f"There is no figure called “{key}”.", remedy=f"Use one of: {known}.")
    return EXERCISES[key]


def size(key: str) -> tuple[int, int]:
    """Width and height of a figure in CSS pixels; raises NotFound."""
    find(key)
    return WIDTH, HEIGHT


@lru_cache(maxsize=128)
def svg(key: str, *, title: str | None = None, palette: Palette = LIGHT) -> str:
    """A standalone still picture on a transparent ground; raises NotFound."""
    layers = still(find(key))
    place = fit(layers)
    return _document(title, "".join(element(layer, place, palette) for layer in layers))


@lru_cache(maxsize=64)
def animation(
    key: str, frames: int = 12, *, title: str | None = None, palette: Palette = LIGHT, calm: bool = True
) -> str:
    """A picture that moves from the first pose to the last and back (SMIL), led through `frames` outlines for both
    ways, of which the first and the last are held.

    With `calm` it holds the still picture, too, which static/css/figures.css shows instead when the reader wants less
    motion; a page that links the file and chooses by <picture> does without. Raises NotFound.
    """
    ex = find(key)
    steps = moving(ex, max(2, frames // 2 - 1), CORNERS_MOVING)
    ground = mat(ex.mat, ex.camera)
    place = fit([*ground, *(layer for step in steps for layer in step)])
    body = "".join(element(layer, place, palette) for layer in ground)
    body += "".join(_moving_element(track, place, palette) for track in tracks(steps))
    if not calm:
        return _document(title, body)
    layers = still(ex)
    place = fit(layers)
    rest = "".join(element(layer, place, palette) for layer in layers)
    return _document(title, f'<g class="figure-moving">{body}</g><g class="figure-still" display="none">{rest}</g>')


def frame(layers: list[Layer], place: Fit, palette: Palette, width: int) -> str:
    """A picture on a card, for formats that cannot be transparent; `width` in pixels."""
    card = (
        f'<rect x=".5" y=".5" width="{WIDTH - 1}" height="{HEIGHT - 1}" rx="14"'
        f' fill="{palette.page}" stroke="{palette.frame}"/>'
    )
    content = card + "".join(element(layer, place, palette) for layer in layers)
    height = round(width * HEIGHT / WIDTH)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{width}" height="{height}">'
        f"{content}</svg>"
    )


def element(layer: Layer, place: Fit, palette: Palette) -> str:
    """One layer as a path."""
    if not layer.outlines:
        return ""
    return f'<path{_paint(layer, palette)} d="{path(layer, place)}"/>'


def path(layer: Layer, place: Fit, digits: int = 2) -> str:
    """Path data of a layer, as steps from point to point: half the bytes of absolute ones."""
    grid = 10**digits
    pieces = []
    for outline in layer.outlines:
        spots = [place.spot(x, y) for x, y in outline]
        pieces.append(_piece([(round(x * grid), round(y * grid)) for x, y in spots], digits, layer.closed))
    return "".join(pieces)


def _piece(spots: list[tuple[int, int]], digits: int, closed: bool) -> str:
    steps = [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(spots)]
    start = f"M{_decimal(spots[0][0], digits)} {_decimal(spots[0][1], digits)}l"
    way = " ".join(f"{_decimal(x, digits)} {_decimal(y, digits)}" for x, y in steps)
    return start + way.replace(" -", "-") + ("z" if closed else "")


def _decimal(value: int, digits: int) -> str:
    text = f"{value / 10**digits:.{digits}f}".rstrip("0").rstrip(".")
    if text.startswith(("0.", "-0.")):
        text = text.replace("0.", ".", 1)
    return text or "0"


def _paint(layer: Layer, palette: Palette) -> str:
    fill = getattr(palette, layer.fill) if layer.fill else "none"
    if not layer.line:
        return f' fill="{fill}"'
    return (
        f' fill="{fill}" stroke="{getattr(palette, layer.line)}" stroke-width="{layer.width:g}"'
        ' stroke-linejoin="round" stroke-linecap="round"'
    )


def _moving_element(track: Track, place: Fit, palette: Palette) -> str:
    """One layer with its outline at each moment; a layer that stays where it is does not move."""
    shapes = [path(layer, place, 1) for layer in track.layers]
    start = _paint(track.layers[-1], palette)
    if len(set(shapes)) == 1 and all(track.shown):
        return f'<path{start} d="{shapes[0]}"/>'
    order, times = timetable(len(shapes))
    clock = f'dur="{SECONDS}s" repeatCount="indefinite" keyTimes="{times}"'
    inner = f'<animate attributeName="d" {clock} values="{";".join(shapes[i] for i in order)}"/>'
    if not all(track.shown):
        seen = ";".join("visible" if track.shown[i] else "hidden" for i in order)
        inner += f'<animate attributeName="visibility" calcMode="discrete" {clock} values="{seen}"/>'
        start += "" if track.shown[-1] else ' visibility="hidden"'
    return f'<path{start} d="{shapes[-1]}">{inner}</path>'


def _document(title: str | None, content: str) -> str:
    label = f' role="img"><title>{escape(title)}</title>' if title else ' aria-hidden="true">'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
        f"{label}{content}</svg>"
    )
