"""What is decided for all readers is decided once, and decides as it would for each."""

from __future__ import annotations

import itertools

import pytest

from newsletter.messages.dialect import Dialect
from newsletter.messages.folding import folded

from .conftest import STUDIO

DIALECT = Dialect(escape=True)
READER = {"name": "Alice <3", "none": None, "list": [1, 2]}


@pytest.mark.parametrize(
    "template",
    [
        "a{% if marketing %}b{% endif %}c",
        "a{% if not marketing %}b{% else %}c{% endif %}",
        "{% if marketing or nobody %}b{% endif %}",
        "{% if name %}1{% elif marketing %}2{% else %}3{% endif %}",
        "{% if none %}1{% elif marketing %}2{% elif name %}3{% else %}4{% endif %}",
        "{% if none %}1{% elif not marketing %}2{% elif name %}3{% else %}4{% endif %}",
        "{% if marketing %}{% if name %}x{{ name }}{% endif %}y{% endif %}z{{ part }}",
        "{% if (marketing or none) and name %}1{% else %}2{% endif %}",
        "{% for n in list %}{% if marketing %}{{ n }},{% else %}{{ n }};{% endif %}{% else %}{{ part }}{% endfor %}",
        "{% if studio.logo_url %}logo{% else %}{{ studio.name }}{% endif %} {{ studio.postal_address }}",
        "{% if part == 'html' %}<b>{{ name }}</b>{% endif %}{% set x = marketing %}{{ x }}",
        "{% if studio.video_url %}{{ nobody }}{% endif %}",
        "{{ studio.accent if marketing else name }}",
    ],
)
def test_a_folded_template_prints_the_same(template: str) -> None:
    for marketing, part in itertools.product((True, False), ("html", "text")):
        known: dict[str, object] = {"marketing": marketing, "part": part, "studio": STUDIO}
        if "nobody" in template and not marketing and "video" not in template:
            continue
        short = DIALECT.from_string(folded(DIALECT, DIALECT.parse(template), known))
        assert short.render(READER) == DIALECT.from_string(template).render(READER | known)


def test_what_nobody_gets_is_gone_and_what_everybody_gets_is_one_piece() -> None:
    tree = folded(DIALECT, DIALECT.parse("a{% if marketing %}b{% else %}c{{ name }}{% endif %}d"), {"marketing": True})
    assert list(DIALECT.from_string(tree).generate({})) == ["abd"]
