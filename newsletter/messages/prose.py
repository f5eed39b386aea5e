"""Blocks as MJML, and prose as clean HTML: what an operator's raw HTML may hold is decided here."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from html import escape

import nh3
from markdown_it.token import Token

from newsletter.errors import SourceError, SuppleError
from newsletter.messages.images import Image, Resolver
from newsletter.messages.links import Links
from newsletter.messages.markdown import PARSER, Block, Button, Picture, Prose, Rule, Statements
from newsletter.messages.sentinels import Sentinels

_TAGS = {
    "p", "br", "strong", "em", "b", "i", "s", "del", "sup", "sub", "a", "ul", "ol", "li", "h1", "h2", "h3", "h4",
    "blockquote", "code", "pre", "hr", "img", "span", "div", "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip
_ATTRIBUTES = {"a": {"href", "title"}, "img": {"src", "alt", "width", "height"}, "ol": {"start"}}
_HREF = re.compile(r'(<a [^<>]*?href=")([^"]*)')
_SCHEMES = {"https", "http", "mailto", "tel", "cid"}


@dataclass
class Pictures:
    """The images one message uses, resolved as they come up."""

    resolve: Resolver
    name: str
    embedded: bool
    sentinels: Sentinels
    links: Links
    first_line: int = 1
    used: dict[str, Image] = field(default_factory=dict)

    def get(self, source: str, line: int) -> Image:
        """The image for a Markdown image's source. Raises SourceError when there is none."""
        if self.sentinels.pattern.search(source):
            raise SourceError(
                f"{self.name}, line {line}: a picture's name holds {{{{ … }}}}.",
                remedy="Write the name out; to choose between two, put each between {% if %} and {% endif %}.",
            )
        if source not in self.used:
            try:
                self.used[source] = self.resolve(source)
            except (SuppleError, LookupError) as problem:
                raise SourceError(
                    f"{self.name}, line {line}: there is no picture {source!r}.",
                    means=str(problem.args[0]) if problem.args else "",
                    remedy="Use figure: and the name of an exercise, like ![](figure:cactus-glides).",
                ) from problem
        return self.used[source]

    def address(self, image: Image) -> str:
        """Where the reader's program finds the image: on our server, or inside the message."""
        return f"cid:{image.content_id}" if self.embedded else image.url


def mjml(blocks: Sequence[Block], pictures: Pictures, sentinels: Sentinels) -> tuple[str, dict[str, str]]:
    """The MJML inside one column, and the HTML to put in place of each prose word after MJML has done its work."""
    parts: list[str] = []
    prose: dict[str, str] = {}
    for block in blocks:
        if isinstance(block, Prose):
            word = f"p{sentinels.key}z{len(prose):04d}z"
            prose[word] = prose_html(block, pictures, sentinels)
            parts.append(f'<mj-text css-class="prose">{word}</mj-text>')
        else:
            parts.append(_LONE[type(block)](block, pictures))
    return "\n".join(parts), prose


def prose_html(block: Prose, pictures: Pictures, sentinels: Sentinels) -> str:
    """The block as HTML of a few harmless elements. Raises SourceError for an image from elsewhere."""
    html = "".join(PARSER.renderer.render(_with_images(block.tokens, pictures), PARSER.options, {}))
    # Statements inside a list or quote are comments here, and the cleaner drops comments: leave only their words.
    html = sentinels.pattern.sub(lambda match: f"q{sentinels.key}z{match[1]}z", html)
    ours = {pictures.address(image) for image in pictures.used.values()}
    foreign: list[str] = []

    def only_ours(element: str, attribute: str, value: str) -> str | None:
        if element == "img" and attribute == "src" and value not in ours:
            foreign.append(value)
        return value

    clean = nh3.clean(
        html, tags=_TAGS, attributes=_ATTRIBUTES, url_schemes=_SCHEMES, link_rel=None, attribute_filter=only_ours
    )
    if foreign:
        raise SourceError(
            f"{pictures.name}: the picture {foreign[0]!r} lies elsewhere.",
            means="Opening the email would tell that other server who reads it and when.",
            remedy="Use a picture of this installation, like ![](figure:cactus-glides).",
        )
    return _HREF.sub(lambda match: match[1] + pictures.links.slot_in_markup(match[2]), clean)


def _with_images(tokens: Sequence[Token], pictures: Pictures) -> list[Token]:
    return [_with_image_tags(token, pictures) for token in tokens]


def _with_image_tags(token: Token, pictures: Pictures) -> Token:
    line = pictures.first_line + (token.map[0] if token.map else 0)
    children = [_image_tag(child, pictures, line) for child in token.children] if token.children else token.children
    return replace(token, children=children) if children else token


def _image_tag(token: Token, pictures: Pictures, line: int) -> Token:
    if token.type != "image":
        return token
    image = pictures.get(str(token.attrs["src"]), line)
    source, alt = escape(pictures.address(image)), escape(token.content or image.alt)
    html = f'<img src="{source}" alt="{alt}" width="{image.width}" height="{image.height}">'
    return Token("html_inline", "", 0, content=html)


def _picture(block: Picture, pictures: Pictures) -> str:
    image = pictures.get(block.source, block.line)
    return (
        f'<mj-image css-class="picture" src="{escape(pictures.address(image))}"'
        f' alt="{escape(block.alt or image.alt)}" width="{image.width}px" height="{image.height}px" />'
    )


def _button(block: Button, pictures: Pictures) -> str:
    address = escape(pictures.links.slot(block.address))
    return f'<mj-button css-class="button" href="{address}">{escape(block.label)}</mj-button>'


def _rule(_: Rule, __: Pictures) -> str:
    return '<mj-divider css-class="rule" />'


def _statements(block: Statements, _: Pictures) -> str:
    return block.words


_LONE: dict[type[Block], Callable[..., str]] = {
    Picture: _picture,
    Button: _button,
    Rule: _rule,
    Statements: _statements,
}
