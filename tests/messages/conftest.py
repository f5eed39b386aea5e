"""A studio, two readers, and pictures small enough to count."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

import pytest

from newsletter.messages.compiling import CompiledMessage, compile_message
from newsletter.messages.images import Image
from newsletter.messages.source import parse
from newsletter.messages.studio import Studio

Compile = Callable[..., CompiledMessage]

STUDIO = Studio(
    name="Your Studio",
    sender_name="Your Studio",
    url="https://studio.example",
    postal_address="12 Sample Lane\n12345 Sampletown",
    signature="Warmly,\nyour coach",
)
LINKS = {
    name: f"https://studio.example/{name}/t0k3n-{name}?a=1&b=2"
    for name in ("confirm", "download", "unsubscribe", "preferences", "video")
}


def picture(name: str) -> Image:
    """A picture of that name, without drawing one."""
    if name == "figure:nothing":
        raise KeyError(name)
    content = b"\x89PNG" + name.encode()
    digest = hashlib.sha256(content).hexdigest()[:32]
    url = f"https://studio.example/media/{digest}.png"
    return Image(name, url, 520, 290, f"Picture of {name}", content, "image/png", digest)


@pytest.fixture
def build() -> Compile:
    """Compiles a body (and what else is given) for the studio."""

    def compiled(
        body: str, *, subject: str = "Hello", preheader: str = "", marketing: bool = False, embed_images: bool = False
    ) -> CompiledMessage:
        source = parse(f"---\nsubject: {subject!r}\npreheader: {preheader!r}\n---\n{body}")
        return compile_message(source, STUDIO, image=picture, marketing=marketing, embed_images=embed_images)

    return compiled


@pytest.fixture
def alice() -> Mapping[str, object]:
    """A reader with every field and every link."""
    return {
        "subscriber": {
            "email": "alice@example.org",
            "first_name": "Alice",
            "last_name": "Ångström",
            "timezone": "Europe/Berlin",
            "fields": {"city": "Malmö"},
            "tags": ["stretch"],
        },
        "links": LINKS,
        "magnet": {"title": "Four stretches"},
    }


@pytest.fixture
def bob() -> Mapping[str, object]:
    """A reader of whom nothing but the address is known."""
    return {
        "subscriber": {
            "email": "bob@example.org",
            "first_name": None,
            "last_name": None,
            "timezone": None,
            "fields": {},
            "tags": [],
        },
        "links": LINKS,
        "magnet": {"title": "Four stretches"},
    }
