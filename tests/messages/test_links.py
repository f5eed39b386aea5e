"""Links of marketing emails whose addresses are the same for every reader can get addresses of each reader's own."""

from __future__ import annotations

import pytest

from newsletter.errors import RenderError
from newsletter.messages.compiling import CompiledMessage

from .conftest import LINKS, Compile
from .test_compiling import Tree

Context = dict[str, object]

BODY = """Hello {{ subscriber.first_name }}, read [this](https://a.example/one?x=1&y=2) and then, after many words
that fill the line, [that](https://b.example/two), and <https://a.example/one?x=1&y=2> once more.

[Go]( https://c.example/three ){.button}

[mail](mailto:hello@studio.example) [call](tel:+4912345) [leave](https://studio.example/unsubscribe/x)
[video]({{ links.video }}) [you](https://a.example/?n={{ subscriber.first_name }}) <a href="https://d.example/?a&amp;b">raw</a>

{% if subscriber.first_name %}
[four](https://b.example/four)
{% endif %}
"""
ADDRESSES = (
    "https://a.example/one?x=1&y=2", "https://b.example/two", "https://c.example/three", "https://d.example/?a&b",
    "https://b.example/four",
)  # fmt: skip
CLICKS = [f"https://studio.example/c/t0k3n/{n}" for n in range(5)]


@pytest.fixture
def compiled(build: Compile) -> CompiledMessage:
    return build(BODY, marketing=True)


def _hrefs(html: str) -> list[str]:
    return [attributes["href"] for attributes in Tree(html).all("a")]


def test_each_address_of_the_web_is_listed_once(compiled: CompiledMessage) -> None:
    assert sorted(compiled.links) == sorted(ADDRESSES)


def test_a_reader_gets_addresses_of_their_own_in_both_parts(compiled: CompiledMessage, alice: Context) -> None:
    clicks = dict(zip(compiled.links, CLICKS, strict=True))
    rendered = compiled.render({**alice, "clicks": CLICKS})
    for address, click in clicks.items():
        assert address not in rendered.html.replace("&amp;", "&").replace(f">{address}<", "")
        assert address not in rendered.text
        assert click in _hrefs(rendered.html)
        assert (click in rendered.text) == (address != "https://d.example/?a&b")  # raw HTML has no link in the text
    assert _hrefs(rendered.html).count(clicks[ADDRESSES[0]]) == 2
    for kept in ("mailto:hello@studio.example", "tel:+4912345", "https://studio.example/unsubscribe/x", LINKS["video"]):
        assert kept in _hrefs(rendered.html)
    assert "https://a.example/?n=Alice" in _hrefs(rendered.html)
    assert f"Go:\n{clicks['https://c.example/three']}\n" in rendered.text


def test_2_14_without_them_it_says_the_addresses_themselves(
    build: Compile, compiled: CompiledMessage, alice: Context
) -> None:
    straight, given = compiled.render(alice), compiled.render({**alice, "clicks": compiled.links})
    assert (straight.html, straight.text) == (given.html, given.text)
    assert set(ADDRESSES) <= set(_hrefs(straight.html))
    plain = build(BODY).render(alice)
    assert _hrefs(plain.html)[:9] == _hrefs(straight.html)[:9]
    assert plain.text.partition("\n-- \n")[0] == straight.text.partition("\n-- \n")[0]


def test_only_marketing_is_counted(build: Compile, alice: Context) -> None:
    transactional = build(BODY)
    assert transactional.links == ()
    assert "https://b.example/two" in _hrefs(transactional.render(alice).html)


def test_an_address_is_never_markup(build: Compile, alice: Context) -> None:
    html = (
        build("[x](https://a.example/)", marketing=True).render({**alice, "clicks": ['https://a.example/"><b>&']}).html
    )
    assert 'href="https://a.example/&#34;&gt;&lt;b&gt;&amp;"' in html


def test_too_few_addresses_are_refused(compiled: CompiledMessage, alice: Context) -> None:
    with pytest.raises(RenderError, match="4 addresses for the 5 links"):
        compiled.render({**alice, "clicks": CLICKS[:4]})


def test_they_are_nothing_a_template_can_name(build: Compile, alice: Context) -> None:
    with pytest.raises(RenderError, match="clicks"):
        build("{{ clicks }} [x](https://a.example/)", marketing=True).render(
            {**alice, "clicks": ["https://b.example/"]}
        )
