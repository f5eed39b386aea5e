"""Does once what is the same for every reader, so that only the reader's own words are left to fill in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import TypeGuard, cast

import css_inline
import mrml

from newsletter.errors import RenderError, SourceError
from newsletter.messages import plain, statements
from newsletter.messages.dialect import (
    Dialect,
    Fields,
    check,
    href,
    in_itself,
    in_markup,
    names_read,
    printable,
    url_part,
)
from newsletter.messages.flowing import Flow
from newsletter.messages.images import Image, Resolver
from newsletter.messages.layouts import Layout, load_layout
from newsletter.messages.links import LINK_NAMES, Links, own_links
from newsletter.messages.markdown import Block, blocks, pictures
from newsletter.messages.prose import Pictures, mjml
from newsletter.messages.script import Script, place
from newsletter.messages.segments import Segments
from newsletter.messages.sentinels import Piece, Sentinels, tag
from newsletter.messages.source import LONGEST_SUBJECT, Source
from newsletter.messages.studio import Studio
from newsletter.messages.textpart import Part, Writer

_NO_LINKS: Mapping[str, object] = dict.fromkeys(LINK_NAMES)
_HTML, _TEXT = Dialect(escape=True), Dialect(escape=False)
_SLOT = re.compile(r"\{\{\s*(subject|preheader|body)\s*\}\}")
_ATTRIBUTE = re.compile(r'(?P<before>\s(?P<name>[\w:-]+)=")(?P<value>[^"]*)(?=")')
# Fills the preview line of the inbox, so that the header's words do not run on after the preheader.
_STYLE = re.compile(r"<style.*?</style>", re.DOTALL)
_MARGIN = re.compile(r"\n\s+")
_KEEP_AS_IT_IS = '<style data-css-inline="ignore"'
_PREVIEW_PADDING = "&#847;&#160;" * 60


@dataclass(slots=True)  # not frozen: making one of those takes three times as long
class Rendered:
    """One reader's email, without its envelope. `images` are those to be sent along inside it."""

    subject: str
    preheader: str
    html_part: Segments
    text_part: Segments
    images: tuple[Image, ...] = ()

    @property
    def html(self) -> str:
        """The HTML as one text."""
        return str(self.html_part)

    @property
    def text(self) -> str:
        """The text part as one text."""
        return str(self.text_part)


@dataclass(frozen=True)
class CompiledMessage:
    """A message with everything done but the reader's words.

    `images` are all its pictures, linked or embedded. `links` are the addresses in a marketing email that are the same
    for every reader, each once: what is pressed there can be counted by giving each reader addresses of their own.
    """

    subject: Script
    preheader: Script
    html: Script
    text: Script
    images: tuple[Image, ...]
    embedded: bool
    standing: Mapping[str, object]
    links: tuple[str, ...] = ()

    @cached_property
    def _layouts(self) -> tuple[Flow, Flow]:
        return Flow(self.html), Flow(self.text, plain.finish)

    def render(self, context: Mapping[str, object]) -> Rendered:
        """Fill in one reader's words. Raises RenderError naming the line and the name that is missing.

        `clicks` in the context are this reader's own addresses for `links`; without them the links go straight.
        """
        names = _complete(context, self.standing)
        own = cast(Sequence[str], names.pop("clicks", self.links))
        if len(own) != len(self.links):
            raise RenderError(f"There are {len(own)} addresses for the {len(self.links)} links of this email.")
        html, text = self._layouts
        return Rendered(
            subject=_one_line(self.subject.run(names)),
            preheader=_one_line(self.preheader.run(names)),
            html_part=html.filled(names, _all_in_markup(own)),
            text_part=text.filled(names, own),
            images=self.images if self.embedded else (),
        )


def compile_message(
    source: Source,
    studio: Studio,
    *,
    image: Resolver,
    marketing: bool,
    embed_images: bool | None = None,
    layout: Layout | None = None,
) -> CompiledMessage:
    """Compile a source for many readers. Raises SourceError naming the line in the source.

    Pictures are linked or embedded as the studio wants it, unless `embed_images` says otherwise.
    `marketing` emails cannot be rendered without `links.unsubscribe`; the layout's footer asks for it.
    """
    embed = studio.embed_images if embed_images is None else embed_images
    return _Compiler(source, studio, image, marketing, embed, layout or load_layout()).compile()


def images_used(source: Source) -> list[str]:
    """The sources of all images in the body, like `figure:cactus-glides`, each once."""
    return pictures(Sentinels.for_text(source.body).cut(source.body, where=source.name))


class _Compiler:
    """The way of one message through all tools; its steps share the sentinels."""

    def __init__(
        self, source: Source, studio: Studio, image: Resolver, marketing: bool, embed: bool, layout: Layout
    ) -> None:
        self.source, self.layout = source, layout
        self.standing: dict[str, object] = {"studio": studio, "marketing": marketing}
        self.sentinels = Sentinels.for_text(source.subject, source.preheader, source.body, layout.mjml, layout.text)
        self.links = Links(self.sentinels, site=studio.url, counted=marketing)
        self.pictures = Pictures(image, source.name, embed, self.sentinels, self.links, source.body_line)

    def compile(self) -> CompiledMessage:
        source, cut = self.source, self.sentinels.cut
        for text, line in (
            (source.subject, source.subject_line),
            (source.preheader, source.preheader_line),
            (source.body, source.body_line),
        ):
            check(_TEXT, text, name=source.name, first_line=line)
        subject = cut(source.subject, where=source.name, first_line=source.subject_line)
        preheader = cut(source.preheader, where=source.name, first_line=source.preheader_line)
        body = cut(source.body, where=source.name, first_line=source.body_line)
        parts = blocks(body, self.sentinels, first_line=source.body_line)
        html = self._html(parts, subject, preheader)
        text = self._text(Writer(self.pictures, self.sentinels).write(parts), subject)
        self._nothing_lost(body, html)
        return CompiledMessage(
            subject=self._script(_TEXT, subject),
            preheader=self._script(_TEXT, preheader),
            html=self._script(_HTML, html, part="html"),
            text=self._script(_TEXT, text, part="text"),
            images=tuple(self.pictures.used.values()),
            embedded=self.pictures.embedded,
            standing=self.standing,
            links=tuple(self.links.found),
        )

    def _html(self, parts: list[Block], subject: str, preheader: str) -> str:
        column, prose = mjml(parts, self.pictures, self.sentinels)
        padded = escape(preheader) + _PREVIEW_PADDING if preheader else ""
        frame = self._frame(self.layout.mjml, "mjml")
        frame = self._fold(frame, in_markup=True)
        frame = _fill(frame, {"subject": escape(subject), "preheader": padded, "body": column})
        try:
            html = str(mrml.to_html(frame, render_options=mrml.RenderOptions(fonts={})).content)
        except Exception as problem:  # mrml raises its own several kinds
            raise SourceError(
                f"The layout {self.layout.name}.mjml cannot be turned into HTML: {problem}", remedy="Check its MJML."
            ) from problem
        for word, inside in prose.items():
            html = html.replace(word, inside)
        html = _inliner(self._fold(self._frame(self.layout.css, "css"), in_markup=False)).inline(
            html.replace("<style", _KEEP_AS_IT_IS)
        )
        html = html.replace(_KEEP_AS_IT_IS, "<style")
        html = _STYLE.sub(lambda sheet: _MARGIN.sub("\n", sheet[0]), html)  # each space there would travel as =20
        return _ATTRIBUTE.sub(self._attribute, html) + "\n"

    def _attribute(self, match: re.Match[str]) -> str:
        value = match["value"]
        if match["name"] in {"href", "src"}:
            value = self.sentinels.in_address(value)
        return match["before"] + self._fold(value, in_markup=True, breaks=False)

    def _text(self, parts: Iterable[Part], subject: str) -> str:
        body = "".join(self._line(part) for part in parts)
        frame = self._frame(self.layout.text, "txt")
        lines: list[Part] = []
        for line in frame.split("\n"):
            only_statements = line.strip() and not self.sentinels.pattern.sub("", line).strip()
            bare = only_statements and all(p.kind in {"statement", "nothing"} for p in self.sentinels.found(line))
            if bare or _SLOT.fullmatch(line.strip()):
                lines.append(line.strip())
            elif line.strip() == "--":
                lines.append("-- \n")  # the space is what marks a signature (RFC 3676, section 4.3)
            else:
                lines.append(plain.Line(line.strip(), first=line[: len(line) - len(line.lstrip())]))
        framed = "".join(self._line(part) for part in lines)
        return _fill(framed, {"subject": subject, "body": body})

    def _line(self, part: Part) -> str:
        if isinstance(part, str):
            return part
        words = self._fold(part.words, in_markup=False)
        line = plain.Line(words, part.first, part.rest, part.underline)
        return (line.marked() if self.sentinels.pattern.search(words) else line.wrapped()) + "\n"

    def _frame(self, text: str, kind: str) -> str:
        """The layout with its Jinja2 cut out, except for the slots of the email itself."""
        where = f"{self.layout.name}.{kind}"
        check(_TEXT, text, name=where, first_line=1)
        kept = _SLOT.sub(lambda match: f"\x02{match[1]}\x03", text)
        cut = self.sentinels.cut(kept, where=where)
        return statements.apart(re.sub("\x02(\\w+)\x03", r"{{ \1 }}", cut), self.sentinels)

    def _fold(self, text: str, *, in_markup: bool, breaks: bool = True) -> str:
        """The text with what is the same for all readers already filled in."""

        def swap(match: re.Match[str]) -> str:
            piece = self.sentinels.pieces[int(match[1])]
            value = self._standing_value(piece)
            if value is None:
                return match[0]
            if in_markup:
                return escape(value).replace("\n", "<br>" if breaks else " ")
            return value.replace("\n", plain.BREAK)

        return self.sentinels.pattern.sub(swap, text)

    def _standing_value(self, piece: Piece) -> str | None:
        if piece.kind == "constant":
            return piece.code
        names = names_read(_TEXT, piece.code) if piece.kind == "expression" else set()
        if not names or not names <= self.standing.keys():
            return None
        try:
            value = _TEXT.compile_expression(piece.code, undefined_to_none=False)(**self.standing)
            text = "" if value is None else str(value)
            if piece.filtered:
                text = (href if piece.filtered == "_href" else url_part)(text)
        except Exception as problem:  # an operator's expression may raise anything
            raise SourceError(f"{place(piece)}: {problem}", remedy="Check the name.") from problem
        return "\n".join(str(printable(line)) for line in text.split("\n"))

    def _script(self, dialect: Dialect, text: str, part: str = "") -> Script:
        folded = self._fold(text, in_markup=dialect is _HTML)
        links = [*self.links.found.values(), *own_links(folded, self.sentinels)] if part else []
        template, lines = self.sentinels.restore(folded, tag, {link.word for link in links})
        known = {**self.standing, "part": part} if part else self.standing
        return Script.compile(dialect, template, lines, known, links)

    def _nothing_lost(self, body: str, html: str) -> None:
        left = {(piece.code, piece.line) for piece in self.sentinels.found(html)}
        for piece in self.sentinels.found(body):
            if piece.kind == "statement" and (piece.code, piece.line) not in left:
                raise SourceError(
                    f"{piece.where}, line {piece.line}: {{% {piece.code.strip()} %}} stands where it cannot be kept.",
                    remedy="Take it out of the HTML tag, or put it on a line of its own.",
                )


def _fill(frame: str, values: Mapping[str, str]) -> str:
    return _SLOT.sub(lambda match: values.get(match[1], ""), frame)


def _inliner(css: str) -> css_inline.CSSInliner:
    return css_inline.CSSInliner(keep_style_tags=True, load_remote_stylesheets=False, extra_css=css)


def _complete(context: Mapping[str, object], standing: Mapping[str, object]) -> dict[str, object]:
    """The context with every link's name and `magnet` known (None where they do not apply), and the custom fields."""
    names: dict[str, object] = {**_TEXT.globals, "magnet": None, **context, **standing}
    links = names.get("links")
    names["links"] = {**_NO_LINKS, **links} if _is_mapping(links) else _NO_LINKS
    subscriber = names.get("subscriber")
    if _is_mapping(subscriber):
        held = subscriber.get("fields")
        fields = Fields(held if _is_mapping(held) else ())
        names["subscriber"] = {**subscriber, "fields": fields}
        names.setdefault("fields", fields)
    return names


def _is_mapping(value: object) -> TypeGuard[Mapping[str, object]]:
    return type(value) is dict or isinstance(value, Mapping)  # an abstract class is slow to ask


def _all_in_markup(addresses: Sequence[str]) -> Sequence[str]:
    return addresses if in_itself("".join(addresses)) else [in_markup(address) for address in addresses]


def _one_line(pieces: Sequence[str]) -> str:
    """Words fit for a header: one line, no invisible signs, cut at a word when far too long."""
    words = " ".join(str(printable("".join(pieces))).split())
    if len(words) <= LONGEST_SUBJECT:
        return words
    return words[: LONGEST_SUBJECT - 1].rsplit(" ", 1)[0] + "…"
