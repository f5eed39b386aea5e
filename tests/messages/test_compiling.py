"""Jinja2 survives Markdown, MJML and the CSS inliner; a reader's words stay words."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.errors import RenderError, SourceError
from newsletter.messages.compiling import compile_message, images_used
from newsletter.messages.source import parse

from .conftest import LINKS, STUDIO, Compile, picture

Context = dict[str, object]
VOID = {"meta", "br", "img", "hr", "link", "input", "col"}


class Tree(HTMLParser):
    """Collects tags and text; fails on a tag that is closed in the wrong place."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words = ""
        self.open: list[str] = []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "title"} & set(self.open):
            self.words += data

    def all(self, tag: str) -> list[dict[str, str]]:
        """The attributes of every element of that name."""
        return [attributes for name, attributes in self.tags if name == tag]


def _with(alice: Context, **subscriber: object) -> Context:
    assert isinstance(alice["subscriber"], dict)
    return {**alice, "subscriber": {**alice["subscriber"], **subscriber}}


@pytest.mark.parametrize(
    ("body", "html", "text"),
    [
        ("**{{ subscriber.first_name }}**", "<strong>Alice</strong>", "Alice"),
        ("_{{ subscriber.first_name }}_!", "<em>Alice</em>!", "Alice!"),
        ("# For {{ subscriber.first_name }}", ">For Alice</h1>", "For Alice\n========="),
        ("`{{ subscriber.first_name }}`", ">Alice</code>", "Alice"),
        ("[{{ subscriber.first_name }}]({{ links.video }})", ">Alice</a>", f"Alice <{LINKS['video']}>"),
        ("[x](https://a.example/?n={{ subscriber.last_name }})", "?n=%C3%85ngstr%C3%B6m", "?n=%C3%85ngstr%C3%B6m"),
        ("[Go]({{ links.video }}){.button}", 'href="https://studio.example/video', f"Go:\n{LINKS['video']}"),
        ("[{{ links.video }}]({{ links.video }})", "</a>", f"<{LINKS['video']}>"),
        ("| a | b |\n|---|---|\n| {{ subscriber.first_name }} | 2 |", ">Alice</td>", "Alice | 2"),
        ('<span title="{{ subscriber.first_name }}">raw</span>', "raw", "raw"),
        ("{{ subscriber.first_name }}{{ subscriber.first_name }}", "AliceAlice", "AliceAlice"),
        ('<a href="{{ links.video }}">raw</a>', 'href="https://studio.example/video', "raw"),
    ],
)
def test_expressions_survive(build: Compile, alice: Context, body: str, html: str, text: str) -> None:
    rendered = build(body).render(alice)
    assert html in rendered.html
    assert text in rendered.text
    Tree(rendered.html)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("A\n\n{% if true %}\nB\n{% endif %}\n\nC", ["A", "B", "C"]),
        ("A\n{% if false %}\nB\n{% endif %}\nC", ["A", "C"]),
        ("- A\n{% if true %}\n- B\n{% endif %}\n- C", ["A", "B", "C"]),
        ("- A\n{% if false %}\n- B\n{% endif %}\n- C", ["A", "C"]),
        ("- A\n  {% if true %}\n  more\n  {% endif %}\n- C", ["A", "more", "C"]),
        ("> A\n> {% if true %}\n> B\n> {% endif %}", ["A", "B"]),
        ("{% for tag in ['x', 'y'] %}\n## {{ tag }}\n\n![](figure:cat-cow){% endfor %}", ["x", "y"]),
        ("{% for tag in ['x', 'y'] %}\n[{{ tag }}]({{ links.video }}){.button}\n{% endfor %}", ["x", "y"]),
        ("{% if true %}{% if true %}\nA\n{% endif %}{% endif %}", ["A"]),
        ("{% if true -%}\nA\n{%- endif %}", ["A"]),
        ("A{% if true %} B{% endif %}.", ["A B."]),
        ("A {% if true %}\nB{% endif %} C", ["A", "B", "C"]),
        ("{% if true %}A\n\nB{% else %}C\n\nD{% endif %}", ["A", "B"]),
        ("A {% if true %}\n\nB\n{% endif %}", ["A", "B"]),
        ("{% if true %}\n\n{{ 1 }}{% endif %}", ["1"]),
        ("{% for n in [1, 2] %}{% if true %}\n{{ n }}{% endif %}{% endfor %}", ["1", "2"]),
        ("> {% if true %}A\n>\n> {{ 2 }}{% endif %}", ["A", "2"]),
        ("{# a remark #}\nA\n{# and another #}", ["A"]),
    ],
)
def test_statements_survive_and_make_no_paragraph(build: Compile, alice: Context, body: str, words: list[str]) -> None:
    rendered = build(body).render(alice)
    tree = Tree(rendered.html)
    shown = tree.words
    for word in words:
        assert word in shown
        shown = shown.partition(word)[2]
    assert not re.search(r"<p[^>]*>\s*</p>", rendered.html)
    assert "\n\n\n" not in rendered.text
    assert "<!--q" not in rendered.html


def test_nothing_of_the_machinery_is_left_over(build: Compile, alice: Context) -> None:
    body = "{% if true %}\nA {{ 1 }}\n{% endif %}\n\n[B]({{ links.video }}){.button}"
    rendered = build(body, subject="{{ 1 }}", preheader="{{ 2 }}").render(alice)
    for part in (rendered.subject, rendered.html, rendered.text):
        assert not re.search(r"q[0-9a-f]{8}z\d{4}z|p[0-9a-f]{8}z|\{\{|\{%|data-css-inline|[\x1d-\x1f]", part)


def test_a_readers_words_are_never_markup_or_template(build: Compile, alice: Context) -> None:
    nasty = "<b>{{7*7}}</b> **bold** [x](http://evil.example) & \"q\" 'a'"
    rendered = build("Hello {{ subscriber.first_name }}", subject="{{ subscriber.first_name }}").render(
        _with(alice, first_name=nasty)
    )
    tree = Tree(rendered.html)
    assert nasty in tree.words
    assert not any("evil" in attributes.get("href", "") for attributes in tree.all("a"))
    assert nasty in rendered.text
    assert rendered.subject == nasty


@settings(max_examples=60, deadline=None)
@given(name=st.text(max_size=60))
def test_any_name_leaves_the_email_whole(name: str) -> None:
    # The ledger stores text that is UTF-8; lone surrogates cannot reach a template.
    name = name.encode("utf-8", "ignore").decode()
    rendered = _COMPILED.render({"subscriber": {"first_name": name, "fields": {}}, "links": LINKS})
    tree = Tree(rendered.html)
    assert [attributes["href"] for attributes in tree.all("a")][:1] == [LINKS["video"]]
    assert len(rendered.subject.splitlines()) <= 1
    assert rendered.text.count("\n") <= 14 + len(name) // 20
    assert not re.search(r"[\x00-\x08\x0b-\x1f]", rendered.text + rendered.subject)


_COMPILED = compile_message(
    parse("---\nsubject: Hi {{ subscriber.first_name }}\n---\nHi {{ subscriber.first_name }}, [x]({{ links.video }})"),
    STUDIO,
    image=picture,
    marketing=False,
)


@pytest.mark.parametrize("address", ["javascript:alert(1)", "data:text/html,x", "//evil.example", "", "  ", "x"])
def test_a_link_made_of_a_readers_words_must_be_a_web_address(build: Compile, alice: Context, address: str) -> None:
    with pytest.raises(RenderError):
        build("[mine]({{ fields.site }})").render(_with(alice, fields={"site": address}))


@pytest.mark.parametrize(
    "html",
    ["<script>alert(1)</script>", '<b onclick="x()">b</b>', "<style>*{}</style>", '<a href="javascript:x">a</a>'],
)
def test_an_operators_raw_html_is_cleaned(build: Compile, alice: Context, html: str) -> None:
    clean = build(f"A {html}\n\n{html}").render(alice).html
    assert "alert(1)</script>" not in clean
    assert "onclick" not in clean
    assert "*{}" not in clean
    assert "javascript:" not in clean


def test_pictures_have_alt_width_height_and_come_from_here_only(build: Compile, alice: Context) -> None:
    body = "![](figure:a)\n\n![My own words](figure:b)\n\ninline ![](figure:c) picture"
    compiled = build(body)
    rendered = compiled.render(alice)
    images = Tree(rendered.html).all("img")
    assert [image["alt"] for image in images] == ["Picture of figure:a", "My own words", "Picture of figure:c"]
    assert all(image["width"].isdigit() and image["height"].isdigit() for image in images)
    assert {image.name for image in compiled.images} == {"figure:a", "figure:b", "figure:c"}
    assert rendered.images == ()
    assert "[Picture: My own words]" in rendered.text


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ("![](figure:nothing)", "line 5: there is no picture 'figure:nothing'"),
        ("A\n\ntext ![](figure:nothing)", "line 7: there is no picture 'figure:nothing'"),
        ('<img src="https://evil.example/pixel.png">', "evil.example"),
        ("![]({{ links.video }})", "line 5"),
    ],
)
def test_a_picture_from_elsewhere_is_refused(build: Compile, body: str, named: str) -> None:
    with pytest.raises(SourceError) as caught:
        build(body)
    assert named in str(caught.value)


def test_embedded_pictures_are_named_by_content_id(build: Compile, alice: Context) -> None:
    rendered = build("![](figure:a)\n\n![](figure:a)", embed_images=True).render(alice)
    assert [image.name for image in rendered.images] == ["figure:a"]
    assert {image["src"] for image in Tree(rendered.html).all("img")} == {f"cid:{rendered.images[0].content_id}"}


def test_images_used_lists_each_once_in_order() -> None:
    source = parse("---\nsubject: x\n---\n![](figure:b)\n\n{% if true %}\n![](figure:a) and ![](figure:b)\n{% endif %}")
    assert images_used(source) == ["figure:b", "figure:a"]


def test_2_13_marketing_cannot_go_out_without_a_way_to_leave(build: Compile, alice: Context) -> None:
    rendered = build("x", marketing=True).render(alice)
    assert LINKS["unsubscribe"].replace("&", "&amp;") in rendered.html
    assert f"Unsubscribe: {LINKS['unsubscribe']}" in rendered.text
    with pytest.raises(RenderError, match="no address"):
        build("x", marketing=True).render({**alice, "links": {}})


def test_each_reader_gets_their_own_links_and_only_those_they_have(build: Compile, alice: Context) -> None:
    message = build("Now: {{ links.video }}\n\n{% if links.resend %}\n[Again]({{ links.resend }})\n{% endif %}")
    without = {name: address for name, address in LINKS.items() if name != "video"}
    for links in (LINKS, without, {**without, "resend": LINKS["video"]}, LINKS):
        rendered = message.render({**alice, "links": links})
        assert f"Now: {links.get('video', '')}".strip() in rendered.text
        assert ("Again" in rendered.text) is ("resend" in links)
        assert (LINKS["video"].replace("&", "&amp;") in rendered.html) is ("video" in links or "resend" in links)


def test_a_link_that_a_reader_lacks_is_told_also_after_readers_who_have_it(build: Compile, alice: Context) -> None:
    message = build("[Watch]({{ links.video }})")
    for _ in range(2):
        assert LINKS["video"] in message.render(alice).text
        with pytest.raises(RenderError, match=r"line 5.*no address for this reader"):
            message.render({**alice, "links": {**LINKS, "video": ""}})


def test_the_frame_says_who_writes_and_is_set_for_light_and_dark(build: Compile, alice: Context) -> None:
    rendered = build("x", preheader="Read *me*").render(alice)
    assert rendered.html.lstrip().startswith("<!DOCTYPE html>")
    tree = Tree(rendered.html)
    assert tree.all("html")[0]["lang"] == "en"
    assert {"name": "color-scheme", "content": "light dark"} in tree.all("meta")
    assert "@media (prefers-color-scheme: dark)" in rendered.html
    assert all(table["role"] == "presentation" for table in tree.all("table"))
    assert "12 Sample Lane<br>12345 Sampletown" in rendered.html
    assert "12 Sample Lane\n12345 Sampletown" in rendered.text
    assert rendered.preheader == "Read *me*"
    assert tree.words.strip().startswith("Read *me*")


def test_no_address_outside_the_studio_is_ever_asked_for(build: Compile, alice: Context) -> None:
    html = build("![](figure:a)\n\n[B]({{ links.video }}){.button}").render(alice).html
    loaded = re.findall(r'(?:src|background|action)="([^"]*)"|url\(([^)]*)\)|@import', html)
    assert {url for pair in loaded for url in pair if url} == {picture("figure:a").url}
    assert "<link" not in html


def test_a_long_subject_is_cut_at_a_word(build: Compile, alice: Context) -> None:
    subject = build("x", subject="Dear {{ subscriber.first_name }}, hello").render(_with(alice, first_name="ab " * 99))
    assert len(subject.subject) <= 150
    assert subject.subject.endswith("ab…")


def test_what_is_the_same_for_all_is_filled_in_only_once(build: Compile, alice: Context) -> None:
    compiled = build("{{ studio.name }} and {{ studio.signature }}, {{ subscriber.first_name }}")
    pieces = {piece.code.strip() for piece in compiled.html.lines.values()}
    assert "subscriber.first_name" in pieces
    assert not any("studio" in code and "if" not in code for code in pieces)
    with pytest.raises(SourceError, match="line 5"):
        build("{{ studio.telephone }}")


@pytest.mark.parametrize(
    "body",
    [
        "A {% if true %} B\n\nC\n{% endif %}",
        "[x]({% if true %}https://a.example{% endif %})",
        "<b {% if true %}x{% endif %}>b</b>",
    ],
)
def test_a_statement_where_it_cannot_be_kept_is_refused(build: Compile, body: str) -> None:
    with pytest.raises(SourceError, match="line 5"):
        build(body)
