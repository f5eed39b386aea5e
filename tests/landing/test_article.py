"""An article becomes pieces, and nothing in it can run."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.figures.exercises import EXERCISES
from newsletter.landing import article
from newsletter.landing.article import FOUR_MOVES, Kind, Piece
from tests.landing.conftest import shipped


def kinds(markdown: str) -> list[Kind]:
    return [piece.kind for piece in article.pieces(markdown)]


def html(markdown: str) -> str:
    return "".join(piece.html for piece in article.pieces(markdown))


def test_pieces_keep_their_order() -> None:
    text = "Hello.\n\n::moves::\n\nMore.\n\n![A cat](figure:cat-cow)\n\n::form::\n\nEnd."
    assert kinds(text) == [Kind.PROSE, Kind.MOVES, Kind.PROSE, Kind.FIGURE, Kind.FORM, Kind.PROSE]
    assert article.pieces(text)[3] == Piece(Kind.FIGURE, keys=("cat-cow",), words="A cat")


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("::moves::", FOUR_MOVES),
        ("::moves cat-cow open-book::", ("cat-cow", "open-book")),
        ("![x](figure:dead-bug)", ("dead-bug",)),
        ("Nothing here.", FOUR_MOVES),
    ],
)
def test_the_moves_are_those_placed_else_those_shown_else_the_four(text: str, keys: tuple[str, ...]) -> None:
    assert article.move_keys(text) == keys


def test_places_inside_a_sentence_are_words() -> None:
    assert kinds("Write ::form:: on its own line.") == [Kind.PROSE]
    assert kinds("    ::form::") == [Kind.PROSE]


def test_headings_stand_below_the_title() -> None:
    assert html("# One\n\n## Two\n\n###### Six") == "<h2>One</h2>\n<h2>Two</h2>\n<h4>Six</h4>\n"


def test_links_to_elsewhere_tell_nothing_and_own_ones_stay_plain() -> None:
    assert 'href="https://a.example" rel="noopener noreferrer"' in html("[a](https://a.example)")
    assert html("[a](/p/x)") == '<p><a href="/p/x">a</a></p>\n'


@pytest.mark.parametrize(
    "attack",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[a](javascript:alert(1))",
        "[a](JaVaScRiPt:alert(1))",
        "[a](data:text/html;base64,PHNjcmlwdD4=)",
        "![a](javascript:alert(1))",
        '[a](/x "><script>alert(1)</script>")',
        "<div style='color:red'>x</div>",
    ],
)
def test_nothing_that_runs_gets_through(attack: str) -> None:
    for tag, attributes in tags_of(html(attack)):
        assert tag not in {"script", "div"}
        assert set(attributes) <= {"href", "src", "alt", "title", "rel", "loading"}
        assert not re.match(
            r"\s*(javascript|data):", attributes.get("href") or attributes.get("src") or "", re.IGNORECASE
        )


def tags_of(text: str) -> list[tuple[str, dict[str, str | None]]]:
    """Every tag that a browser would see, with its attributes."""
    found: list[tuple[str, dict[str, str | None]]] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.append((tag, dict(attrs)))

    Reader().feed(text)
    return found


@given(st.text(alphabet="<>\"'&/=![]()#*`:- \nabscriptonhref", max_size=120))
def test_only_known_tags_come_out(text: str) -> None:
    known = set("p h2 h3 h4 a em strong code pre ul ol li blockquote hr br s img".split())  # noqa: SIM905
    known |= {"table", "thead", "tbody", "tr", "th", "td"}
    assert {name.lower() for name in re.findall(r"</?([a-zA-Z][a-zA-Z0-9]*)", html(text))} <= known


def test_the_shipped_article_has_all_that_a_landing_page_needs() -> None:
    front, body = shipped()
    assert front["title"] == "4 feel-good stretches for a tight upper back"
    assert len(front["summary"]) <= 300
    assert kinds(body).count(Kind.FORM) == 1
    assert article.move_keys(body) == FOUR_MOVES
    assert set(article.figure_keys(body)) <= set(EXERCISES)
    assert 500 < article.plain_words(body) < 1200
    for word in ("mat", "fascia", "cobwebs", "Cactus Glides", "crunch", "Flexion, extension, rotation"):
        assert word in body
