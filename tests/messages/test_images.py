"""Pictures for emails: named by their content, sharp, described."""

from __future__ import annotations

import hashlib

import pytest

from newsletter.errors import SourceError
from newsletter.messages.images import every_figure, figure, resolver


def test_a_figure_is_named_by_its_content_and_drawn_at_twice_its_size() -> None:
    image = figure("cat-cow", "https://studio.example/")
    assert image.content_hash == hashlib.sha256(image.content).hexdigest()[:32]
    assert image.url == f"https://studio.example/media/{image.content_hash}.png"
    assert 260 <= image.width <= 520
    assert int.from_bytes(image.content[16:20]) == 1040
    assert image.alt
    assert len(image.content) < 60_000
    assert figure("cat-cow", "https://studio.example") == image


@pytest.mark.parametrize("source", ["figure:unknown", "figure:cat-cow.svg", "https://evil.example/a.png", "cat-cow"])
def test_what_is_not_ours_is_refused(source: str) -> None:
    with pytest.raises(SourceError):
        resolver("https://studio.example")(source)


def test_every_figure_is_drawn_only_when_it_is_asked_for() -> None:
    assert next(iter(every_figure("https://studio.example"))).content_type == "image/png"
