"""The text part is good to read: spaced, wrapped, its addresses whole."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.messages.plain import BREAK, WIDTH, Line, finish

from .conftest import LINKS, Compile

Context = dict[str, object]

BODY = """# A heading

Hello {{ subscriber.first_name or "there" }}, this is a paragraph
that is long enough to be wrapped at least once or twice.

## Smaller

1. First with a [link](https://a.example/path?x=1&y=2), and words that go on until the line has to be broken somewhere.
2. Second, *slowly*
   and **strongly**.

- tight
- list
  - nested

> **How much:** 8 times
>
> Stop if it hurts.

[Press]({{ links.confirm }}){.button}

***

Mail [us](mailto:hello@studio.example) or see <https://studio.example/>.\\
New line.

    code stays
      as it is
"""

EXPECTED = """A heading
=========

Hello Alice, this is a paragraph that is long enough to be wrapped at
least once or twice.

Smaller
-------

1. First with a link <https://a.example/path?x=1&y=2>, and words that go
   on until the line has to be broken somewhere.
2. Second, slowly and strongly.

- tight
- list
  - nested

  How much: 8 times

  Stop if it hurts.

Press:
https://studio.example/confirm/t0k3n-confirm?a=1&b=2

    * * *

Mail us <hello@studio.example> or see <https://studio.example/>.
New line.

    code stays
      as it is

-- \nYour Studio
12 Sample Lane
12345 Sampletown
"""


def test_the_text_part_reads_like_a_letter(build: Compile, alice: Context) -> None:
    assert build(BODY).render(alice).text.startswith(EXPECTED)


def test_lines_are_short_and_addresses_whole(build: Compile, alice: Context) -> None:
    long = "https://a.example/" + "x" * 120
    text = (
        build(f"Some words before [a link]({long}) and quite a few more words that come after it.").render(alice).text
    )
    assert f"<{long}>" in text.replace("\n", " ").split(" ")
    assert all(len(line) <= WIDTH for line in text.splitlines() if "://" not in line)


@pytest.mark.parametrize("marketing", [True, False])
def test_the_footer_has_the_postal_address_and_the_way_out(build: Compile, alice: Context, marketing: bool) -> None:
    links = LINKS if marketing else {name: LINKS[name] for name in ("unsubscribe", "preferences")}
    context = {**alice, "links": links}
    text = build("x", marketing=marketing).render(context).text
    assert "\n-- \nYour Studio\n12 Sample Lane\n12345 Sampletown\n" in text
    ways = f"Unsubscribe: {LINKS['unsubscribe']} Choose what you get: {LINKS['preferences']}"
    assert ways in " ".join(text.split())


def test_1_3_a_confirmation_offers_no_way_out_of_what_has_not_begun(build: Compile, alice: Context) -> None:
    rendered = build("[Yes]({{ links.confirm }}){.button}").render(alice)
    assert "nsubscribe" not in rendered.text + rendered.html


words = st.text(alphabet=st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=100)


@given(pieces=st.lists(words, max_size=40), indent=st.sampled_from(["", "- ", "  ", "12. "]))
def test_wrapping_keeps_every_word_and_the_width(pieces: list[str], indent: str) -> None:
    line = Line(" ".join(pieces), first=indent, rest=" " * len(indent))
    lines = line.wrapped().split("\n")
    assert "".join(lines).replace(" ", "").removeprefix(indent.strip()) == "".join(pieces)
    assert all(len(row) <= WIDTH or len(row.split()) <= 2 for row in lines)
    assert finish(line.marked()) == finish(line.wrapped())


def test_breaks_and_underlines() -> None:
    assert Line(f"one{BREAK}two", first="- ", rest="  ").wrapped() == "- one\n  two"
    assert Line("Title", underline="=").wrapped() == "Title\n====="


def test_blank_lines_never_pile_up(build: Compile, alice: Context) -> None:
    text = build("A\n\n{% if false %}\n\nB\n\n{% endif %}\n\n{% if false %}C{% endif %}\n\nD").render(alice).text
    assert text.startswith("A\n\nD\n\n-- \n")
    assert not re.search(r"\n{3,}", text)
