"""What others rely on: valid, safe, self-contained SVG, in fixed sizes, legible without colour."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.errors import NotFound
from newsletter.figures import drawing, raster
from newsletter.figures.exercises import EXERCISES
from newsletter.figures.outline import Outline, hull, slim
from newsletter.figures.palette import DARK, LIGHT, Palette
from newsletter.figures.space import Point
from newsletter.figures.tracks import timetable

KEYS = sorted(EXERCISES)
WANTED = {
    *("cat-cow", "puppy-pose", "thread-the-needle", "open-book"),
    *("cactus-glides", "prone-dart", "scapular-push-up"),
    *("dead-bug", "bird-dog", "forearm-plank", "side-plank", "toe-taps", "glute-bridge"),
    *("low-lunge", "figure-four", "seated-butterfly"),
}
SVG = "{http://www.w3.org/2000/svg}"
NUMBER = re.compile(r"-?(?:\d+\.?\d*|\.\d+)")


def points(data: str) -> list[tuple[float, float]]:
    """Absolute points of path data made of M, relative l and z."""
    found: list[tuple[float, float]] = []
    for piece in data.split("M")[1:]:
        numbers = [float(n) for n in NUMBER.findall(piece)]
        x = y = 0.0
        for i, (dx, dy) in enumerate(zip(numbers[::2], numbers[1::2], strict=True)):
            x, y = (dx, dy) if i == 0 else (x + dx, y + dy)
            found.append((x, y))
    return found


def check_safe(text: str) -> ElementTree.Element:
    root = ElementTree.fromstring(text)  # noqa: S314 - our own text
    allowed = {"fill", "stroke", "stroke-width", "stroke-linejoin", "stroke-linecap", "d", "visibility"}
    for element in root.iter():
        assert element.tag.removeprefix(SVG) in {"svg", "title", "g", "path", "animate"}
        assert not {"style", "id", "onload", "href"} & set(element.attrib)
        if element.tag == f"{SVG}path":
            assert set(element.attrib) <= allowed
    return root


def test_every_promised_exercise_is_there() -> None:
    assert set(EXERCISES) == WANTED
    assert all(key == exercise.key for key, exercise in EXERCISES.items())


def test_alternative_texts_are_sentences_of_their_own() -> None:
    texts = [exercise.alt for exercise in EXERCISES.values()]
    assert len(set(texts)) == len(texts)
    assert all(text.endswith(".") and 60 < len(text) < 250 for text in texts)


@pytest.mark.parametrize("key", KEYS)
def test_a_still_picture_is_plain_svg_inside_its_frame(key: str) -> None:
    root = check_safe(drawing.svg(key))
    width, height = drawing.size(key)
    assert root.get("viewBox") == f"0 0 {width} {height}"
    assert (root.get("width"), root.get("height")) == (str(width), str(height))
    for path in root.iter(f"{SVG}path"):
        for x, y in points(path.attrib["d"]):
            assert 0 <= x <= width
            assert 0 <= y <= height


def test_a_title_makes_it_an_image_and_is_escaped() -> None:
    root = check_safe(drawing.svg("cat-cow", title='Cat <&> "cow"'))
    assert root.get("role") == "img"
    assert root.findtext(f"{SVG}title") == 'Cat <&> "cow"'


def test_without_a_title_it_is_decoration() -> None:
    root = check_safe(drawing.svg("cat-cow"))
    assert root.get("role") is None
    assert root.get("aria-hidden") == "true"


@pytest.mark.parametrize("key", KEYS)
def test_a_moving_picture_leads_every_point_from_step_to_step(key: str) -> None:
    """Browsers only move between outlines of the same commands; a mismatch would jump or stand still."""
    root = check_safe(drawing.animation(key))
    found = list(root.iter(f"{SVG}animate"))
    assert found
    for animate in found:
        values = animate.attrib["values"].split(";")
        times = [float(t) for t in animate.attrib["keyTimes"].split(";")]
        assert len(values) == len(times) == 12
        assert (times[0], times[-1]) == (0, 1)
        assert all(a <= b for a, b in pairwise(times))
        assert values[0] == values[-1]
        if animate.attrib["attributeName"] == "d":
            assert len({re.sub(r"[^Mlz]", "", value) for value in values}) == 1
            assert len({len(points(value)) for value in values}) == 1


def test_a_moving_picture_holds_a_still_one_for_readers_who_want_less_motion() -> None:
    root = check_safe(drawing.animation("cat-cow"))
    moving, still = root.findall(f"{SVG}g")
    assert moving.get("class") == "figure-moving"
    assert (still.get("class"), still.get("display")) == ("figure-still", "none")
    assert not list(still.iter(f"{SVG}animate"))
    assert len(drawing.animation("cat-cow", calm=False)) < len(drawing.animation("cat-cow"))


def test_timetable_holds_both_ends() -> None:
    order, times = timetable(4)
    assert order == [0, 0, 1, 2, 3, 3, 2, 1, 0, 0]
    at = [float(t) for t in times.split(";")]
    assert at[5] - at[4] > 0.05


@pytest.mark.parametrize(
    "make", [drawing.svg, drawing.animation, drawing.size, raster.png, raster.gif], ids=lambda f: f.__name__
)
def test_an_unknown_key_says_which_there_are(make) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(NotFound, match=r"handstand.*cat-cow"):
        make("handstand")


def test_the_same_input_gives_the_same_bytes() -> None:
    for make in (drawing.svg, drawing.animation, raster.png, raster.gif):
        first = make("cat-cow")
        make.cache_clear()  # type: ignore[attr-defined]
        assert make("cat-cow") == first


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(a: str, b: str) -> float:
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_parts_differ_in_lightness_not_only_in_hue(palette: Palette) -> None:
    """In black and white the top is still told from the leggings, an arm from the top, a far leg from a near one."""
    for a, b in (("skin", "top"), ("top", "legs"), ("legs", "far_legs"), ("skin", "hair"), ("skin", "far_skin")):
        assert contrast(getattr(palette, a), getattr(palette, b)) > 1.15, (a, b)


@pytest.mark.parametrize(("palette", "page"), [(LIGHT, "#FBF7F0"), (LIGHT, "#FFFFFF"), (DARK, "#1D1916")])
def test_arrows_stand_out_from_the_page(palette: Palette, page: str) -> None:
    assert contrast(palette.arrow, page) > 3.0  # WCAG 1.4.11, graphics


def covers(polygon: Outline, point: Point) -> bool:
    return set(hull((*polygon, point))) == set(hull(polygon))


spots = st.tuples(st.integers(-40, 40), st.integers(-40, 40)).map(lambda p: (p[0] / 4, p[1] / 4))
polygons = st.lists(spots, min_size=6, max_size=20, unique=True).map(lambda p: hull(tuple(p)))


@given(
    st.lists(polygons.filter(lambda h: len(h) > 2), min_size=2, max_size=5), st.lists(spots, min_size=1, max_size=40)
)
@settings(max_examples=60, deadline=None)
def test_thinning_never_opens_a_hole(shapes: list[Outline], probes: list[Point]) -> None:
    thinned = slim([tuple(shapes)])[0]
    for probe in probes:
        if any(covers(shape, probe) for shape in shapes):
            assert any(covers(shape, probe) for shape in thinned)
